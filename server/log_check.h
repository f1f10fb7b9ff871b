/*
 * log_check: a whole log, recomputed from its entries.
 *
 * Reads the checkpoint, every bundle of entries and every tile of a source. Holds if the checkpoint
 * is signed, the root recomputed from the entries alone is the signed one, every tile has the
 * hashes that follow from the entries, and every entry may stand where it does (audit_log.h). No
 * tile is used for anything but the comparison. One thread; memory as audit_log, and two tiles a
 * level.
 */
#ifndef LOG_CHECK_H
#define LOG_CHECK_H

#include "audit_log.h"
#include "checkpoint.h"
#include "log_source.h"

/* Another tree that the log must begin with: a checkpoint, or a delivery's root. */
struct log_mark {
    const char *name; /* for the sentence */
    struct merkle_tree tree;
};

struct log_check {
    struct log_source *source;
    const struct note_verifier *verifier;
    const struct log_mark *marks;
    size_t mark_count;
    /* what comes out */
    struct buf note; /* the signed checkpoint; initialised by the caller */
    struct checkpoint checkpoint;
    int64_t tiles; /* compared, bundles of entries not counted */
};

/* The log with all its entries, the caller's to free; or NULL with a sentence in why. */
struct audit *log_check_run(struct log_check *c, struct buf *why);

#endif
