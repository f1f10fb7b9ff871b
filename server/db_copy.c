/*
 * db_copy: copying the database (see db_copy.h). On the writer's thread, but for the file itself.
 *
 * SQLite's backup interface reads through the pager of the source connection, and hands pages that
 * this connection changes later to the copy as well; a rollback makes it begin anew. The copy's
 * connection keeps no journal and syncs nothing: a copy that was interrupted is worth nothing.
 * The file is made under a name (SQLite opens by name) and loses it at once, while it is empty.
 */
#include "db_copy.h"

#include "db_internal.h"
#include "files.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define STEP_PAGES  128
#define SPARE_BYTES (64 * 1024 * 1024) /* that signing is to have all the same */
#define PAGE_BYTES  4096

struct db_copy {
    sqlite3 *target;
    sqlite3_backup *backup;
    int fd;
};

static const char pragmas[] = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                              "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -1024;";

/* An empty database without a name. */
static int open_target(struct db_copy *c, const char *dir, struct buf *err)
{
    char *path = files_join(dir, "backup.tmp");
    int result = -1;

    unlink(path); /* of a process that was killed in here; it is empty */
    c->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (c->fd < 0)
        buf_printf(err, "%s: %s", path, strerror(errno));
    else if (sqlite3_open_v2(path, &c->target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
                 SQLITE_OK ||
             sqlite3_exec(c->target, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        buf_printf(err, "%s: %s", path, sqlite3_errmsg(c->target));
    else
        result = 0;
    if (c->fd >= 0)
        unlink(path);
    free(path);
    return result;
}

/* A full disk would stop signing; so there is room for all of the copy, or it is not begun. */
static int check_room(const struct db_copy *c, const char *dir, struct buf *err)
{
    int64_t needed = (int64_t)sqlite3_backup_pagecount(c->backup) * PAGE_BYTES + SPARE_BYTES;
    struct statvfs disk;

    if (statvfs(dir, &disk) != 0) {
        buf_printf(err, "%s: %s", dir, strerror(errno));
        return -1;
    }
    if ((int64_t)(disk.f_bavail * disk.f_frsize) >= needed)
        return 0;
    buf_printf(err, "%s: a copy of the database needs %" PRId64 " MB of free space", dir,
               needed / 1000000);
    return -1;
}

struct db_copy *db_copy_begin(struct db *db, const char *dir, struct buf *err)
{
    struct db_copy *c = xcalloc(1, sizeof *c);

    c->fd = -1;
    if (open_target(c, dir, err) != 0)
        goto fail;
    c->backup = sqlite3_backup_init(c->target, "main", db_handle(db), "main");
    if (!c->backup || sqlite3_backup_step(c->backup, 0) != SQLITE_OK) {
        buf_printf(err, "the database cannot be copied: %s", sqlite3_errmsg(c->target));
        goto fail;
    }
    if (check_room(c, dir, err) == 0)
        return c;
fail:
    db_copy_end(c);
    db_copy_close(c);
    return NULL;
}

int db_copy_step(struct db_copy *c)
{
    int code = sqlite3_backup_step(c->backup, STEP_PAGES);

    if (code == SQLITE_OK)
        return 1;
    if (code == SQLITE_DONE)
        return DB_OK;
    log_error("database: the copy: %s (%d)", sqlite3_errstr(code), code);
    return (code & 0xff) == SQLITE_FULL ? DB_FULL : DB_BROKEN;
}

void db_copy_end(struct db_copy *c)
{
    sqlite3_backup_finish(c->backup);
    c->backup = NULL;
    if (sqlite3_close(c->target) != SQLITE_OK)
        log_error("database: the copy cannot be closed");
    c->target = NULL;
}

int db_copy_fd(const struct db_copy *c)
{
    return c->fd;
}

void db_copy_close(struct db_copy *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c);
}
