/*
 * opening: the private half of a receipt: what opens the commitment of one sign entry.
 *
 * A file NAME.opening.json, compact JSON with exactly these members in this order (B base64):
 *
 *   {"v":1,"index":N,"genesis":B,"r":B,"r2":B,"contact":"canonical contact","fields":"FIELDS"}
 *
 * Whoever has it can prove to anybody that this contact signed; so it is never sent anywhere. Pure,
 * any thread.
 */
#ifndef OPENING_H
#define OPENING_H

#include "entry_read.h"

#define OPENING_FILE_MAX 16384

struct opening {
    int64_t index;
    uint8_t genesis[HASH_LEN], r[HASH_LEN], r2[HASH_LEN];
    struct buf contact, fields; /* canonical; FIELDS */
};
void opening_init(struct opening *o);
/* Overwrites it. */
void opening_release(struct opening *o);

void opening_write(struct buf *out, const struct opening *o);
/* Strict: 0, or -1 if the file is not exactly what opening_write writes, but for one newline at its
 * end. FIELDS are checked to be some. */
int opening_parse(struct opening *out, const char *file, size_t len)
    __attribute__((warn_unused_result));
/* The commitment that it opens. */
void opening_commitment(const struct opening *o, uint8_t c[HASH_LEN]);

#endif
