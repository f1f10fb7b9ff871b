/*
 * restore: a data directory out of a backup (backup.h).
 *
 * Everything is unpacked into DIR.restoring beside the target, verified there, synced, and renamed
 * in one step; so DIR is whole or not there. A restore that is killed leaves DIR.restoring, which
 * the next one for DIR empties first. DIR must not exist, or be empty; a link to one that is empty
 * is followed.
 *
 * The stages are apart: unpack, verify, publish. A backup behind the head of the public log needs
 * the missing entries: they are applied (catch_up.h) between verify and publish, to the unpacked
 * database, and the log's checkpoint becomes DIR/log.head.
 */
#ifndef RESTORE_H
#define RESTORE_H

#include "backup.h"

struct restore {
    const char *file;
    const char *dir;
    const uint8_t *secret; /* SEAL_KEY_LEN: the organisers' */
    const char *log;       /* as published: a ZIP, a folder, an address; NULL: as in the backup */
};

struct restored {
    struct backup_manifest manifest;
    bool closed;    /* the petition is: there is no pepper to put back */
    bool published; /* its log was, when the backup was made */
    bool logged;    /* a log was given; then, as in catch_up.h: */
    int64_t appended, ended, lost;
};

/* 0 and what it was; or -1 with a line in err, and nothing left behind. Runs alone in its process.
 */
int restore_run(const struct restore *r, struct restored *out, struct buf *err)
    __attribute__((warn_unused_result));
/* Some lines for the operator, the last without its end: what was restored, and what is left to do.
 */
void restore_tell(struct buf *out, const char *dir, const struct restored *r);

#endif
