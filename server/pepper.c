/*
 * pepper: reading and destroying the pepper's file (see pepper.h).
 *
 * Runs on any thread. A file named by pepper_file is only destroyed if it is a pepper, or the zeros
 * that an interrupted destruction left: the setting may be wrong.
 */
#include "pepper.h"

#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES 4096

static char *own_path(const struct config *config)
{
    return files_join(config->data_dir, "pepper.key");
}

char *pepper_path(const struct config *config)
{
    return *config->pepper_file ? xstrdup(config->pepper_file) : own_path(config);
}

int pepper_read(const struct config *config, uint8_t pepper[PEPPER_LEN], const char **why)
{
    char *path = pepper_path(config);
    int result = files_read_key(path, PEPPER_KEY_LABEL, pepper, PEPPER_LEN, why);

    free(path);
    return result;
}

/* ---- destroying */

bool pepper_is_gone(const char *path)
{
    struct buf text;
    bool gone;

    buf_init(&text, FILE_MAX_BYTES);
    if (buf_read_file(&text, path) == 0)
        gone = sodium_is_zero((const uint8_t *)text.data, text.len);
    else
        gone = errno == ENOENT;
    buf_wipe(&text);
    return gone;
}

static bool is_pepper(const char *path)
{
    uint8_t pepper[PEPPER_LEN];
    const char *why;
    bool found = files_read_key(path, PEPPER_KEY_LABEL, pepper, sizeof pepper, &why) == 0;

    sodium_memzero(pepper, sizeof pepper);
    return found;
}

/* Zeros over the whole file, on the disk before it returns. 0, or -1 with errno. */
static int overwrite(const char *path)
{
    static const char zeros[FILE_MAX_BYTES];
    int fd = open(path, O_WRONLY | O_CLOEXEC), result = -1, saved;
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && st.st_size <= (off_t)sizeof zeros &&
        files_write_all(fd, zeros, (size_t)st.st_size) == 0 && fsync(fd) == 0)
        result = 0;
    saved = errno;
    close(fd);
    errno = saved;
    return result;
}

/* NULL, or why it could not be done. Zeros that cannot be unlinked are as good as no file. */
static const char *destroy(const char *path, bool certain)
{
    if (pepper_is_gone(path)) {
        (void)unlink(path);
        return NULL;
    }
    if (!certain && !is_pepper(path))
        return "it is no pepper, or cannot be read";
    if (overwrite(path) != 0 || unlink(path) != 0 || files_sync_parent(path) != 0)
        return strerror(errno);
    return NULL;
}

void pepper_destroy(const struct config *config, pepper_left *left, void *ctx)
{
    char *paths[] = {own_path(config), pepper_path(config)};

    for (int i = 0; i < 2; i++) {
        const char *why = destroy(paths[i], i == 0);

        if (why)
            left(ctx, paths[i], why);
        free(paths[i]);
    }
}
