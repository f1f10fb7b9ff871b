/*
 * files: durable small files, key files, the directory lock (see files.h).
 *
 * Any thread may call it. A temporary file is named after its target with ".tmp"; two processes
 * never write the same target, because the directory lock keeps a second one out.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX_BYTES 4096
#define COPY_CHUNK_BYTES   (64 * 1024 * 1024)

char *files_join(const char *dir, const char *name)
{
    struct buf path;

    buf_init(&path, BUF_UNLIMITED);
    buf_printf(&path, "%s/%s", dir, name);
    return buf_detach(&path, NULL);
}

int files_make_dir(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

/* Closes fd, keeping the errno of what went wrong before. */
static int close_with(int fd, int result)
{
    int saved = errno;

    if (close(fd) != 0 && result == 0)
        return -1;
    errno = saved;
    return result;
}

static int sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

    return fd < 0 ? -1 : close_with(fd, fsync(fd));
}

int files_sync_dir(const char *path)
{
    return sync_path(path, O_RDONLY | O_DIRECTORY);
}

int files_sync(const char *path)
{
    return sync_path(path, O_RDONLY);
}

int files_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t put = write(fd, p, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        p += put;
        len -= (size_t)put;
    }
    return 0;
}

int files_sync_parent(const char *path)
{
    char *dir = xstrdup(path), *slash = strrchr(dir, '/');
    int result;

    if (slash)
        *slash = '\0';
    result = files_sync_dir(slash ? (slash == dir ? "/" : dir) : ".");
    free(dir);
    return result;
}

struct bytes {
    const void *data;
    size_t len;
};

static int write_bytes(int fd, void *ctx)
{
    const struct bytes *b = ctx;

    return files_write_all(fd, b->data, b->len);
}

/* Copies from the current offset of the descriptor in ctx to its end, inside of the kernel. */
static int write_copy(int fd, void *ctx)
{
    const int *from = ctx;
    ssize_t got;

    do
        got = sendfile(fd, *from, NULL, COPY_CHUNK_BYTES);
    while (got > 0 || (got < 0 && errno == EINTR));
    return got == 0 ? 0 : -1;
}

static int write_temporary(const char *path, int (*fill)(int fd, void *ctx), void *ctx)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return -1;
    return close_with(fd, fill(fd, ctx) == 0 && fsync(fd) == 0 ? 0 : -1);
}

/* What "durable" means: beside the target, flushed, renamed, and the directory flushed. */
static int replace_with(const char *path, int (*fill)(int fd, void *ctx), void *ctx)
{
    struct buf temporary;
    int saved, result;

    buf_init(&temporary, BUF_UNLIMITED);
    buf_printf(&temporary, "%s.tmp", path);
    result = write_temporary(temporary.data, fill, ctx) == 0 && rename(temporary.data, path) == 0 &&
                     files_sync_parent(path) == 0
                 ? 0
                 : -1;
    saved = errno;
    if (result != 0)
        unlink(temporary.data);
    buf_release(&temporary);
    errno = saved;
    return result;
}

int files_replace(const char *path, const void *data, size_t len)
{
    struct bytes bytes = {data, len};

    return replace_with(path, write_bytes, &bytes);
}

int files_copy(const char *from, const char *to)
{
    int fd = open(from, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -1 : close_with(fd, replace_with(to, write_copy, &fd));
}

int files_create(const char *path, const void *data, size_t len)
{
    if (access(path, F_OK) == 0) {
        errno = EEXIST;
        return -1;
    }
    return files_replace(path, data, len);
}

int files_read_key(const char *path, const char *label, uint8_t *key, size_t len, const char **why)
{
    size_t label_len = strlen(label);
    struct buf text;
    int result = -1;

    buf_init(&text, KEY_FILE_MAX_BYTES);
    if (buf_read_file(&text, path) != 0) {
        *why = errno == ENOENT ? "is missing" : "cannot be read";
        goto out;
    }
    while (text.len > 0 && strchr("\r\n ", text.data[text.len - 1]))
        text.data[--text.len] = '\0';
    *why = "is not a key of the right kind";
    if (strncmp(text.data, label, label_len) != 0 || text.data[label_len] != ' ')
        goto out;
    result = base64_decode(key, len, text.data + label_len + 1);
out:
    buf_wipe(&text);
    return result;
}

int files_create_key(const char *path, const char *label, const uint8_t *key, size_t len)
{
    struct buf text;
    int result;

    buf_init(&text, KEY_FILE_MAX_BYTES);
    buf_printf(&text, "%s ", label);
    buf_base64(&text, key, len);
    buf_addc(&text, '\n');
    result = files_create(path, text.data, text.len);
    buf_wipe(&text);
    return result;
}

int files_lock_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
        return close_with(fd, -1);
    return fd;
}
