/*
 * archive: ZIP files through libzip (see archive.h).
 *
 * Runs on the delivery thread. libzip does its work in zip_close: it reads every source, compresses
 * and writes to a temporary file of its own beside the target, which it renames; so until
 * archive_finish has returned, the name of the ZIP is not there. Nothing is ever unpacked here.
 */
#include "archive.h"

#include "files.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#define UNIX_MODE      (0100644u << 16) /* -rw-r--r--, as ZIP keeps it */
#define FIRST_TIME_S   315532800        /* 1980-01-01: a ZIP knows nothing older */
#define PROGRESS_STEPS 100
#define TEMPORARY      ".tmp"
#define RANDOM_PART    7 /* ".XXXXXX" */

struct archive {
    zip_t *zip;
    char *dir, *name, *path, *temporary;
    int64_t mtime_s;
    struct archive_stream *stream; /* the last one added */
    const struct archive_watch *watch;
    bool stopped;
    struct buf failure; /* the first mistake; empty if there is none */
};

struct archive_source {
    zip_t *zip;
};

static bool is_full(int code)
{
    return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

void archive_explain(struct buf *why, const char *name, int code)
{
    buf_printf(why, "%s: %s", name, is_full(code) ? "no space left on the device" : strerror(code));
}

/* Keeps the first mistake. */
static void fail_zip(struct archive *a, zip_error_t *error)
{
    if (a->failure.len > 0)
        return;
    if (a->stopped)
        buf_adds(&a->failure, "stopped");
    else if (a->stream && a->stream->failure)
        buf_adds(&a->failure, a->stream->failure);
    else if (is_full(zip_error_code_system(error)))
        archive_explain(&a->failure, a->name, ENOSPC);
    else
        buf_printf(&a->failure, "%s: %s", a->name, zip_error_strerror(error));
}

static void fail_errno(struct archive *a)
{
    if (a->failure.len == 0)
        archive_explain(&a->failure, a->name, errno);
}

/* ---- cleaning ---- */

/* ".tmp" ends the name, or has only libzip's random part behind it. */
static bool is_temporary(const char *name)
{
    size_t len = strlen(name), left;
    const char *end = strstr(name, TEMPORARY);

    if (!end)
        return false;
    left = len - (size_t)(end - name) - strlen(TEMPORARY);
    return left == 0 || (left == RANDOM_PART && name[len - RANDOM_PART] == '.');
}

/* Of all ZIPs, or of one. */
static void clean(const char *dir, const char *zip)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        if (is_temporary(entry->d_name) && (!zip || strncmp(entry->d_name, zip, strlen(zip)) == 0))
            (void)unlinkat(dirfd(d), entry->d_name, 0);
    }
    if (d)
        closedir(d);
}

void archive_clean(const char *dir)
{
    clean(dir, NULL);
}

/* ---- adding ---- */

struct archive *archive_new(const char *dir, const char *name, int64_t mtime_s)
{
    struct archive *a = xcalloc(1, sizeof *a);
    struct buf temporary;
    int code = 0;

    a->dir = xstrdup(dir);
    a->name = xstrdup(name);
    a->path = files_join(dir, name);
    a->mtime_s = mtime_s < FIRST_TIME_S ? FIRST_TIME_S : mtime_s;
    buf_init(&a->failure, BUF_UNLIMITED);
    buf_init(&temporary, BUF_UNLIMITED);
    buf_printf(&temporary, "%s" TEMPORARY, a->path);
    a->temporary = buf_detach(&temporary, NULL);
    a->zip = zip_open(a->temporary, ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (!a->zip) {
        zip_error_t error;

        zip_error_init_with_code(&error, code);
        fail_zip(a, &error);
        zip_error_fini(&error);
    }
    return a;
}

/* Takes the source. */
static void add_source(struct archive *a, const char *name, zip_source_t *source, uint32_t level)
{
    zip_int64_t at = source ? zip_file_add(a->zip, name, source, ZIP_FL_ENC_UTF_8) : -1;

    if (at < 0)
        zip_source_free(source);
    if (at < 0 || zip_file_set_mtime(a->zip, (zip_uint64_t)at, a->mtime_s, 0) != 0 ||
        zip_set_file_compression(a->zip, (zip_uint64_t)at, ZIP_CM_DEFLATE, level) != 0 ||
        zip_file_set_external_attributes(a->zip, (zip_uint64_t)at, 0, ZIP_OPSYS_UNIX, UNIX_MODE))
        fail_zip(a, zip_get_error(a->zip));
}

void archive_add(struct archive *a, const char *name, const struct buf *data)
{
    assert(buf_ok(data));
    if (a->failure.len == 0)
        add_source(a, name, zip_source_buffer(a->zip, data->data, data->len, 0), ARCHIVE_LEVEL);
}

static zip_int64_t tell_error(void *data, zip_uint64_t len)
{
    zip_error_t error;
    zip_int64_t result;

    zip_error_init(&error);
    zip_error_set(&error, ZIP_ER_READ, EIO);
    result = zip_error_to_data(&error, data, len);
    zip_error_fini(&error);
    return result;
}

/* What libzip asks of a stream. The size stays unknown until the content has been read. */
static zip_int64_t on_stream(void *ctx, void *data, zip_uint64_t len, zip_source_cmd_t command)
{
    struct archive_stream *stream = ctx;

    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                              ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
                                              -1);
    case ZIP_SOURCE_OPEN:
        return stream->begin(stream->ctx);
    case ZIP_SOURCE_READ:
        return stream->read(stream->ctx, data, len);
    case ZIP_SOURCE_CLOSE:
        return stream->end(stream->ctx);
    case ZIP_SOURCE_STAT:
        zip_stat_init(data);
        return sizeof(struct zip_stat);
    case ZIP_SOURCE_ERROR:
        return tell_error(data, len);
    default:
        return 0;
    }
}

void archive_add_stream(struct archive *a, const char *name, struct archive_stream *stream)
{
    a->stream = stream;
    if (a->failure.len == 0)
        add_source(a, name, zip_source_function(a->zip, on_stream, stream), ARCHIVE_STREAM_LEVEL);
}

void archive_copy(struct archive *a, const char *name, struct archive_source *from)
{
    zip_int64_t at = zip_name_locate(from->zip, name, 0);

    if (a->failure.len > 0)
        return;
    if (at < 0)
        buf_printf(&a->failure, "%s is missing in what is to be copied", name);
    else
        add_source(a, name,
                   zip_source_zip(a->zip, from->zip, (zip_uint64_t)at, ZIP_FL_COMPRESSED, 0, -1),
                   ARCHIVE_STREAM_LEVEL);
}

/* ---- writing ---- */

static void on_progress(zip_t *zip, double fraction, void *ctx)
{
    struct archive *a = ctx;

    (void)zip;
    if (!a->stopped)
        a->stopped = !a->watch->progress(a->watch->ctx, fraction);
}

static int is_cancelled(zip_t *zip, void *ctx)
{
    (void)zip;
    return ((struct archive *)ctx)->stopped;
}

static void write_zip(struct archive *a)
{
    if (a->watch) {
        zip_register_progress_callback_with_state(a->zip, 1.0 / PROGRESS_STEPS, on_progress, NULL,
                                                  a);
        zip_register_cancel_callback_with_state(a->zip, is_cancelled, NULL, a);
    }
    if (zip_close(a->zip) == 0)
        a->zip = NULL;
    else
        fail_zip(a, zip_get_error(a->zip));
}

static void put_in_place(struct archive *a)
{
    if (chmod(a->temporary, 0600) != 0 || files_sync(a->temporary) != 0 ||
        rename(a->temporary, a->path) != 0 || files_sync_dir(a->dir) != 0)
        fail_errno(a);
}

int archive_finish(struct archive *a, const struct archive_watch *watch, struct buf *why)
{
    int result;

    a->watch = watch;
    if (a->failure.len == 0)
        write_zip(a);
    if (a->failure.len == 0)
        put_in_place(a);
    if (a->zip)
        zip_discard(a->zip);
    result = a->failure.len == 0 ? 0 : -1;
    if (result != 0) {
        buf_adds(why, a->failure.data);
        clean(a->dir, a->name);
    }
    buf_release(&a->failure);
    free(a->dir);
    free(a->name);
    free(a->path);
    free(a->temporary);
    free(a);
    return result;
}

/* ---- reading ---- */

struct archive_source *archive_source_open(const char *dir, const char *name, struct buf *why)
{
    struct archive_source *s = xcalloc(1, sizeof *s);
    char *path = files_join(dir, name);
    zip_error_t error;
    int code = 0;

    s->zip = zip_open(path, ZIP_RDONLY, &code);
    free(path);
    if (s->zip)
        return s;
    zip_error_init_with_code(&error, code);
    buf_printf(why, "%s: %s", name, zip_error_strerror(&error));
    zip_error_fini(&error);
    free(s);
    return NULL;
}

void archive_source_close(struct archive_source *s)
{
    if (s)
        zip_discard(s->zip);
    free(s);
}
