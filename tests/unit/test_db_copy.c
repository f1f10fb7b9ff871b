/*
 * test_db_copy: a copy of the database is one state of it, whatever is written meanwhile; and the
 * checks that recount a database find what does not belong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "database_fixture.h"
#include "db_internal.h"

#include "db_check.h"
#include "db_copy.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

#define PEOPLE 6000 /* so that a copy takes several steps */

static void sign_many(uint64_t from, uint64_t to)
{
    begin();
    for (uint64_t i = from; i < to; i++)
        assert_true(sign_as(db, i) > 0);
    commit();
}

static struct db_copy *begin_copy(void)
{
    struct db_copy *c;
    struct buf err;

    buf_init(&err, BUF_UNLIMITED);
    c = db_copy_begin(db, folder, &err);
    if (!c)
        print_error("%s\n", err.data);
    assert_non_null(c);
    buf_release(&err);
    return c;
}

static int files_in_folder(void)
{
    DIR *d = opendir(folder);
    int count = 0;

    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

/* A copy of many rows, one step done; *files is what was in the folder before. */
static struct db_copy *begun_copy(int *files)
{
    struct db_copy *c;

    sign_many(0, PEOPLE);
    *files = files_in_folder();
    c = begin_copy();
    assert_int_equal(db_copy_step(c), 1);
    return c;
}

/* Runs the copy to its end; the number of steps. */
static int finish_copy(struct db_copy *c)
{
    int steps = 1, result;

    while ((result = db_copy_step(c)) == 1)
        steps++;
    assert_int_equal(result, DB_OK);
    db_copy_end(c);
    return steps;
}

/* Gives the copy a name, closes it and opens it as a database. */
static struct db *open_copy(struct db_copy *c, char copy_path[64])
{
    char from[64];
    struct buf bytes;

    snprintf(copy_path, 64, "%s/copy.db", folder);
    snprintf(from, sizeof from, "/proc/self/fd/%d", db_copy_fd(c));
    read_whole(&bytes, from);
    db_copy_close(c);
    assert_int_equal(files_replace(copy_path, bytes.data, bytes.len), 0);
    buf_release(&bytes);
    return open_database(copy_path, DB_WRITER);
}

static void assert_verdict(struct db *of, enum db_claim claim, enum db_verdict expected,
                           const char *words)
{
    struct buf line;

    buf_init(&line, BUF_UNLIMITED);
    assert_int_equal(db_check(of, claim, 0, &line), expected);
    assert_one_line(&line);
    if (words && !strstr(line.data, words))
        fail_msg("\"%s\" does not say \"%s\"", line.data, words);
    buf_release(&line);
}

static void assert_all_hold(struct db *of)
{
    for (int claim = 0; claim < DB_CLAIM__COUNT; claim++)
        assert_verdict(of, (enum db_claim)claim, DB_HOLDS, NULL);
}

/* ---- copies */

static void a_copy_is_whole_and_has_no_name(void **state)
{
    char copy_path[64];
    struct db_copy *c;
    struct db *copy;
    int files;

    (void)state;
    c = begun_copy(&files);
    assert_int_equal(files_in_folder(), files);
    assert_true(finish_copy(c) > 1);
    assert_int_equal(files_in_folder(), files);
    copy = open_copy(c, copy_path);
    assert_int_equal(db_log_size(copy), PEOPLE + 1);
    assert_all_hold(copy);
    db_close(copy);
}

static void what_is_written_meanwhile_is_in_the_copy(void **state)
{
    char copy_path[64];
    struct db_copy *c;
    struct db *copy;
    uint64_t next = PEOPLE;
    int result;

    (void)state;
    sign_many(0, PEOPLE);
    c = begin_copy();
    do {
        result = db_copy_step(c);
        sign_many(next, next + 5); /* new rows, and changes all over the index of tags */
        next += 5;
        begin();
        assert_int_equal(db_submission_erase(db, (int64_t)(next - PEOPLE), VOID__MAX), DB_OK);
        commit();
        if (next % 10 == 0)
            assert_int_equal(db_checkpoint(db, true), DB_OK);
    } while (result == 1);
    assert_int_equal(result, DB_OK);
    db_copy_end(c);
    copy = open_copy(c, copy_path);
    /* The state of the last step, before the last five. */
    assert_int_equal(db_log_size(copy), (int64_t)next - 5 + 1);
    assert_verdict(copy, DB_CLAIM_INTACT, DB_HOLDS, NULL);
    assert_verdict(copy, DB_CLAIM_ENTRIES, DB_HOLDS, NULL);
    assert_int_equal(live_of(copy), live_of(db) - 5 + 1);
    db_close(copy);
}

static void a_rollback_meanwhile_leaves_nothing_in_the_copy(void **state)
{
    char copy_path[64];
    struct db_copy *c;
    struct db *copy;

    (void)state;
    sign_many(0, PEOPLE);
    c = begin_copy();
    assert_int_equal(db_copy_step(c), 1);
    begin();
    for (uint64_t i = 0; i < 20000; i++) /* more than the page cache holds */
        assert_true(sign_as(db, PEOPLE + i) > 0);
    db_rollback(db);
    finish_copy(c);
    copy = open_copy(c, copy_path);
    assert_int_equal(db_log_size(copy), PEOPLE + 1);
    assert_all_hold(copy);
    db_close(copy);
}

static void what_was_erased_meanwhile_is_not_in_the_copy(void **state)
{
    uint8_t tag[TAG_LEN];
    char copy_path[64];
    struct db_copy *c;
    struct db *copy;
    struct buf bytes;
    int64_t index;

    (void)state;
    begin();
    index = sign_as(db, 123456789);
    commit();
    sign_many(0, PEOPLE);
    fill(tag, sizeof tag, 123456789);
    c = begin_copy();
    assert_int_equal(db_copy_step(c), 1);
    begin();
    assert_int_equal(db_submission_erase(db, index, VOID__MAX), DB_OK);
    commit();
    finish_copy(c);
    copy = open_copy(c, copy_path);
    db_close(copy);
    read_whole(&bytes, copy_path);
    assert_true(bytes.len > 100000);
    assert_false(contains(&bytes, tag, sizeof tag));
    buf_release(&bytes);
}

static void a_copy_that_is_given_up_leaves_nothing(void **state)
{
    struct db_copy *c;
    int files;

    (void)state;
    c = begun_copy(&files);
    db_copy_end(c);
    db_copy_close(c);
    assert_int_equal(files_in_folder(), files);
    sign_many(PEOPLE, PEOPLE + 1);
    assert_int_equal(live_of(db), PEOPLE + 1);
}

static void a_name_left_by_a_killed_process_is_removed(void **state)
{
    char stale[64];
    struct db_copy *c;

    (void)state;
    snprintf(stale, sizeof stale, "%s/backup.tmp", folder);
    assert_int_equal(files_create(stale, "x", 1), 0);
    c = begin_copy();
    assert_int_equal(access(stale, F_OK), -1);
    finish_copy(c);
    db_copy_close(c);
}

/* ---- checks; each with the damage that it must find */

static void all_claims_hold_of_a_used_database(void **state)
{
    const struct audit_act act = {1508760000, "operator", "backup", "\"quoted\""};
    struct buf entry;
    int64_t index;

    (void)state;
    sign_many(0, 280);
    begin();
    assert_int_equal(db_signers_write_all(db), DB_OK);
    commit();
    sign_many(50, 80); /* repeats, of which only the writer knows */
    buf_init(&entry, BUF_UNLIMITED);
    begin();
    assert_int_equal(db_submission_erase(db, 3, VOID__MAX), DB_OK);
    entry_wd(&entry, 3, (const uint8_t[HASH_LEN]){1});
    assert_int_equal(db_log_append(db, &entry, &index), DB_OK);
    buf_clear(&entry);
    assert_int_equal(db_submission_erase(db, 60, VOID_FRAUD), DB_OK);
    entry_void(&entry, 60, VOID_FRAUD);
    assert_int_equal(db_log_append(db, &entry, &index), DB_OK);
    assert_int_equal(db_audit(db, &act), DB_OK);
    assert_int_equal(db_audit(db, &act), DB_OK);
    commit();
    buf_release(&entry);
    assert_all_hold(db);
}

static void damage_is_found_by_its_claim(void **state)
{
    static const struct {
        const char *sql;
        enum db_claim claim;
        const char *words;
    } damages[] = {
        {"DROP TRIGGER log_entry_no_delete; PRAGMA foreign_keys = OFF;"
         "DELETE FROM log_entry WHERE idx = 5",
         DB_CLAIM_LOG, "gaps"},
        {"DROP TRIGGER log_entry_no_update; UPDATE log_entry SET body = x'78' WHERE idx = 0",
         DB_CLAIM_LOG, "gaps"},
        {"DROP TRIGGER log_entry_no_update; UPDATE log_entry SET body = CAST(body || 'x' AS BLOB) "
         "WHERE idx = 5",
         DB_CLAIM_ENTRIES, "1 submissions without"},
        {"DELETE FROM submission WHERE idx = 5", DB_CLAIM_ENTRIES, "1 sign entries without"},
        {"DELETE FROM submission WHERE idx = 5", DB_CLAIM_FIGURES, "live submissions"},
        {"UPDATE totals SET live = live + 1", DB_CLAIM_FIGURES, "live submissions"},
        {"UPDATE totals SET signatures = signatures - 1", DB_CLAIM_FIGURES, "by contact"},
        {"UPDATE totals SET confirmed = confirmed + 1", DB_CLAIM_FIGURES, "by contact"},
        {"UPDATE signer_row SET head = zeroblob(16) WHERE head = (SELECT max(head) FROM "
         "signer_row)",
         DB_CLAIM_FIGURES, "by contact"},
        {"UPDATE submission SET tag = zeroblob(32) WHERE idx = 5", DB_CLAIM_FIGURES, "by contact"},
        {"UPDATE submission SET country = 'FR' WHERE idx = 5", DB_CLAIM_FIGURES, "tally"},
        {"UPDATE tally SET day = day + 1", DB_CLAIM_FIGURES, "tally"},
        {"UPDATE tally SET n = n + 1", DB_CLAIM_FIGURES, "tally"},
        {"UPDATE totals SET withdrawn = withdrawn + 1", DB_CLAIM_FIGURES, "withdrawn"},
        {"UPDATE totals SET void_fraud = void_fraud - 1, void_test = void_test + 1",
         DB_CLAIM_FIGURES, "void entries"},
        {"DROP TRIGGER log_entry_no_update; UPDATE log_entry SET body = CAST(replace(CAST(body AS "
         "TEXT), 'c', 'd') AS BLOB) WHERE idx = 5",
         DB_CLAIM_TILES, "has a tile 0/0 that is not of the log's entries"},
        {"DROP TRIGGER log_tile_no_update; UPDATE log_tile SET hashes = zeroblob(8192)",
         DB_CLAIM_TILES, "has a tile 0/0"},
        {"DROP TRIGGER log_tile_no_delete; DELETE FROM log_tile", DB_CLAIM_TILES, "has a tile 0/0"},
        {"INSERT INTO log_tile VALUES(1, 0, zeroblob(8192))", DB_CLAIM_TILES, "that it has not"},
        {"INSERT INTO log_checkpoint VALUES(7, 'petition.example\n7\n"
         "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n')",
         DB_CLAIM_TILES, "has a checkpoint of size 7"},
        {"INSERT INTO log_checkpoint VALUES(700, 'x')", DB_CLAIM_TILES, "that it has not"},
        {"DROP TRIGGER audit_no_update; UPDATE audit SET who = 'x' WHERE id = 1", DB_CLAIM_AUDIT,
         "row 1"},
        {"DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE id = 1", DB_CLAIM_AUDIT, "row 1"},
    };

    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        all_claims_hold_of_a_used_database(state);
        if (try_sql(damages[i].sql) != SQLITE_OK)
            fail_msg("%s: %s", damages[i].sql, sqlite3_errmsg(raw));
        reopen_damaged();
        assert_verdict(db, damages[i].claim, DB_FAILS, damages[i].words);
        close_all(state);
        open_new(state);
    }
}

static void a_damaged_page_is_found(void **state)
{
    char junk[4096];
    int fd;

    (void)state;
    sign_many(0, PEOPLE);
    assert_int_equal(db_checkpoint(db, true), DB_OK);
    memset(junk, 0x5a, sizeof junk);
    fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, junk, sizeof junk, 4096 * 40), sizeof junk);
    close(fd);
    reopen_damaged();
    assert_verdict(db, DB_CLAIM_INTACT, DB_FAILS, "fails SQLite's integrity check: ");
}

static void a_check_without_time_is_unfinished(void **state)
{
    struct buf line;
    enum db_verdict verdict = DB_HOLDS;

    (void)state;
    sign_many(0, 60000);
    buf_init(&line, BUF_UNLIMITED);
    /* A second's limit ends at the next full second of the clock: one of many tries is late. */
    for (int i = 0; i < 2000 && verdict == DB_HOLDS; i++) {
        buf_clear(&line);
        verdict = db_check(db, DB_CLAIM_FIGURES, 1, &line);
    }
    assert_int_equal(verdict, DB_UNFINISHED);
    buf_clear(&line);
    assert_int_equal(db_check(db, DB_CLAIM_FIGURES, 0, &line), DB_HOLDS);
    buf_release(&line);
}

static void the_last_act_of_a_kind_is_found(void **state)
{
    const struct audit_act acts[] = {{100, "operator", "backup", ""},
                                     {200, "operator", "backup", ""},
                                     {300, "operator", "other", ""}};
    int64_t at_s = 0;

    (void)state;
    assert_int_equal(db_audit_newest(db, "backup", &at_s), DB_NO_ROW);
    begin();
    for (int i = 0; i < 3; i++)
        assert_int_equal(db_audit(db, &acts[i]), DB_OK);
    commit();
    assert_int_equal(db_audit_newest(db, "backup", &at_s), DB_OK);
    assert_int_equal(at_s, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_copy_is_whole_and_has_no_name),
        CLAIM(what_is_written_meanwhile_is_in_the_copy),
        CLAIM(a_rollback_meanwhile_leaves_nothing_in_the_copy),
        CLAIM(what_was_erased_meanwhile_is_not_in_the_copy),
        CLAIM(a_copy_that_is_given_up_leaves_nothing),
        CLAIM(a_name_left_by_a_killed_process_is_removed),
        CLAIM(all_claims_hold_of_a_used_database),
        CLAIM(damage_is_found_by_its_claim),
        CLAIM(a_damaged_page_is_found),
        CLAIM(a_check_without_time_is_unfinished),
        CLAIM(the_last_act_of_a_kind_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
