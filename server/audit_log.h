/*
 * audit_log: whether the entries of a log, one after the other, are ones it may have, and what
 * follows from them.
 *
 * Source: DESIGN "Exact bytes". Entry 0 opens the log and no other does. wd and void name an
 * earlier sign entry that is live; the s of a wd opens the w of what it removes. The numbers of dlv
 * grow. After close come wd, void and dlv only, and close counts what came before it.
 *
 * Takes 72 bytes of memory for each entry. Pure; one thread at a time.
 */
#ifndef AUDIT_LOG_H
#define AUDIT_LOG_H

#include "entry_read.h"

/* What a sign entry says, and what became of it. */
enum removal { REMOVED_WD = VOID__MAX, REMOVAL__KINDS }; /* and before it those of enum void_why */
struct audit_sign {
    uint8_t c[HASH_LEN], w[HASH_LEN];
    uint64_t removal; /* private: audit_removed */
};

struct audit_dlv {
    int64_t index, n, size;
    uint8_t manifests[ENTRY_MANIFESTS][HASH_LEN];
};

/* As of some size. live = sign less all that are removed. */
struct audit_counts {
    int64_t sign, live;
    int64_t removed[REMOVAL__KINDS]; /* by enum void_why, and REMOVED_WD */
};

struct audit;
struct audit *audit_new(void);
void audit_free(struct audit *a);

/* Takes the next entry. NULL, or what is wrong with it: a constant sentence without its stop. */
const char *audit_add(struct audit *a, const char *body, size_t len)
    __attribute__((warn_unused_result));

int64_t audit_size(const struct audit *a);
/* Of the log, from entry 0; and the leaf hash of entry 0. */
const char *audit_origin(const struct audit *a);
const uint8_t *audit_genesis(const struct audit *a);

/* NULL if there is no sign entry at that index. */
const struct audit_sign *audit_sign_at(const struct audit *a, int64_t index);
/* True if something among the first `size` entries removed it: how, and at which index. */
bool audit_removed(const struct audit_sign *s, int64_t size, int *how, int64_t *at);
/* The index of the last open or text entry before that one. */
int64_t audit_text_before(const struct audit *a, int64_t index);
/* The delivery with that number, or NULL; and all of them, in order, NULL after the last. */
const struct audit_dlv *audit_dlv_of(const struct audit *a, int64_t n);
const struct audit_dlv *audit_dlv_at(const struct audit *a, size_t i);
/* The one before it whose entry was in the log when it was frozen, or NULL. */
const struct audit_dlv *audit_dlv_before(const struct audit *a, const struct audit_dlv *d);
void audit_count(const struct audit *a, int64_t size, struct audit_counts *out);
/* The size up to and with the close entry; 0 if there is none. */
int64_t audit_closed(const struct audit *a, int64_t *repeats);

#endif
