/*
 * backup: the format of a backup file, and its manifest.
 *
 *   "petition-backup/v1\n"
 *   crypto_box_seal(key), 80 bytes: 32 random bytes for the organisers' public key (entry 0)
 *   the header of a libsodium secretstream (XChaCha20-Poly1305) under that key, 24 bytes
 *   chunks of the stream: 65,536 bytes of content each, 17 more encrypted; the first line is the
 *   associated data of each. The last one carries TAG_FINAL, may be shorter or empty, and is the
 *   end of the file. So a missing end and a changed byte anywhere are found.
 *
 * Content: members, each as u8 length of the name, name, le64 length, bytes; a zero byte ends it.
 * The first is manifest.json, which names all others:
 *
 *   {"format":1,"origin":"…","size":N,"version":"…","date":"YYYY-MM-DDThh:mm:ssZ",
 *    "members":[{"name":"petition.db","bytes":N,"sha256":"hex"},…]}
 *
 * `size` is the size of the log. Members are those of backup_member_names and no others: the pepper
 * and the organisers' secret key are in no backup. Members a reader of this version does not know
 * are refused; a format that adds some counts `format` and the first line up.
 *
 * No threads, no clock; the caller keeps the keys.
 */
#ifndef BACKUP_H
#define BACKUP_H

#include "entry.h"
#include "seal.h"

#include <sys/types.h>

#define BACKUP_NAME_MAX 255

enum backup_member {
    BACKUP_DATABASE,
    BACKUP_LOG_KEY,
    BACKUP_MINISIGN_KEY,
    BACKUP_CONFIG, /* may be missing: then all settings come from elsewhere */
    BACKUP__MEMBERS
};
extern const char *const backup_member_names[BACKUP__MEMBERS];
#define BACKUP_MANIFEST_NAME "manifest.json"

struct backup_manifest {
    char origin[256];
    char version[32]; /* of the program that made it */
    int64_t size;     /* of the log */
    int64_t at_s;     /* when the copy was complete, Unix time */
    struct {
        bool present;
        uint64_t bytes;
        uint8_t sha256[HASH_LEN];
    } members[BACKUP__MEMBERS];
};
void backup_manifest_json(struct buf *out, const struct backup_manifest *m);
/* 0, or -1 with a reason in *why (a constant that follows the file's name). */
int backup_manifest_parse(struct backup_manifest *m, const char *json, const char **why)
    __attribute__((warn_unused_result));

/* ---- writing */

struct backup_writer;
/* Takes the bytes of the file, in order; 0, or -1 to stop. */
typedef int backup_output(void *ctx, const void *data, size_t len);

struct backup_writer *backup_writer_new(backup_output *write, void *ctx);
void backup_writer_free(struct backup_writer *w);
/* These write nothing any more once one of them has failed. 0 or -1; -1 of the first one, too, if
 * the key is no usable point. */
int backup_begin(struct backup_writer *w, const uint8_t seal_key[SEAL_KEY_LEN])
    __attribute__((warn_unused_result));
/* Exactly `len` bytes of backup_write must follow. */
int backup_member(struct backup_writer *w, const char *name, uint64_t len)
    __attribute__((warn_unused_result));
int backup_write(struct backup_writer *w, const void *data, size_t len)
    __attribute__((warn_unused_result));
int backup_finish(struct backup_writer *w) __attribute__((warn_unused_result));

/* ---- reading */

struct backup_reader;
/* Reads from the descriptor, which stays the caller's. NULL with a reason in *why. */
struct backup_reader *backup_reader_new(int fd, const uint8_t secret[SEAL_KEY_LEN],
                                        const char **why);
void backup_reader_free(struct backup_reader *r);
/* 1 with the next member, when the one before is read to its end; 0 at the end, which is the end of
 * the file, too; -1 with a reason in *why. */
int backup_next(struct backup_reader *r, char name[BACKUP_NAME_MAX + 1], uint64_t *len,
                const char **why) __attribute__((warn_unused_result));
/* Up to `cap` bytes of the member; 0 at its end; -1 with a reason in *why. What it gives is
 * genuine; that nothing is missing is known when backup_next has given 0. */
ssize_t backup_read(struct backup_reader *r, void *data, size_t cap, const char **why)
    __attribute__((warn_unused_result));

#endif
