/*
 * runkey: K_run, the secret of one boot of the machine, and what is wrapped under it.
 *
 * 32 random bytes in $RUNTIME_DIRECTORY/run.key, or DIR/run/run.key without systemd: made anew when
 * the boot id differs, kept across restarts, never backed up. What is wrapped (the thank-you page's
 * content, in its address) is secret and authentic, and dead after RUNKEY_LIFE_S.
 */
#ifndef RUNKEY_H
#define RUNKEY_H

#include "buf.h"

#define RUNKEY_EPOCH_S 900
#define RUNKEY_LIFE_S  1800

struct runkey; /* constant, any thread */

/* NULL with a line in err. */
struct runkey *runkey_open(const char *data_dir, struct buf *err);
void runkey_close(struct runkey *k);

/* Appends the wrapped payload, of at most 128 bytes, as base64url. */
void runkey_wrap(const struct runkey *k, struct buf *out, const uint8_t *payload, size_t len,
                 int64_t now_s);
/* Unwraps a payload of exactly `len` bytes. 0; -1 if it is altered, foreign or too old. */
int runkey_unwrap(const struct runkey *k, uint8_t *payload, size_t len, const char *text,
                  int64_t now_s) __attribute__((warn_unused_result));

#endif
