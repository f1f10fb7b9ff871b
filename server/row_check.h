/*
 * row_check: the rows of a delivery's signature lists, compared with the log.
 *
 * Takes the parts (annex.h) in order, as they are read. Holds if every row is spelled as annex
 * writes it and rises above the one before; if what is shown of a signer is what FIELDS says, which
 * nobody who chose `private` has; and, given the log, if each row has the hash of a sign entry that
 * was live when the delivery froze, whose commitment the row's opening and FIELDS give. One thread.
 */
#ifndef ROW_CHECK_H
#define ROW_CHECK_H

#include "audit_log.h"

struct row_check_source {
    const struct audit *audit; /* NULL: without the log */
    int64_t size;              /* at which the delivery froze */
    bool names;                /* this addressee may get names */
};

struct row_counts {
    int64_t rows, opened, tiers[TIER__MAX];
};

struct row_check;
struct row_check *row_check_new(const struct row_check_source *source);
void row_check_free(struct row_check *r);

/* Begins the next part, takes its bytes, ends it. 0, or -1 with a sentence in why. */
void row_check_begin(struct row_check *r);
int row_check_add(struct row_check *r, const void *data, size_t len, struct buf *why)
    __attribute__((warn_unused_result));
int row_check_end(struct row_check *r, struct buf *why) __attribute__((warn_unused_result));

const struct row_counts *row_check_counts(const struct row_check *r);

#endif
