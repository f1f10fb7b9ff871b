/*
 * test_restore: what restore refuses, though it is sealed as a backup should be: each with one line
 * and nothing left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "minisign.h"
#include "note.h"
#include "restore.h"
#include "support.h"

#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>

#define ORIGIN "petition.example"

static uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN];
static char folder[FOLDER_BYTES], source[64], file[64], target[64], draft[64];

/* What goes into a crafted backup: the members as files of `source`, and how to spoil it. */
struct craft {
    const char *sql;        /* run on the database before */
    const char *database;   /* replaces it: the bytes of a text */
    const char *log_origin; /* of log.key; NULL: the right one */
    const char *minisign;   /* replaces minisign.key */
    const char *extra;      /* name of a member that no manifest names */
    int twice, missing;     /* a member that comes twice, or not at all; 0: none */
    const char *origin;     /* of the manifest; NULL: the right one */
    int64_t size;           /* added to the manifest's */
    bool other_seal;        /* entry 0 names another key */
    bool wrong_sum;         /* of log.key */
    bool manifest_last;
};
static const struct craft whole = {.sql = NULL};

static int set_up(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return -1;
    seal_key_pair(public_key, secret);
    make_folder(folder);
    snprintf(source, sizeof source, "%s/source", folder);
    snprintf(file, sizeof file, "%s/backup", folder);
    snprintf(target, sizeof target, "%s/target", folder);
    snprintf(draft, sizeof draft, "%s/target.restoring", folder);
    return mkdir(source, 0700);
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

static char *member_path(int member)
{
    return files_join(source, backup_member_names[member]);
}

/* A database with some submissions whose entry 0 names our key. */
static void make_database(const char *path, const struct craft *how)
{
    uint8_t texts[3][HASH_LEN] = {{1}, {2}, {3}}, addressees[HASH_LEN] = {4}, other[32] = {5};
    sqlite3 *raw = NULL;
    struct buf text;
    struct db *db;

    buf_init(&text, BUF_UNLIMITED);
    assert_int_equal(db_create(path, &text), 0);
    db = open_database(path, DB_WRITER);
    entry_open(&text, ORIGIN, texts, addressees, how->other_seal ? other : public_key);
    assert_int_equal(db_begin(db), DB_OK);
    assert_int_equal(db_start_log(db, &text), DB_OK);
    for (uint64_t i = 0; i < 10; i++)
        assert_true(sign_as(db, i) > 0);
    assert_int_equal(db_commit(db), DB_OK);
    db_close(db);
    buf_release(&text);
    if (!how->sql)
        return;
    assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, how->sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(raw), SQLITE_OK);
}

static void make_members(const struct craft *how)
{
    char *database = member_path(BACKUP_DATABASE), *log = member_path(BACKUP_LOG_KEY);
    char *minisign = member_path(BACKUP_MINISIGN_KEY), *config = member_path(BACKUP_CONFIG);

    unlink(database);
    unlink(log);
    unlink(minisign);
    make_database(database, how);
    if (how->database)
        assert_int_equal(files_replace(database, how->database, strlen(how->database)), 0);
    assert_int_equal(note_key_create(log, how->log_origin ? how->log_origin : ORIGIN), 0);
    assert_int_equal(minisign_create(minisign), 0);
    if (how->minisign)
        assert_int_equal(files_replace(minisign, how->minisign, strlen(how->minisign)), 0);
    assert_int_equal(files_replace(config, "count_step = 7\n", 15), 0);
    free(database);
    free(log);
    free(minisign);
    free(config);
}

static int to_file(void *ctx, const void *data, size_t len)
{
    return files_write_all(*(int *)ctx, data, len);
}

static void write_member(struct backup_writer *w, const char *name, const struct buf *bytes)
{
    assert_int_equal(backup_member(w, name, bytes->len), 0);
    assert_int_equal(backup_write(w, bytes->data, bytes->len), 0);
}

static void craft(const struct craft *how)
{
    struct backup_manifest m = {.version = "0.1.0", .size = 11 + how->size, .at_s = 1508760000};
    struct buf members[BACKUP__MEMBERS], json;
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct backup_writer *w = backup_writer_new(to_file, &fd);

    make_members(how);
    snprintf(m.origin, sizeof m.origin, "%s", how->origin ? how->origin : ORIGIN);
    for (int i = 0; i < BACKUP__MEMBERS; i++) {
        char *path = member_path(i);

        read_whole(&members[i], path);
        m.members[i].present = true;
        m.members[i].bytes = members[i].len;
        crypto_hash_sha256(m.members[i].sha256, (uint8_t *)members[i].data, members[i].len);
        free(path);
    }
    m.members[BACKUP_LOG_KEY].sha256[0] ^= how->wrong_sum;
    buf_init(&json, BUF_UNLIMITED);
    backup_manifest_json(&json, &m);
    assert_int_equal(backup_begin(w, public_key), 0);
    if (!how->manifest_last)
        write_member(w, BACKUP_MANIFEST_NAME, &json);
    for (int i = 0; i < BACKUP__MEMBERS; i++) {
        if (i == 0 || i != how->missing)
            write_member(w, backup_member_names[i], &members[i]);
        if (i > 0 && i == how->twice)
            write_member(w, backup_member_names[i], &members[i]);
        buf_release(&members[i]);
    }
    if (how->extra)
        write_member(w, how->extra, &json);
    if (how->manifest_last)
        write_member(w, BACKUP_MANIFEST_NAME, &json);
    assert_int_equal(backup_finish(w), 0);
    backup_writer_free(w);
    buf_release(&json);
    close(fd);
}

static int restore(struct buf *err)
{
    const struct restore request = {file, target, secret, NULL};
    struct restored restored;

    buf_init(err, BUF_UNLIMITED);
    return restore_run(&request, &restored, err);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void assert_refused(const struct craft *how, const char *words)
{
    struct buf err;

    craft(how);
    assert_int_equal(restore(&err), -1);
    assert_one_line(&err);
    if (!strstr(err.data, words))
        fail_msg("\"%s\" does not say \"%s\"", err.data, words);
    assert_false(is_there(target));
    assert_false(is_there(draft));
    buf_release(&err);
}

static void a_whole_one_is_restored_with_all_its_files(void **state)
{
    struct buf err, was, is;

    (void)state;
    craft(&whole);
    if (restore(&err) != 0)
        fail_msg("%s", err.data);
    for (int i = 1; i < BACKUP__MEMBERS; i++) { /* the database has a new act in its trail */
        char *from = member_path(i), *to = files_join(target, backup_member_names[i]);
        struct stat st;

        read_whole(&was, from);
        read_whole(&is, to);
        assert_int_equal(was.len, is.len);
        assert_memory_equal(was.data, is.data, is.len);
        assert_int_equal(stat(to, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        buf_release(&was);
        buf_release(&is);
        free(from);
        free(to);
    }
    assert_false(is_there(draft));
    remove_folder(target);
    buf_release(&err);
}

static void what_does_not_fit_together_is_refused(void **state)
{
    static const struct {
        const char *words;
        struct craft how;
    } table[] = {
        {"schema version 99", {.sql = "PRAGMA user_version = 99"}},
        {"is not a petition database", {.sql = "PRAGMA application_id = 7"}},
        {"its database cannot be opened", {.database = "this is no database at all"}},
        {"live submissions", {.sql = "UPDATE totals SET live = live + 1"}},
        {"tally", {.sql = "UPDATE tally SET day = day + 1"}},
        {"1 sign entries without", {.sql = "DELETE FROM submission WHERE idx = 3"}},
        {"gaps",
         {.sql = "DROP TRIGGER log_entry_no_delete; DELETE FROM submission WHERE idx = 3;"
                 "DELETE FROM log_entry WHERE idx = 3"}},
        {"without entry 0",
         {.sql = "DROP TRIGGER log_entry_no_update;"
                 "UPDATE log_entry SET body = x'7b7d' WHERE idx = 0"}},
        {"not the key of its log", {.log_origin = "another.example"}},
        {"its minisign.key", {.minisign = "untrusted comment: x\nAAAA\n"}},
        {"sealed to another key than its log names", {.other_seal = true}},
        {"not that of its database", {.origin = "another.example"}},
        {"not that of its database", {.size = 1}},
        {"what the manifest says", {.wrong_sum = true}},
        {"does not name", {.extra = "pepper.key"}},
        {"does not name", {.extra = "../escape"}},
        {"twice", {.twice = BACKUP_CONFIG}},
        {"lacks", {.missing = BACKUP_CONFIG}},
        {"has no manifest", {.manifest_last = true}},
    };
    char escape[80];

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_refused(&table[i].how, table[i].words);
    snprintf(escape, sizeof escape, "%s/escape", folder);
    assert_false(is_there(escape));
}

static void a_directory_that_is_in_use_or_has_something_is_left_alone(void **state)
{
    char path[96];
    struct buf err;
    int lock;

    (void)state;
    craft(&whole);
    assert_int_equal(mkdir(target, 0700), 0);
    lock = files_lock_dir(target);
    assert_int_equal(restore(&err), -1);
    assert_non_null(strstr(err.data, "in use by another process"));
    buf_release(&err);
    close(lock);

    snprintf(path, sizeof path, "%s/notes", target);
    assert_int_equal(files_create(path, "x", 1), 0);
    assert_int_equal(restore(&err), -1);
    assert_non_null(strstr(err.data, "not empty"));
    buf_release(&err);
    assert_true(is_there(path));

    unlink(path);
    snprintf(path, sizeof path, "%s/petition.db", target);
    assert_int_equal(files_create(path, "x", 1), 0);
    assert_int_equal(restore(&err), -1);
    assert_non_null(strstr(err.data, "has a petition.db already"));
    buf_release(&err);

    unlink(path);
    assert_int_equal(restore(&err), 0); /* an empty one is as good as none */
    assert_true(is_there(path));
    buf_release(&err);
    remove_folder(target);
}

static void one_restore_at_a_time_and_leftovers_are_removed(void **state)
{
    char path[96];
    struct buf err;
    int lock;

    (void)state;
    craft(&whole);
    assert_int_equal(mkdir(draft, 0700), 0);
    snprintf(path, sizeof path, "%s/petition.db-wal", draft);
    assert_int_equal(files_create(path, "x", 1), 0);
    lock = files_lock_dir(draft);
    assert_int_equal(restore(&err), -1);
    assert_non_null(strstr(err.data, "another restore"));
    assert_true(is_there(path));
    buf_release(&err);
    close(lock);
    assert_int_equal(restore(&err), 0);
    assert_false(is_there(draft));
    snprintf(path, sizeof path, "%s/petition.db-wal", target);
    assert_false(is_there(path));
    buf_release(&err);
    remove_folder(target);
}

static void the_file_must_be_there(void **state)
{
    struct buf err;

    (void)state;
    unlink(file);
    assert_int_equal(restore(&err), -1);
    assert_one_line(&err);
    assert_false(is_there(draft));
    buf_release(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_one_is_restored_with_all_its_files),
        cmocka_unit_test(what_does_not_fit_together_is_refused),
        cmocka_unit_test(a_directory_that_is_in_use_or_has_something_is_left_alone),
        cmocka_unit_test(one_restore_at_a_time_and_leftovers_are_removed),
        cmocka_unit_test(the_file_must_be_there),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
