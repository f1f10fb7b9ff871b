/*
 * bundle_check: one addressee's bundle (bundle.h), checked by whoever has it.
 *
 * Two steps. bundle_check_open reads what is needed before a log is: manifest, sums, signature,
 * checkpoint. bundle_check_run reads all members: sums, rows, totals; and, given the log, that the
 * delivery's entry names this manifest, that its rows are exactly the live signatures of the log at
 * the size where the delivery froze, and that its list of what was withdrawn or removed since the
 * delivery before is the log's. One thread; memory does not grow with the rows.
 */
#ifndef BUNDLE_CHECK_H
#define BUNDLE_CHECK_H

#include "audit_log.h"
#include "checkpoint.h"
#include "minisign.h"
#include "row_check.h"

enum bundle_total {
    BUNDLE_LOG_SIZE,
    BUNDLE_SIGNATURES,
    BUNDLE_CONFIRMED,
    BUNDLE_SUBMISSIONS,
    BUNDLE_REPEATS,
    BUNDLE_WITHDRAWN,
    BUNDLE__TOTALS
};

/* What a bundle says of itself. */
struct bundle_facts {
    int64_t delivery, addressee;
    int64_t totals[BUNDLE__TOTALS], removed[VOID__MAX];
    char origin[NOTE_NAME_MAX + 1], date[11];
    char minisign_key[MINISIGN_PUBLIC_TEXT]; /* that signed it */
    bool key_is_its_own;                     /* read from its README.txt: to be believed */
    bool names;                              /* its addressee may get names */
    bool has_root;
    uint8_t root[HASH_LEN];          /* of the log at that size */
    uint8_t manifest_hash[HASH_LEN]; /* SHA-256 of manifest.json */
    struct buf checkpoint;           /* the signed note; empty if there is none */
};

struct bundle_check;
/* `minisign_key` may be NULL: then it is the one in README.txt. NULL with a sentence in why. */
struct bundle_check *bundle_check_open(const char *path, const char *minisign_key, struct buf *why);
void bundle_check_close(struct bundle_check *b);
const struct bundle_facts *bundle_check_facts(const struct bundle_check *b);

/* `audit` may be NULL: without the log. 0 with what was counted, or -1 with a sentence in why. */
int bundle_check_run(struct bundle_check *b, const struct audit *audit, struct row_counts *counts,
                     struct buf *why) __attribute__((warn_unused_result));

#endif
