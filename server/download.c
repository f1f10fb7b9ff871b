/*
 * download: the bundles of a delivery, as answers (see download.h). Any thread.
 */
#include "download.h"

#include "log.h"
#include "zip_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- one */

int download_status(const struct delivery_config *config, const struct delivery_row *row,
                    int addressee)
{
    struct buf path;
    bool is_there;
    int status;

    buf_init(&path, BUF_UNLIMITED);
    is_there = delivery_find_bundle(&path, config, row->id, addressee);
    if (!row->completed_s)
        status = is_there ? 200 : 404;
    else
        status = is_there && bundle_is_nameless(path.data, row->id, addressee) ? 200 : 410;
    buf_release(&path);
    return status;
}

void download_bundle(struct http_request *rq, const struct delivery_config *config, int64_t id,
                     int addressee)
{
    struct buf path;

    buf_init(&path, BUF_UNLIMITED);
    if (delivery_find_bundle(&path, config, id, addressee))
        http_reply_file(rq, path.data, "application/zip", strrchr(path.data, '/') + 1);
    else
        http_fail(rq, 404);
    buf_release(&path);
}

/* ---- all */

/* The bundles of a delivery, one after the other. */
struct all {
    struct zip_stream *zip;
    int64_t id; /* of the delivery */
    struct {
        char *path;
        int64_t bytes;
    } files[ADDRESSEE_COUNT];
    size_t count;
    int fd;      /* of the file that is read, or -1 */
    size_t open; /* which one that is */
};

static int open_file(struct all *a, size_t i)
{
    struct stat st;

    if (a->fd >= 0)
        close(a->fd);
    a->open = i;
    a->fd = open(a->files[i].path, O_RDONLY | O_CLOEXEC);
    return a->fd >= 0 && fstat(a->fd, &st) == 0 && st.st_size == a->files[i].bytes ? 0 : -1;
}

static int read_file(void *ctx, size_t member, void *out, size_t len)
{
    struct all *a = ctx;
    char *to = out;
    ssize_t got = 1;

    if ((a->fd < 0 || a->open != member) && open_file(a, member) != 0)
        got = -1;
    while (len > 0 && got > 0) {
        got = read(a->fd, to, len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0) {
            to += got;
            len -= (size_t)got;
        }
    }
    return got > 0 ? 0 : -1;
}

static int next_piece(void *ctx, struct buf *piece)
{
    struct all *a = ctx;
    int more = zip_stream_next(a->zip, piece);

    if (more < 0)
        log_error("delivery %" PRId64 ": a download of all files broke off at file %zu", a->id,
                  a->open + 1);
    return more;
}

static void release_all(void *ctx)
{
    struct all *a = ctx;

    if (a->fd >= 0)
        close(a->fd);
    for (size_t i = 0; i < a->count; i++)
        free(a->files[i].path);
    zip_stream_free(a->zip);
    free(a);
}

/* Takes the path. */
static void add_file(struct all *a, struct buf *path)
{
    struct stat st;

    if (stat(path->data, &st) != 0)
        return;
    zip_stream_add(a->zip, strrchr(path->data, '/') + 1, (uint64_t)st.st_size);
    a->files[a->count].bytes = st.st_size;
    a->files[a->count++].path = buf_detach(path, NULL);
}

int download_all_status(const struct delivery_config *config, const struct delivery_row *row)
{
    int status = 404;

    for (int addressee = 1; addressee <= ADDRESSEE_COUNT && status != 200; addressee++)
        status = download_status(config, row, addressee);
    return status;
}

void download_all(struct http_request *rq, const struct delivery_config *config,
                  const struct delivery_row *row)
{
    struct all *a = xcalloc(1, sizeof *a);
    struct http_stream stream = {next_piece, release_all, a, 0};
    char name[40];

    a->zip = zip_stream_new(row->frozen_s, read_file, a);
    a->id = row->id;
    a->fd = -1;
    for (int addressee = 1; addressee <= ADDRESSEE_COUNT; addressee++) {
        struct buf path;

        buf_init(&path, BUF_UNLIMITED);
        if (download_status(config, row, addressee) == 200 &&
            delivery_find_bundle(&path, config, row->id, addressee))
            add_file(a, &path);
        buf_release(&path);
    }
    if (a->count == 0) {
        release_all(a);
        http_fail(rq, 404);
        return;
    }
    stream.bytes = zip_stream_bytes(a->zip);
    snprintf(name, sizeof name, "delivery-%" PRId64 ".zip", row->id);
    http_reply_stream(rq, &stream, "application/zip", name);
}
