/*
 * tlog_proof: the file that shows an entry to be in the log, without the log.
 *
 * Source: https://c2sp.org/tlog-proof (v1, untagged): `c2sp.org/tlog-proof@v1`, `extra BASE64`,
 * `index N`, the inclusion path, an empty line, and the signed checkpoint. `extra` holds the exact
 * bytes of the entry. Pure functions, any thread.
 */
#ifndef TLOG_PROOF_H
#define TLOG_PROOF_H

#include "checkpoint.h"

#define TLOG_PROOF_MAX_BYTES (256 * 1024) /* of a file that is read */
#define TLOG_PROOF_ENTRY_MAX 65535

struct tlog_proof {
    int64_t index;
    struct merkle_path path;
    struct buf extra;      /* the entry; empty if the file has none */
    struct buf checkpoint; /* the signed note, as it is */
};
void tlog_proof_init(struct tlog_proof *p);
void tlog_proof_release(struct tlog_proof *p);

void tlog_proof_write(struct buf *out, const struct tlog_proof *p);
/* Strict: 0, or -1 if the file is none, or spelled in another way. Nothing of it is checked yet. */
int tlog_proof_parse(struct tlog_proof *out, const char *file, size_t len)
    __attribute__((warn_unused_result));
/* Checks everything: the checkpoint is that log's (given in *c), and the entry is in it at that
 * index. NULL, or what is wrong: a constant sentence without its stop. */
const char *tlog_proof_verify(const struct tlog_proof *p, const struct note_verifier *v,
                              struct checkpoint *c) __attribute__((warn_unused_result));

#endif
