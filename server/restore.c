/*
 * restore: unpacking, verifying and publishing a backup (see restore.h). One thread, no server.
 *
 * What is verified: the file's own seal and sums; that it was sealed to the key entry 0 names; that
 * the keys belong to the log; that the database is a petition's, of a schema this program knows,
 * and that everything in it equals a recount (db_check.h). The act is then written into its audit
 * trail.
 */
#include "restore.h"

#include "catch_up.h"
#include "db_check.h"
#include "files.h"
#include "minisign.h"
#include "note.h"
#include "sha256.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define PIECE_BYTES    65536
#define MANIFEST_BYTES 65536
#define SPARE_BYTES    (64 * 1024 * 1024)

struct restoring {
    const struct restore *request;
    struct restored *out;
    struct buf *err;
    char *target; /* DIR without slashes at its end, and links followed */
    char *draft;  /* DIR.restoring */
    int target_lock, draft_lock;
    bool drafted; /* the draft is ours */
};

static int complain(struct restoring *r, const char *what, const char *why)
{
    buf_printf(r->err, "%s %s", what, why);
    return -1;
}

static int complain_errno(struct restoring *r, const char *what)
{
    buf_printf(r->err, "%s: %s", what, strerror(errno));
    return -1;
}

/* ---- the two directories */

static bool is_entry(const char *name)
{
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool is_empty(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry = NULL;

    while (d && (entry = readdir(d)) && !is_entry(entry->d_name))
        ;
    if (d)
        closedir(d);
    return d && !entry;
}

/* The target must be new or empty, and nobody's. */
static int claim_target(struct restoring *r)
{
    char *database = files_join(r->target, "petition.db");
    int result = 0;

    r->target_lock = files_lock_dir(r->target);
    if (r->target_lock < 0 && errno == EWOULDBLOCK)
        result = complain(r, r->target, "is in use by another process");
    else if (r->target_lock < 0 && errno != ENOENT)
        result = complain_errno(r, r->target);
    else if (access(database, F_OK) == 0)
        result = complain(r, r->target, "has a petition.db already: restore into a new directory");
    else if (r->target_lock >= 0 && !is_empty(r->target))
        result = complain(r, r->target, "is not empty: restore into a new directory");
    free(database);
    return result;
}

static void empty_draft(const struct restoring *r)
{
    DIR *d = opendir(r->draft);
    struct dirent *entry;

    while (d && (entry = readdir(d)))
        if (is_entry(entry->d_name))
            unlinkat(dirfd(d), entry->d_name, 0);
    if (d)
        closedir(d);
}

static int make_draft(struct restoring *r)
{
    if (files_make_dir(r->draft) != 0)
        return complain_errno(r, r->draft);
    r->draft_lock = files_lock_dir(r->draft);
    if (r->draft_lock < 0 && errno == EWOULDBLOCK)
        return complain(r, r->draft, "is in use: another restore is at work");
    if (r->draft_lock < 0)
        return complain_errno(r, r->draft);
    r->drafted = true;
    empty_draft(r);
    return 0;
}

static void remove_draft(struct restoring *r)
{
    if (!r->drafted)
        return;
    empty_draft(r);
    rmdir(r->draft);
}

/* ---- unpacking */

static int check_room(struct restoring *r)
{
    uint64_t needed = SPARE_BYTES;
    struct statvfs disk;

    for (int i = 0; i < BACKUP__MEMBERS; i++)
        needed += r->out->manifest.members[i].bytes;
    if (statvfs(r->draft, &disk) != 0)
        return complain_errno(r, r->draft);
    if (disk.f_bavail * disk.f_frsize >= needed)
        return 0;
    buf_printf(r->err, "%s: restoring needs %" PRIu64 " MB of free space", r->target,
               needed / 1000000);
    return -1;
}

static int read_manifest(struct restoring *r, struct backup_reader *reader)
{
    char name[BACKUP_NAME_MAX + 1], piece[4096];
    const char *why = "has no manifest";
    struct buf json;
    uint64_t len;
    ssize_t got = -1;
    int result = -1;

    buf_init(&json, MANIFEST_BYTES);
    if (backup_next(reader, name, &len, &why) == 1 && strcmp(name, BACKUP_MANIFEST_NAME) == 0)
        while ((got = backup_read(reader, piece, sizeof piece, &why)) > 0)
            buf_add(&json, piece, (size_t)got);
    if (got == 0 && buf_ok(&json))
        result = backup_manifest_parse(&r->out->manifest, json.data, &why);
    buf_release(&json);
    if (result != 0)
        return complain(r, r->request->file, why);
    return check_room(r);
}

/* Writes the member to its file and compares it with the manifest. */
static int unpack_member(struct restoring *r, struct backup_reader *reader, int which, int fd)
{
    uint8_t piece[PIECE_BYTES], hash[HASH_LEN];
    struct sha256 state;
    const char *why = "is damaged: a member is not what the manifest says";
    ssize_t got;

    sha256_begin(&state);
    while ((got = backup_read(reader, piece, sizeof piece, &why)) > 0) {
        sha256_add(&state, piece, (size_t)got);
        if (files_write_all(fd, piece, (size_t)got) != 0)
            return complain_errno(r, r->draft);
    }
    sodium_memzero(piece, sizeof piece);
    sha256_end(&state, hash);
    if (got < 0 || memcmp(hash, r->out->manifest.members[which].sha256, HASH_LEN) != 0)
        return complain(r, r->request->file, why);
    return fsync(fd) == 0 ? 0 : complain_errno(r, r->draft);
}

static int unpack_to_file(struct restoring *r, struct backup_reader *reader, int which)
{
    char *path = files_join(r->draft, backup_member_names[which]);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), result;

    if (fd < 0)
        result = errno == EEXIST ? complain(r, r->request->file, "names a member twice")
                                 : complain_errno(r, path);
    else
        result = unpack_member(r, reader, which, fd);
    if (fd >= 0 && close(fd) != 0 && result == 0)
        result = complain_errno(r, path);
    free(path);
    return result;
}

/* The member of that name and length that the manifest announces; -1 if there is none. */
static int find_member(const struct backup_manifest *m, const char *name, uint64_t len)
{
    for (int i = 0; i < BACKUP__MEMBERS; i++)
        if (strcmp(backup_member_names[i], name) == 0)
            return m->members[i].present && m->members[i].bytes == len ? i : -1;
    return -1;
}

static int unpack_all(struct restoring *r, struct backup_reader *reader)
{
    char name[BACKUP_NAME_MAX + 1];
    const char *why = "holds what its manifest does not name";
    int next, missing = 0;
    uint64_t len;

    for (int i = 0; i < BACKUP__MEMBERS; i++)
        missing += r->out->manifest.members[i].present;
    while ((next = backup_next(reader, name, &len, &why)) == 1) {
        int which = find_member(&r->out->manifest, name, len);

        if (which < 0)
            return complain(r, r->request->file, why);
        if (unpack_to_file(r, reader, which) != 0)
            return -1;
        missing--;
    }
    if (next == 0 && missing == 0)
        return 0;
    return complain(r, r->request->file, next < 0 ? why : "lacks what its manifest names");
}

static int unpack(struct restoring *r)
{
    struct backup_reader *reader = NULL;
    const char *why;
    int fd = open(r->request->file, O_RDONLY | O_CLOEXEC), result;

    if (fd < 0)
        return complain_errno(r, r->request->file);
    reader = backup_reader_new(fd, r->request->secret, &why);
    if (!reader)
        result = complain(r, r->request->file, why);
    else
        result = read_manifest(r, reader) == 0 ? unpack_all(r, reader) : -1;
    if (reader)
        backup_reader_free(reader);
    close(fd);
    return result;
}

/* ---- verifying */

static int verify_log_key(struct restoring *r, const char *origin)
{
    char *path = files_join(r->draft, backup_member_names[BACKUP_LOG_KEY]);
    char name[NOTE_NAME_MAX + 1];
    const char *why;
    int result = note_key_name(path, name, &why);

    if (result != 0)
        buf_printf(r->err, "%s: its log.key %s", r->request->file, why);
    else if (strcmp(name, origin) != 0)
        result = complain(r, r->request->file, "has a log.key that is not the key of its log");
    free(path);
    return result;
}

static int verify_minisign_key(struct restoring *r)
{
    char *path = files_join(r->draft, backup_member_names[BACKUP_MINISIGN_KEY]);
    const char *why;
    struct minisign *key = minisign_open(path, &why);

    if (key)
        minisign_close(key);
    else
        buf_printf(r->err, "%s: its minisign.key %s", r->request->file, why);
    free(path);
    return key ? 0 : -1;
}

/* Entry 0 names the origin of the log key and the key this was sealed to. */
static int verify_opening(struct restoring *r, struct db *db)
{
    uint8_t public_key[SEAL_KEY_LEN];
    struct opening_entry opening = {.origin = ""};
    struct buf body;
    int result = -1;

    buf_init(&body, BUF_UNLIMITED);
    if (db_log_entry(db, 0, &body) != DB_OK || entry_parse_open(&opening, body.data, body.len) != 0)
        complain(r, r->request->file, "has a database without entry 0");
    else if (seal_public_key(public_key, r->request->secret) != 0 ||
             memcmp(public_key, opening.seal_key, SEAL_KEY_LEN) != 0)
        complain(r, r->request->file, "is sealed to another key than its log names");
    else if (strcmp(opening.origin, r->out->manifest.origin) != 0 ||
             db_log_size(db) != r->out->manifest.size)
        complain(r, r->request->file, "has a manifest that is not that of its database");
    else
        result = verify_log_key(r, opening.origin);
    buf_release(&body);
    return result;
}

static int verify_claims(struct restoring *r, struct db *db)
{
    struct buf line;
    int result = 0;

    buf_init(&line, BUF_UNLIMITED);
    for (int claim = 0; claim < DB_CLAIM__COUNT && result == 0; claim++) {
        buf_clear(&line);
        if (db_check(db, (enum db_claim)claim, 0, &line) != DB_HOLDS) {
            buf_printf(r->err, "%s: its database %s", r->request->file, line.data);
            result = -1;
        }
    }
    buf_release(&line);
    return result;
}

/* Appends what the log has and the backup does not, and takes the log's checkpoint as published. */
static int catch_up(struct restoring *r, struct db *db)
{
    char *key_path = files_join(r->draft, backup_member_names[BACKUP_LOG_KEY]);
    char *head_path = files_join(r->draft, "log.head");
    struct catch_up c = {.log = r->request->log};
    struct note_key *key;
    struct buf sentence;
    const char *why;
    int result = -1;

    buf_init(&c.note, NOTE_MAX_BYTES);
    buf_init(&sentence, BUF_UNLIMITED);
    key = note_key_open(key_path, &why);
    if (!key) {
        buf_printf(r->err, "%s: its log.key %s", r->request->file, why);
        goto out;
    }
    c.verifier = note_key_verifier(key);
    if (catch_up_run(&c, db, &sentence) != 0)
        buf_printf(r->err, "%s: %s", r->request->log, sentence.data);
    else if (files_replace(head_path, c.note.data, c.note.len) != 0)
        complain_errno(r, head_path);
    else
        result = 0;
    r->out->logged = true;
    r->out->appended = c.appended;
    r->out->ended = c.ended;
    r->out->lost = c.lost;
    note_key_close(key);
out:
    buf_release(&sentence);
    buf_release(&c.note);
    free(head_path);
    free(key_path);
    return result;
}

/* Whoever has logged out since the backup, or is no organiser any more, is not to be in again. */
static int end_sessions_and_write_audit(struct restoring *r, struct db *db)
{
    char detail[64];
    const struct audit_act act = {time(NULL), "operator", "restore", detail};
    int result = db_begin(db);

    snprintf(detail, sizeof detail, "log size %" PRId64, r->out->manifest.size);
    if (result == DB_OK)
        result = db_session_expire(db, INT64_MAX, INT64_MAX);
    if (result == DB_OK)
        result = db_audit(db, &act);
    if (result == DB_OK)
        result = db_commit(db);
    return result == DB_OK ? 0 : complain(r, r->draft, "cannot be written");
}

static int verify(struct restoring *r)
{
    char *path = files_join(r->draft, backup_member_names[BACKUP_DATABASE]);
    struct db *db = NULL;
    struct buf why, note;
    int64_t size;
    int result = -1;

    buf_init(&why, BUF_UNLIMITED);
    buf_init(&note, BUF_UNLIMITED);
    if (verify_minisign_key(r) == 0) {
        db = db_open(path, DB_WRITER, &why);
        if (!db)
            buf_printf(r->err, "%s: its database cannot be opened: %s", r->request->file,
                       why.data +
                           (strncmp(why.data, path, strlen(path)) == 0 ? strlen(path) + 1 : 0));
        else if (verify_opening(r, db) == 0 && verify_claims(r, db) == 0 &&
                 (!r->request->log || (catch_up(r, db) == 0 && verify_claims(r, db) == 0)))
            result = end_sessions_and_write_audit(r, db);
        r->out->closed = db && db_close_index(db) > 0;
        r->out->published = db && db_checkpoint_last(db, &size, &note) == DB_OK;
    }
    db_close(db);
    buf_release(&why);
    buf_release(&note);
    free(path);
    return result;
}

/* ---- publishing */

static int publish(struct restoring *r)
{
    char *database = files_join(r->draft, backup_member_names[BACKUP_DATABASE]);
    int result = 0;

    if (files_sync(database) != 0 || files_sync_dir(r->draft) != 0)
        result = complain_errno(r, r->draft);
    else if (rename(r->draft, r->target) != 0) {
        if (errno == EBUSY || errno == EXDEV)
            result = complain(r, r->target, "is a mount point: restore into a new directory in it");
        else
            result = complain_errno(r, r->target);
    } else {
        r->drafted = false;
        if (files_sync_parent(r->target) != 0)
            result = complain_errno(r, r->target);
    }
    free(database);
    return result;
}

/* ---- all of it */

int restore_run(const struct restore *request, struct restored *out, struct buf *err)
{
    char *real = realpath(request->dir, NULL); /* NULL: it is still to be made */
    struct restoring r = {.request = request,
                          .out = out,
                          .err = err,
                          .target = real ? real : xstrdup(request->dir),
                          .target_lock = -1,
                          .draft_lock = -1};
    size_t len = strlen(r.target);
    struct buf draft;
    int result = -1;

    *out = (struct restored){0};
    while (len > 1 && r.target[len - 1] == '/')
        r.target[--len] = '\0';
    buf_init(&draft, BUF_UNLIMITED);
    buf_printf(&draft, "%s.restoring", r.target);
    r.draft = buf_detach(&draft, NULL);
    if (claim_target(&r) == 0 && make_draft(&r) == 0 && unpack(&r) == 0 && verify(&r) == 0)
        result = publish(&r);
    remove_draft(&r);
    if (r.draft_lock >= 0)
        close(r.draft_lock);
    if (r.target_lock >= 0)
        close(r.target_lock);
    free(r.target);
    free(r.draft);
    return result;
}

void restore_tell(struct buf *out, const char *dir, const struct restored *r)
{
    const struct backup_manifest *m = &r->manifest;
    int64_t minutes = (time(NULL) - m->at_s) / 60;

    buf_printf(out,
               "%s is restored: %s, %" PRId64 " log entries, from a backup made %" PRId64
               " d %" PRId64 " h %" PRId64 " min ago by version %s.\n"
               "%s",
               dir, m->origin, m->size, minutes / 1440, minutes / 60 % 24, minutes % 60, m->version,
               r->logged ? "" : "What was signed or withdrawn since then is not in it.\n");
    if (r->logged)
        buf_printf(out,
                   "Of the log %" PRId64 " entries were added: %" PRId64
                   " submissions that the backup had are withdrawn or removed, and %" PRId64
                   " are lost, which the log will say.\n",
                   r->appended, r->ended, r->lost);
    else if (r->published)
        buf_adds(out,
                 "If its public log went on after the backup, do not serve this: under the same "
                 "key it would publish another history, as everybody who checks the log will "
                 "see. Restore again, with --log and the log as it was last published.\n");
    buf_adds(out,
             "Organisers, passwords, one-time codes and tokens are those of the backup; whoever "
             "was logged in is logged out.\n");
    if (r->closed)
        buf_adds(out, "The petition is closed: it needs no pepper.\n");
    else
        buf_adds(out, "Put the pepper back from where you keep it (pepper.key, or pepper_file), "
                      "mode 0600, owned as the rest: it is in no backup, and until then `petition "
                      "serve` refuses to start. With another pepper, repeats would not be "
                      "recognised.\n");
    buf_adds(out, "Then `petition check`, and let nobody start the old directory again.");
}
