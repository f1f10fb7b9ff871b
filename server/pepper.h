/*
 * pepper: the file that the key of all tags is read from, and its end.
 *
 * It is pepper_file or, without that setting, DIR/pepper.key. A closed petition has none: the file
 * is overwritten, synced and unlinked, DIR/pepper.key too if there is one beside pepper_file. What
 * an interrupted destruction left is destroyed at the next start. What a disk or a file system
 * keeps of overwritten blocks, and copies elsewhere, are beyond this program.
 */
#ifndef PEPPER_H
#define PEPPER_H

#include "config.h"
#include "identity.h"

/* Which file it is; the caller frees it. */
char *pepper_path(const struct config *config) __attribute__((returns_nonnull));
/* 0, or -1 with a plain-words reason in *why (a constant). */
int pepper_read(const struct config *config, uint8_t pepper[PEPPER_LEN], const char **why)
    __attribute__((warn_unused_result));

/* Nothing is at the path, or nothing but zeros. */
bool pepper_is_gone(const char *path);
/* Destroys every file of it. Calls left() for each that could not be erased, with the reason. */
typedef void pepper_left(void *ctx, const char *path, const char *why);
void pepper_destroy(const struct config *config, pepper_left *left, void *ctx);

#endif
