/*
 * archive: ZIP files with the same bytes for the same content, whole or not there.
 *
 * Files are added first and written in that order by archive_finish, with one modification time,
 * mode 0644, deflate of a fixed level and no extra fields of the moment. A ZIP is written as
 * NAME.tmp, fsynced and renamed. Adding never fails visibly: the first mistake sticks and
 * archive_finish reports it.
 *
 * This module is the only user of libzip. libzip reads the local time zone: the process runs with
 * TZ=UTC. A time before 1980 becomes 1980.
 */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include "buf.h"

#define ARCHIVE_LEVEL 6
#define ARCHIVE_STREAM_LEVEL                                                                       \
    1 /* hashes hardly compress: 4 % larger than at 6, in half the time                            \
       */

struct archive;        /* being made */
struct archive_source; /* a finished one, to copy from */

/* Content that is made while it is compressed. It must live until archive_finish. */
struct archive_stream {
    int (*begin)(void *ctx);                           /* 0, or -1 */
    int64_t (*read)(void *ctx, void *out, size_t len); /* bytes; 0 at the end; -1 */
    int (*end)(void *ctx);                             /* 0, or -1 */
    void *ctx;
    const char *failure; /* set before -1 is returned: the reason, a constant */
};

/* Reports how much is written, from 0 to 1; false stops. */
struct archive_watch {
    bool (*progress)(void *ctx, double fraction);
    void *ctx;
};

/* Will become DIR/NAME; nothing is written yet. */
struct archive *archive_new(const char *dir, const char *name, int64_t mtime_s);
/* The data must live until archive_finish. */
void archive_add(struct archive *a, const char *name, const struct buf *data);
/* The same stream may be added several times: it is begun again for each. */
void archive_add_stream(struct archive *a, const char *name, struct archive_stream *stream);
/* Copies a file as it is compressed. The source must live until archive_finish. */
void archive_copy(struct archive *a, const char *name, struct archive_source *from);
/* Writes the ZIP and frees a. `watch` may be NULL. 0, or -1 with a sentence in why: "stopped", the
 * stream's reason, or what the disk says; then nothing is left of it. */
int archive_finish(struct archive *a, const struct archive_watch *watch, struct buf *why)
    __attribute__((warn_unused_result));

/* NULL with a sentence in why. */
struct archive_source *archive_source_open(const char *dir, const char *name, struct buf *why);
void archive_source_close(struct archive_source *s);

/* Removes what unfinished writing left in the directory: every NAME.tmp, and libzip's
 * NAME.tmp.XXXXXX. */
void archive_clean(const char *dir);

/* Appends "NAME: reason" for an errno; every kind of "full" is "no space left on the device". */
void archive_explain(struct buf *why, const char *name, int code);

#endif
