/*
 * log_source: a log's files, wherever they are: in log.zip, in a folder, or on a server.
 *
 * The files have the paths that a server has them under: `checkpoint`, `tile/0/000`,
 * `tile/entries/000.p/17`. Nothing that comes from here is believed: log_check compares all of it
 * with the signed checkpoint. One thread.
 */
#ifndef LOG_SOURCE_H
#define LOG_SOURCE_H

#include "note.h"
#include "tlog.h"

struct log_source;
/* `thing` is an address (fetch_is_url), a folder, or a ZIP. NULL with a sentence in why. */
struct log_source *log_source_open(const char *thing, struct buf *why);
void log_source_close(struct log_source *s);

/* Reads a file of at most out->cap bytes. 0; 1 if there is none; -1 with a sentence in why. */
int log_source_get(struct log_source *s, const char *path, struct buf *out, struct buf *why)
    __attribute__((warn_unused_result));
/* Reads a tile, or a bundle of entries: where the partial one is missing, of the full one, which it
 * is the beginning of; then `out` holds more than asked for. 0, or -1 with a sentence in why. */
int log_source_tile(struct log_source *s, const struct tile *t, struct buf *out, struct buf *why)
    __attribute__((warn_unused_result));
/* The key that the source itself names: `vkey`, or log_vkey of /api/v1/petition. 0, or -1 with a
 * sentence in why. */
int log_source_key(struct log_source *s, struct note_verifier *out, struct buf *why)
    __attribute__((warn_unused_result));

#endif
