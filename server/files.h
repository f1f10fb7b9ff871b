/*
 * files: durable small files, key files and directories.
 *
 * "Durable" means: written to a temporary name beside the target, fsynced, renamed, and the
 * directory fsynced; a reader sees the old content or the new, never a part.
 */
#ifndef FILES_H
#define FILES_H

#include "buf.h"

/* Directory and name joined with '/'; the caller frees it. */
char *files_join(const char *dir, const char *name) __attribute__((returns_nonnull));

/* Writes all bytes, however many calls it takes. 0, or -1 with errno. */
int files_write_all(int fd, const void *data, size_t len) __attribute__((warn_unused_result));

/* Creates the directory with mode 0700 unless it exists. 0, or -1 with errno. */
int files_make_dir(const char *path) __attribute__((warn_unused_result));

/* Replaces the file durably, mode 0600. 0, or -1 with errno. */
int files_replace(const char *path, const void *data, size_t len)
    __attribute__((warn_unused_result));
/* As files_replace, but fails with EEXIST if the file is there: for keys. */
int files_create(const char *path, const void *data, size_t len)
    __attribute__((warn_unused_result));

/* Copies a file durably, however long it is; the copy has mode 0600. 0, or -1 with errno. */
int files_copy(const char *from, const char *to) __attribute__((warn_unused_result));

/* Flushes an open file, or a directory's entries, to the disk. 0, or -1 with errno. */
int files_sync_dir(const char *path) __attribute__((warn_unused_result));
int files_sync(const char *path) __attribute__((warn_unused_result));
/* The directory that holds the path. */
int files_sync_parent(const char *path) __attribute__((warn_unused_result));

/* A key file of this project is one line: `LABEL BASE64`. Reads exactly `len` key bytes.
 * 0, or -1 with a plain-words reason in *why (a constant). */
int files_read_key(const char *path, const char *label, uint8_t *key, size_t len, const char **why)
    __attribute__((warn_unused_result));
/* Writes a new key file (0600); never replaces one. 0, or -1 with errno. */
int files_create_key(const char *path, const char *label, const uint8_t *key, size_t len)
    __attribute__((warn_unused_result));

/* Takes the exclusive lock of a data directory (flock on the directory itself, so that nothing is
 * left behind). Returns the descriptor that holds it until closed, or -1 with errno;
 * EWOULDBLOCK: another process has it. */
int files_lock_dir(const char *dir) __attribute__((warn_unused_result));

#endif
