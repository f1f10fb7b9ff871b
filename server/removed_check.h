/*
 * removed_check: a delivery's list of what was withdrawn or removed (removed.h), compared with the
 * log.
 *
 * Takes the list as it is read. Holds if every row is spelled as removed writes it and, given the
 * log, if the rows are all that was ended by the entries between two sizes, in the order of those
 * entries, each for its reason. One thread; memory does not grow with the rows.
 */
#ifndef REMOVED_CHECK_H
#define REMOVED_CHECK_H

#include "audit_log.h"

struct removed_check_source {
    const struct audit *audit; /* NULL: without the log */
    int64_t from, size;        /* at which the delivery before and this one froze */
};

struct removed_check;
struct removed_check *removed_check_new(const struct removed_check_source *source);
void removed_check_free(struct removed_check *r);

/* 0, or -1 with a sentence in why. */
int removed_check_add(struct removed_check *r, const void *data, size_t len, struct buf *why)
    __attribute__((warn_unused_result));
int removed_check_end(struct removed_check *r, struct buf *why) __attribute__((warn_unused_result));

/* How many rows there were of a reason, by enum void_why, and REMOVED_WD. */
const int64_t *removed_check_counts(const struct removed_check *r);

#endif
