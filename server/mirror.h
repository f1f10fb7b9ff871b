/*
 * mirror: log.zip, the published log as files.
 *
 * Members: README.txt, checkpoint, vkey, and tile/... under exactly the paths of
 * https://c2sp.org/tlog-tiles, as the server serves them at that size. So whoever unpacks it below
 * a web server's root serves the log. Same size, same bytes.
 */
#ifndef MIRROR_H
#define MIRROR_H

#include "db.h"
#include "note.h"

#define MIRROR_NAME "log.zip"

struct mirror {
    struct db *reader;
    const struct note_verifier *verifier;
    const char *checkpoint; /* signed, of `size` entries */
    int64_t size;
    const char *dir;     /* becomes dir/log.zip */
    int64_t mtime_s;     /* of the members */
    int64_t spare_bytes; /* of the disk: left free for others */
    /* Reports progress from 0 to 1; false stops. */
    bool (*progress)(void *ctx, double fraction);
    void *progress_ctx;
};
/* 0, or -1 with a sentence in why. Needs memory for two tiles. */
int mirror_build(const struct mirror *m, struct buf *why) __attribute__((warn_unused_result));

#endif
