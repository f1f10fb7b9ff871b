/*
 * test_db: what the database promises of its file and its log: what is not ours is refused, the
 * schema holds against any program, and entries stay as they were appended.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "database_fixture.h"
#include "db_internal.h"

#include <sodium.h>

/* ---- which files are opened */

static void assert_refused(const char *file, const char *reason)
{
    static const enum db_mode modes[] = {DB_WRITER, DB_READER};

    for (size_t i = 0; i < 2; i++) {
        struct buf err;

        buf_init(&err, BUF_UNLIMITED);
        assert_null(db_open(file, modes[i], &err));
        assert_one_line(&err);
        assert_non_null(strstr(err.data, file));
        assert_non_null(strstr(err.data, reason));
        buf_release(&err);
    }
}

static void a_missing_file_is_refused_and_not_made(void **state)
{
    char missing[64];

    (void)state;
    snprintf(missing, sizeof missing, "%s/missing.db", folder);
    assert_refused(missing, "No such file");
    assert_int_equal(access(missing, F_OK), -1);
}

static void a_foreign_application_id_is_refused(void **state)
{
    (void)state;
    assert_int_equal(try_sql("PRAGMA application_id = 1"), SQLITE_OK);
    assert_refused(path, "is not a petition database");
    assert_int_equal(try_sql("PRAGMA application_id = 1346720817"), SQLITE_OK);
    reopen();
}

static void a_newer_schema_is_refused_and_one_that_never_was(void **state)
{
    (void)state;
    assert_int_equal(try_sql("PRAGMA user_version = 7"), SQLITE_OK);
    assert_refused(path, "has schema version 7; this program knows 6");
    assert_int_equal(try_sql("PRAGMA user_version = 0"), SQLITE_OK);
    assert_refused(path, "has schema version 0; this program knows 6");
}

/* A file as version 1 of the program made it, with something in it. */
static void make_version_1(const char *file)
{
    static const char *const rows[] = {
        "INSERT INTO log_entry VALUES(0, CAST('open' AS BLOB)), (1, CAST('sign' AS BLOB)),"
        "(2, CAST('sign' AS BLOB)), (3, "
        "CAST('{\"v\":1,\"t\":\"wd\",\"i\":2,\"s\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        "\"}' AS BLOB))",
        "INSERT INTO totals VALUES(1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
        "INSERT INTO submission VALUES(1, zeroblob(32), 2, 0, 'KH', 17462, NULL, NULL, NULL)",
        "INSERT INTO signer VALUES(zeroblob(32), 1, 0)",
        "INSERT INTO organiser VALUES('sophal', '$argon2id$', 17462)",
        "INSERT INTO token VALUES(zeroblob(32), 'sophal', 17462)",
        "INSERT INTO delivery VALUES(1, 'sophal', 'queued', 5, NULL, NULL, NULL, NULL)",
    };
    struct buf schema;
    sqlite3 *old;

    read_whole(&schema, "tests/unit/schema-1.sql");
    assert_true(schema.len > 0);
    assert_int_equal(sqlite3_open(file, &old), SQLITE_OK);
    assert_int_equal(sqlite3_exec(old, schema.data, NULL, NULL, NULL), SQLITE_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(sqlite3_exec(old, rows[i], NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(old), SQLITE_OK);
    buf_release(&schema);
}

/* Tables and columns with all that is declared of them, as text. */
static void describe(struct buf *out, const char *file)
{
    static const char sql[] =
        "SELECT m.name || ' ' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' ||"
        " ifnull(c.dflt_value, '-') || ' ' || c.pk FROM sqlite_schema AS m,"
        " pragma_table_info(m.name) AS c ORDER BY 1";
    sqlite3_stmt *s = NULL;
    sqlite3 *handle;

    buf_init(out, BUF_UNLIMITED);
    assert_int_equal(sqlite3_open(file, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW)
        buf_printf(out, "%s\n", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void a_writer_brings_version_1_up_to_date_with_its_data(void **state)
{
    struct buf err, fresh, migrated;
    struct organiser_row who;
    enum void_why why = VOID_TEST;
    int64_t ended_at = 0, count = 0;
    bool live = false;
    char old[64];

    (void)state;
    snprintf(old, sizeof old, "%s/old.db", folder);
    make_version_1(old);
    buf_init(&err, BUF_UNLIMITED);
    assert_null(db_open(old, DB_READER, &err));
    assert_non_null(strstr(err.data, "has schema version 1"));
    buf_release(&err);
    for (int open = 0; open < 2; open++) {
        struct db *again = open_database(old, DB_WRITER);

        assert_int_equal(db_log_size(again), 4);
        assert_int_equal(db_submission_end(again, 1, &ended_at, &why), DB_NO_ROW);
        assert_int_equal(db_submission_end(again, 2, &ended_at, &why), DB_OK);
        assert_int_equal(ended_at, 3);
        assert_int_equal(why, VOID__MAX);
        assert_int_equal(db_submission_live(again, 1, &live), DB_OK);
        assert_true(live);
        assert_int_equal(db_signer_live(again, (const uint8_t[TAG_LEN]){0}, &count), DB_OK);
        assert_int_equal(count, 1);
        assert_int_equal(db_organiser_get(again, "sophal", &who), DB_OK);
        assert_int_equal(who.role, ROLE_OWNER);
        assert_false(who.has_totp);
        db_close(again);
    }
    describe(&fresh, path);
    describe(&migrated, old);
    assert_string_equal(migrated.data, fresh.data);
    buf_release(&fresh);
    buf_release(&migrated);
}

static void a_migration_that_fails_leaves_the_old_version(void **state)
{
    struct buf err;
    sqlite3 *handle;
    char old[64];

    (void)state;
    snprintf(old, sizeof old, "%s/old.db", folder);
    make_version_1(old);
    assert_int_equal(sqlite3_open(old, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "CREATE TABLE handover(x)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    buf_init(&err, BUF_UNLIMITED);
    assert_null(db_open(old, DB_WRITER, &err));
    assert_one_line(&err);
    assert_non_null(strstr(err.data, "cannot be brought from schema version 1 to 6"));
    buf_release(&err);
    describe(&err, old);
    assert_null(strstr(err.data, "paper_batch"));
    buf_release(&err);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    static const char garbage[5000] = "SQLite format 3, but not quite";
    char other[64];

    (void)state;
    snprintf(other, sizeof other, "%s/other.db", folder);
    assert_int_equal(files_replace(other, "", 0), 0);
    assert_refused(other, "is not a petition database");
    assert_int_equal(files_replace(other, garbage, sizeof garbage), 0);
    assert_refused(other, "is not a petition database");
    assert_refused(folder, "");
}

static void a_database_is_never_made_over_a_file(void **state)
{
    struct buf err;

    (void)state;
    buf_init(&err, BUF_UNLIMITED);
    assert_int_equal(db_create(path, &err), -1);
    assert_one_line(&err);
    assert_non_null(strstr(err.data, "File exists"));
    buf_release(&err);
    reopen();
    assert_int_equal(db_log_size(db), 1);
}

static void a_database_without_a_log_opens_empty(void **state)
{
    char fresh[64];
    struct db *other;
    struct buf text;

    (void)state;
    snprintf(fresh, sizeof fresh, "%s/fresh.db", folder);
    buf_init(&text, BUF_UNLIMITED);
    assert_int_equal(db_create(fresh, &text), 0);
    other = open_database(fresh, DB_WRITER);
    assert_int_equal(db_log_size(other), 0);
    assert_int_equal(db_log_entry(other, 0, &text), DB_NO_ROW);
    db_close(other);
    buf_release(&text);
}

static void the_file_is_for_its_owner_only(void **state)
{
    struct stat st;

    (void)state;
    begin();
    assert_true(sign_as(db, 1) > 0);
    commit();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* ---- what the schema enforces */

#define HASH "zeroblob(32)"
#define HEAD "zeroblob(16)"
/* A row for entry 1: tag, tier, visibility, country, day, name, opening, sealed. */
#define SUBMISSION(values) "INSERT INTO submission VALUES(1, " values ", NULL)"
#define SIGNER(values)     "INSERT INTO signer_row VALUES(" values ")"
#define TALLY(values)      "INSERT INTO tally VALUES(" values ")"
#define TOTALS(values)     "UPDATE totals SET " values
#define ORGANISER(values)  "INSERT INTO organiser VALUES(" values ", 2, NULL, 0)"
#define TOKEN(values)      "INSERT INTO token VALUES(" values ")"
#define DELIVERY(values)   "INSERT INTO delivery VALUES(" values ", NULL)"
#define BUNDLE(values)     "INSERT INTO bundle VALUES(" values ")"
#define AUDIT(values)      "INSERT INTO audit VALUES(" values ")"

/* What is wrong with the second is not wrong with the first. */
static const struct {
    const char *good, *bad;
} limits[] = {
    {"INSERT INTO log_entry VALUES(2, zeroblob(65535))",
     "INSERT INTO log_entry VALUES(2, zeroblob(65536))"},
    {"INSERT INTO log_entry VALUES(2, x'00')", "INSERT INTO log_entry VALUES(2, x'')"},
    {"INSERT INTO log_entry VALUES(2, x'00')", "INSERT INTO log_entry VALUES(2, 'text')"},
    {"INSERT INTO log_entry VALUES(2, x'00')", "INSERT INTO log_entry VALUES(3, x'00')"},
    {"INSERT INTO log_entry VALUES(2, x'00')", "INSERT INTO log_entry VALUES(-1, x'00')"},
    {"INSERT INTO log_entry VALUES(2, x'00')", "INSERT INTO log_entry VALUES(1, x'00')"},
    {SUBMISSION(HASH ", 2, 0, 'KH', 1, NULL, NULL, NULL"),
     SUBMISSION("zeroblob(31), 2, 0, 'KH', 1, NULL, NULL, NULL")},
    {SUBMISSION(HASH ", 2, 0, 'KH', 1, NULL, NULL, NULL"),
     SUBMISSION(HASH ", 3, 0, 'KH', 1, NULL, NULL, NULL")},
    {SUBMISSION(HASH ", 2, 0, 'KH', 1, NULL, NULL, NULL"),
     SUBMISSION(HASH ", 2, 3, 'KH', 1, NULL, NULL, NULL")},
    {SUBMISSION(HASH ", 2, 0, 'KH', 1, NULL, NULL, NULL"),
     SUBMISSION(HASH ", 2, 0, 'KHM', 1, NULL, NULL, NULL")},
    {SUBMISSION(HASH ", 2, 0, 'KH', 1, NULL, NULL, NULL"),
     SUBMISSION(HASH ", 2, 0, 'KH', 'monday', NULL, NULL, NULL")},
    {SUBMISSION(HASH ", 2, 1, 'KH', 1, 'Sok', zeroblob(64), NULL"),
     SUBMISSION(HASH ", 2, 0, 'KH', 1, 'Sok', NULL, NULL")},
    {SUBMISSION(HASH ", 2, 1, 'KH', 1, 'Sok', zeroblob(64), NULL"),
     SUBMISSION(HASH ", 2, 0, 'KH', 1, NULL, zeroblob(64), NULL")},
    {SUBMISSION(HASH ", 2, 1, 'KH', 1, 'Sok', zeroblob(64), NULL"),
     SUBMISSION(HASH ", 2, 1, 'KH', 1, 'Sok', zeroblob(63), NULL")},
    {SUBMISSION("NULL, 2, 2, 'KH', 1, NULL, NULL, NULL"),
     SUBMISSION("NULL, 2, 2, 'KH', 1, 'Sok', NULL, NULL")},
    {SUBMISSION("NULL, 2, 2, 'KH', 1, NULL, NULL, NULL"),
     SUBMISSION("NULL, 2, 2, 'KH', 1, NULL, zeroblob(64), NULL")},
    {SUBMISSION("NULL, 2, 2, 'KH', 1, NULL, NULL, NULL"),
     SUBMISSION("NULL, 2, 2, 'KH', 1, NULL, NULL, x'00'")},
    {SUBMISSION(HASH ", 2, 0, 'KH', 1, NULL, NULL, x'00'"),
     "INSERT INTO submission VALUES(2, " HASH ", 2, 0, 'KH', 1, NULL, NULL, x'00', NULL)"},
    {SIGNER(HEAD ", 1, 1"), SIGNER("zeroblob(17), 1, 1")},
    {SIGNER(HEAD ", 1, 1"), SIGNER(HEAD ", 0, 0")},
    {SIGNER(HEAD ", 1, 1"), SIGNER(HEAD ", 1, 2")},
    {SIGNER(HEAD ", 1, 0"), SIGNER(HEAD ", 1, -1")},
    {TALLY("1, 'KH', 2, 0"), TALLY("1, 'KH', 2, -1")},
    {TALLY("1, 'KH', 2, 0"), TALLY("1, 'KH', 3, 0")},
    {TALLY("1, 'KH', 2, 0"), TALLY("1, 'K', 2, 0")},
    {TOTALS("live = 2, signatures = 2, confirmed = 2"), TOTALS("live = 1, signatures = 2")},
    {TOTALS("live = 2, signatures = 2, confirmed = 2"),
     TOTALS("live = 2, signatures = 1, confirmed = 2")},
    {TOTALS("withdrawn = 0"), TOTALS("withdrawn = -1")},
    {TOTALS("void_fraud = 0"), TOTALS("void_fraud = -1")},
    {TOTALS("shown_count = 0"), TOTALS("shown_count = -10")},
    {TOTALS("text_idx = 0"), TOTALS("text_idx = 99")},
    {TOTALS("id = 1"), TOTALS("id = 2")},
    {ORGANISER("'sok', '$argon2id$', 1"), ORGANISER("'', '$argon2id$', 1")},
    {TOKEN(HASH ", 'admin', 1"), TOKEN(HASH ", 'nobody', 1")},
    {TOKEN(HASH ", 'admin', 1"), TOKEN("zeroblob(31), 'admin', 1")},
    {DELIVERY("2, 'admin', 'running', 1, 2, 3, '{}', NULL"),
     DELIVERY("2, 'admin', 'frozen', 1, 2, 3, '{}', NULL")},
    {DELIVERY("2, 'admin', 'running', 1, 2, 3, '{}', NULL"),
     DELIVERY("0, 'admin', 'running', 1, 2, 3, '{}', NULL")},
    {DELIVERY("2, 'admin', 'queued', 1, NULL, NULL, NULL, NULL"),
     DELIVERY("2, 'admin', 'queued', 1, 2, 3, NULL, NULL")},
    {DELIVERY("2, 'admin', 'queued', 1, NULL, NULL, NULL, NULL"),
     DELIVERY("2, 'admin', 'queued', 1, NULL, 3, '{}', NULL")},
    {BUNDLE("1, 19, " HASH ", 1"), BUNDLE("1, 20, " HASH ", 1")},
    {BUNDLE("1, 1, " HASH ", 1"), BUNDLE("1, 0, " HASH ", 1")},
    {BUNDLE("1, 1, " HASH ", 1"), BUNDLE("9, 1, " HASH ", 1")},
    {BUNDLE("1, 1, " HASH ", 1"), BUNDLE("1, 1, " HASH ", 0")},
    {BUNDLE("1, 1, " HASH ", 1"), BUNDLE("1, 1, zeroblob(31), 1")},
    {AUDIT("2, 1, 'admin', 'token', '', " HASH), AUDIT("2, 1, 'admin', 'token', '', x'00'")},
    {AUDIT("2, 1, 'admin', 'token', '', " HASH), AUDIT("3, 1, 'admin', 'token', '', " HASH)},
};

/* An organiser, a delivery, an act, and an entry without its submission. */
static void add_one_of_each(void)
{
    const struct audit_act act = {1508760000, "admin", "deliver", "1"};
    int64_t id;

    begin();
    assert_int_equal(append_entry(db, 1), 1);
    assert_int_equal(db_organiser_add(db, "admin", "$argon2id$", DAY), DB_OK);
    assert_int_equal(db_delivery_add(db, "admin", 1508760000, &id), DB_OK);
    assert_int_equal(db_audit(db, &act), DB_OK);
    commit();
}

static void the_schema_refuses_what_must_not_be_stored(void **state)
{
    (void)state;
    add_one_of_each();
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int bad, good;

        assert_int_equal(try_sql("BEGIN"), SQLITE_OK);
        bad = try_sql(limits[i].bad);
        if (bad != SQLITE_CONSTRAINT)
            print_error("%s\n", limits[i].bad);
        assert_int_equal(bad, SQLITE_CONSTRAINT);
        good = try_sql(limits[i].good);
        if (good != SQLITE_OK)
            print_error("%s: %s\n", limits[i].good, sqlite3_errmsg(raw));
        assert_int_equal(good, SQLITE_OK);
        assert_int_equal(try_sql("ROLLBACK"), SQLITE_OK);
    }
}

static void the_log_and_the_audit_trail_are_append_only_for_every_program(void **state)
{
    static const char *const attempts[] = {
        "UPDATE log_entry SET body = x'00' WHERE idx = 1",
        "UPDATE log_entry SET idx = 2 WHERE idx = 1",
        "DELETE FROM log_entry WHERE idx = 1",
        "DELETE FROM log_entry",
        "REPLACE INTO log_entry VALUES(1, x'00')",
        "INSERT OR REPLACE INTO log_entry VALUES(1, x'00')",
        "INSERT INTO log_entry VALUES(1, x'00') ON CONFLICT DO UPDATE SET body = excluded.body",
        "UPDATE OR REPLACE log_entry SET idx = 0 WHERE idx = 1",
        "UPDATE audit SET who = 'nobody'",
        "DELETE FROM audit",
        "REPLACE INTO audit VALUES(1, 1, 'nobody', 'token', '', " HASH ")",
        "INSERT INTO audit VALUES(1, 1, 'nobody', 'token', '', " HASH
        ") ON CONFLICT DO UPDATE SET who = 'nobody'",
    };
    struct buf before, after;

    (void)state;
    add_one_of_each();
    buf_init(&before, BUF_UNLIMITED);
    buf_init(&after, BUF_UNLIMITED);
    assert_int_equal(db_log_entry(db, 1, &before), DB_OK);
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        int code = try_sql(attempts[i]);

        if (code != SQLITE_CONSTRAINT)
            print_error("%s\n", attempts[i]);
        assert_int_equal(code, SQLITE_CONSTRAINT);
        assert_non_null(strstr(sqlite3_errmsg(raw), "append-only"));
    }
    assert_int_equal(db_log_entry(db, 1, &after), DB_OK);
    assert_string_equal(before.data, after.data);
    assert_int_equal(query("SELECT count(*) FROM log_entry"), 2);
    assert_int_equal(query("SELECT count(*) FROM audit WHERE who = 'admin'"), 1);
    buf_release(&before);
    buf_release(&after);
}

/* ---- the log */

static void entries_are_kept_byte_for_byte(void **state)
{
    static const char odd[] = "{\"v\":1,\"t\":\"odd\",\"with\":\"\\u0000 and \xe1\x9e\x80\"}";
    struct buf body, stored;
    int64_t index;

    (void)state;
    buf_init(&body, BUF_UNLIMITED);
    buf_init(&stored, BUF_UNLIMITED);
    buf_add(&body, odd, sizeof odd); /* with its NUL */
    begin();
    assert_int_equal(db_log_append(db, &body, &index), DB_OK);
    assert_int_equal(index, 1);
    assert_int_equal(db_log_size(db), 2);
    commit();
    reopen();
    assert_int_equal(db_log_size(db), 2);
    assert_int_equal(db_log_entry(db, 1, &stored), DB_OK);
    assert_int_equal(stored.len, sizeof odd);
    assert_memory_equal(stored.data, odd, sizeof odd);
    assert_int_equal(db_log_entry(db, 2, &stored), DB_NO_ROW);
    assert_int_equal(db_log_entry(db, -1, &stored), DB_NO_ROW);
    buf_release(&body);
    buf_release(&stored);
}

static void an_index_that_was_rolled_back_is_given_again(void **state)
{
    (void)state;
    begin();
    assert_int_equal(sign_as(db, 1), 1);
    assert_int_equal(sign_as(db, 2), 2);
    db_rollback(db);
    assert_int_equal(db_log_size(db), 1);
    begin();
    assert_int_equal(sign_as(db, 3), 1);
    commit();
    assert_int_equal(query("SELECT count(*) FROM log_entry"), 2);
    assert_int_equal(query("SELECT count(*) FROM submission"), 1);
}

static int64_t append_text(uint8_t first)
{
    uint8_t texts[3][HASH_LEN] = {{first}, {7}, {8}}, addressees[HASH_LEN] = {9};
    struct buf entry;
    int64_t index;

    buf_init(&entry, BUF_UNLIMITED);
    entry_text(&entry, texts, addressees);
    assert_int_equal(db_log_append(db, &entry, &index), DB_OK);
    db_set_text(db, index);
    buf_release(&entry);
    return index;
}

static void text_entries_are_found_and_the_last_one_is_remembered(void **state)
{
    int64_t found[4], index;
    size_t count = 4;

    (void)state;
    assert_int_equal(db_text_index(db), 0);
    assert_int_equal(db_text_indices(db, found, &count), DB_OK);
    assert_int_equal(count, 0);
    begin();
    append_text(1);
    db_rollback(db);
    assert_int_equal(db_text_index(db), 0);
    begin();
    for (uint8_t i = 0; i < 3; i++) {
        assert_true(sign_as(db, i) > 0);
        index = append_text(i);
        assert_int_equal(db_text_index(db), index);
    }
    commit();
    reopen();
    assert_int_equal(db_text_index(db), 6);
    count = 3;
    assert_int_equal(db_text_indices(db, found, &count), DB_OK);
    assert_int_equal(count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(found[i], 2 * i + 2);
    count = 2;
    assert_int_equal(db_text_indices(db, found, &count), DB_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_missing_file_is_refused_and_not_made),
        CLAIM(a_foreign_application_id_is_refused),
        CLAIM(a_newer_schema_is_refused_and_one_that_never_was),
        CLAIM(a_writer_brings_version_1_up_to_date_with_its_data),
        CLAIM(a_migration_that_fails_leaves_the_old_version),
        CLAIM(a_file_that_is_no_database_is_refused),
        CLAIM(a_database_is_never_made_over_a_file),
        CLAIM(a_database_without_a_log_opens_empty),
        CLAIM(the_file_is_for_its_owner_only),
        CLAIM(the_schema_refuses_what_must_not_be_stored),
        CLAIM(the_log_and_the_audit_trail_are_append_only_for_every_program),
        CLAIM(entries_are_kept_byte_for_byte),
        CLAIM(an_index_that_was_rolled_back_is_given_again),
        CLAIM(text_entries_are_found_and_the_last_one_is_remembered),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
