/*
 * check: the findings (see check.h). On the thread of the command; it shares nothing with the
 * server but the disk. No finding names a person, and settings that may hold a password are masked.
 */
#include "check.h"

#include "content.h"
#include "db_check.h"
#include "files.h"
#include "head.h"
#include "minisign.h"
#include "pepper.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define SNAPSHOT_S   50                        /* beside a server */
#define INTACT_BYTES (2 * INT64_C(1073741824)) /* as above; what is read in well under a minute */
#define BACKUP_OLD_S 86400
#define LEAST_BYTES  (256 * INT64_C(1048576)) /* of free space */
#define MEGABYTE     1000000

enum level { OK, WARNING, ERROR };

struct checking {
    const struct config *config;
    const struct control_sink *sink;
    bool beside_server;
    bool error;     /* one was found */
    char *database; /* DIR/petition.db */
    int64_t bytes;  /* of the database */
    bool closed;    /* the petition is */
    bool has_opening;
    struct opening_entry opening; /* entry 0 */
};

static void find(struct checking *c, enum level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void find(struct checking *c, enum level level, const char *format, ...)
{
    static const char *const words[] = {[OK] = "ok", [WARNING] = "warning", [ERROR] = "error"};
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    if (control_printf(c->sink, 'O', "%-8s %s\n", words[level], text) != 0 || level == ERROR)
        c->error = true;
    free(text);
}

/* ---- configuration and content */

static void check_config(struct checking *c)
{
    struct buf text;

    buf_init(&text, BUF_UNLIMITED);
    config_print(&text, c->config);
    control_printf(c->sink, 'O', "%s\n", text.data);
    buf_release(&text);
}

static void check_content(struct checking *c)
{
    struct content *content;
    struct buf err;

    buf_init(&err, BUF_UNLIMITED);
    content = content_open(c->config->public_dir, &err);
    if (content)
        find(c, OK, "%s: public content is whole", c->config->public_dir);
    else
        find(c, ERROR, "%s", err.data);
    if (content)
        content_close(content);
    buf_release(&err);
}

/* ---- keys */

/* What others than the owner may do with a path; false if it is not there. */
static bool permissions(const char *path, mode_t *others)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return false;
    *others = st.st_mode & 077;
    return true;
}

/* A key was read, or not for the reason `why`. */
static void find_key(struct checking *c, const char *path, const char *why)
{
    mode_t others = 0;

    if (why)
        find(c, ERROR, "%s %s", path, why);
    else if (permissions(path, &others) && others)
        find(c, WARNING, "%s can be read by others: chmod 600", path);
    else
        find(c, OK, "%s is there and right", path);
}

/* Does the database extend what has been published? */
static void check_head(struct checking *c, struct note_key *key)
{
    int64_t size;
    struct buf err;
    struct db *db;

    buf_init(&err, BUF_UNLIMITED);
    db = db_open(c->database, DB_READER, &err);
    if (!db || db_snapshot_begin(db) < 0 ||
        head_check(c->config->data_dir, key, db, &size, &err) != 0)
        find(c, ERROR, "%s", err.data);
    else if (size == 0)
        find(c, WARNING, "there is no log.head: nothing has been published here");
    else
        find(c, OK, "log.head: the %" PRId64 " published entries are those of the database", size);
    db_close(db);
    buf_release(&err);
}

static void check_log_key(struct checking *c, const char *path)
{
    const char *why = NULL;
    struct note_key *key = note_key_open(path, &why);

    if (key)
        why = !c->has_opening || strcmp(note_key_verifier(key)->name, c->opening.origin) == 0
                  ? NULL
                  : "is not the key of this log: its name is not the origin in entry 0";
    find_key(c, path, why);
    if (c->has_opening && !why)
        check_head(c, key);
    if (key)
        note_key_close(key);
}

static void check_minisign(struct checking *c, const char *path)
{
    const char *why = NULL;
    struct minisign *key = minisign_open(path, &why);

    if (key)
        minisign_close(key);
    find_key(c, path, key ? NULL : why);
}

/* Of a closed petition none may be left. */
static void check_no_pepper(struct checking *c, const char *path)
{
    if (pepper_is_gone(path))
        find(c, OK, "%s is not there any more, as the petition is closed", path);
    else
        find(c, ERROR, "%s is still there, and the petition is closed: destroy it, and every copy",
             path);
}

static void check_pepper(struct checking *c, const char *own)
{
    char *path = pepper_path(c->config);
    uint8_t pepper[PEPPER_LEN];
    const char *why = NULL;

    if (c->closed) {
        check_no_pepper(c, own);
        if (strcmp(path, own) != 0)
            check_no_pepper(c, path);
    } else {
        if (pepper_read(c->config, pepper, &why) == 0)
            why = NULL;
        sodium_memzero(pepper, sizeof pepper);
        find_key(c, path, why);
    }
    free(path);
}

static void check_organiser(struct checking *c, const char *path)
{
    if (access(path, F_OK) == 0)
        find(c, WARNING,
             "%s is on this machine: it opens what signers typed, and the server never needs it",
             path);
    else
        find(c, OK, "the organisers' secret key is not in this directory");
}

static void check_keys(struct checking *c)
{
    static const struct {
        const char *name;
        void (*check)(struct checking *c, const char *path);
    } keys[] = {{"log.key", check_log_key},
                {"minisign.key", check_minisign},
                {"pepper.key", check_pepper},
                {"organiser.key", check_organiser}};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char *path = files_join(c->config->data_dir, keys[i].name);

        keys[i].check(c, path);
        free(path);
    }
}

static void check_dir(struct checking *c)
{
    const char *dir = c->config->data_dir;
    mode_t others = 0;

    if (!permissions(dir, &others))
        find(c, ERROR, "%s: %s", dir, strerror(errno));
    else if (others)
        find(c, WARNING, "%s is open to others: chmod 700", dir);
    else
        find(c, OK, "%s belongs to its owner alone", dir);
}

/* ---- the database */

static void read_opening(struct checking *c, struct db *db)
{
    struct buf body;

    buf_init(&body, BUF_UNLIMITED);
    c->has_opening = db_log_entry(db, 0, &body) == DB_OK &&
                     entry_parse_open(&c->opening, body.data, body.len) == 0;
    c->closed = db_close_index(db) > 0;
    buf_release(&body);
}

static void check_claim(struct checking *c, struct db *db, enum db_claim claim)
{
    static const enum level levels[] = {
        [DB_HOLDS] = OK, [DB_FAILS] = ERROR, [DB_UNFINISHED] = WARNING};
    enum db_verdict verdict = DB_FAILS;
    struct buf line;

    buf_init(&line, BUF_UNLIMITED);
    if (c->beside_server && claim == DB_CLAIM_INTACT && c->bytes > INTACT_BYTES)
        verdict = DB_UNFINISHED;
    else if (db_snapshot_begin(db) < 0)
        buf_adds(&line, "cannot be read");
    else {
        verdict = db_check(db, claim, c->beside_server ? SNAPSHOT_S : 0, &line);
        db_snapshot_end(db);
    }
    if (verdict == DB_UNFINISHED) {
        buf_clear(&line);
        buf_adds(&line, claim == DB_CLAIM_INTACT
                            ? "is too large for the integrity check while the server runs"
                            : "is too large for a recount while the server runs");
        buf_adds(&line, ": check it when it is stopped, or restore a backup elsewhere");
    }
    find(c, levels[verdict], "%s %s", c->database, line.data);
    buf_release(&line);
}

static void check_backup(struct checking *c, struct db *db)
{
    int64_t at_s, hours;
    int result = db_audit_newest(db, "backup", &at_s);

    if (result != DB_OK) {
        find(c, WARNING, "there is no backup yet (petition backup FILE)");
        return;
    }
    hours = (time(NULL) - at_s) / 3600;
    find(c, time(NULL) - at_s > BACKUP_OLD_S ? WARNING : OK,
         "the last backup is %" PRId64 " hour%s old", hours, hours == 1 ? "" : "s");
}

static void check_database(struct checking *c)
{
    struct db *db;
    struct stat st;
    struct buf err;

    buf_init(&err, BUF_UNLIMITED);
    if (stat(c->database, &st) == 0)
        c->bytes = st.st_size;
    db = db_open(c->database, DB_READER, &err);
    if (!db) {
        find(c, ERROR, "%s", err.data);
    } else {
        read_opening(c, db);
        for (int claim = 0; claim < DB_CLAIM__COUNT; claim++)
            check_claim(c, db, (enum db_claim)claim);
        check_backup(c, db);
    }
    db_close(db);
    buf_release(&err);
}

static void check_room(struct checking *c)
{
    struct statvfs disk;
    int64_t room;

    if (statvfs(c->config->data_dir, &disk) != 0) {
        find(c, ERROR, "%s: %s", c->config->data_dir, strerror(errno));
        return;
    }
    room = (int64_t)(disk.f_bavail * disk.f_frsize);
    if (room < LEAST_BYTES)
        find(c, ERROR, "the disk has %" PRId64 " MB left", room / MEGABYTE);
    else if (room < LEAST_BYTES + c->bytes)
        find(c, WARNING, "the disk has %" PRId64 " MB left: not enough for a backup",
             room / MEGABYTE);
    else
        find(c, OK, "the disk has %" PRId64 " MB left", room / MEGABYTE);
}

int check_run(const struct config *config, bool beside_server, const struct control_sink *sink)
{
    struct checking c = {.config = config, .sink = sink, .beside_server = beside_server};

    c.database = files_join(config->data_dir, "petition.db");
    check_config(&c);
    check_dir(&c);
    check_database(&c);
    check_keys(&c);
    check_content(&c);
    check_room(&c);
    free(c.database);
    return c.error ? 1 : 0;
}
