/*
 * test_signer: who has signed, when there are more signers than the writer counts in memory. What
 * is counted there and in the rows is compared with a full recount (db_check.h). And such files as
 * version 5 of the schema left them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "database_fixture.h"
#include "db_internal.h"
#include "signer_set.h"

#include <sodium.h>
#include <string.h>

#define MANY      40000 /* more than are counted in memory: some slices are written */
#define PER_BATCH 1000

static void assert_recount(void)
{
    struct buf line;
    struct totals t;

    assert_int_equal(db_totals(db, &t), DB_OK);
    assert_int_equal(signer_set_count(db_signers(db)->set), t.signatures);
    buf_init(&line, BUF_UNLIMITED);
    assert_int_equal(db_check(db, DB_CLAIM_FIGURES, 0, &line), DB_HOLDS);
    buf_release(&line);
}

static void assert_counts(uint64_t live, uint64_t signatures, uint64_t confirmed)
{
    struct totals t;

    assert_int_equal(db_totals(db, &t), DB_OK);
    assert_int_equal(t.live, live);
    assert_int_equal(t.signatures, signatures);
    assert_int_equal(t.confirmed, confirmed);
}

static int64_t sign(uint64_t number, enum tier tier)
{
    uint8_t tag[TAG_LEN];
    struct submission s = {.tag = tag, .tier = tier, .country = "KH", .day = DAY};

    fill(tag, sizeof tag, number);
    return add_submission(db, &s);
}

static void sign_many(uint64_t from, uint64_t to, enum tier tier)
{
    for (uint64_t i = from; i < to; i++) {
        if ((i - from) % PER_BATCH == 0)
            begin();
        assert_true(sign(i, tier) > 0);
        if ((i - from) % PER_BATCH == PER_BATCH - 1 || i + 1 == to)
            commit();
    }
}

static void erase(int64_t index)
{
    struct buf entry;
    int64_t at;

    buf_init(&entry, BUF_UNLIMITED);
    entry_void(&entry, index, VOID_TEST);
    assert_int_equal(db_log_append(db, &entry, &at), DB_OK);
    assert_int_equal(db_submission_erase(db, index, VOID_TEST), DB_OK);
    buf_release(&entry);
}

/* ---- more than there is memory for */

static void a_part_is_written_and_all_count(void **state)
{
    int64_t rows;

    (void)state;
    sign_many(0, MANY, TIER_UNCONFIRMED);
    assert_counts(MANY, MANY, 0);
    rows = query("SELECT count(*) FROM signer_row");
    assert_in_range(rows, MANY / 4, MANY - 1);
    assert_in_range(query("SELECT count(*) FROM signer_slice"), 1, SIGNER_SLICES);
    assert_int_equal(query("SELECT count(*) FROM signer"), MANY);
    assert_recount();
    reopen();
    assert_int_equal(query("SELECT count(*) FROM signer_row"), rows);
    assert_recount();
}

static void whoever_signs_again_counts_once_in_the_rows_and_in_memory(void **state)
{
    (void)state;
    sign_many(0, MANY, TIER_UNCONFIRMED);
    sign_many(0, 3000, TIER_CONFIRMED);
    assert_counts(MANY + 3000, MANY, 3000);
    reopen();
    sign_many(0, 3000, TIER_CONFIRMED);
    sign_many(MANY - 3000, MANY, TIER_UNCONFIRMED);
    assert_counts(MANY + 9000, MANY, 3000);
    assert_recount();
}

static void an_erasure_finds_who_has_counted(void **state)
{
    (void)state;
    sign_many(0, MANY, TIER_UNCONFIRMED); /* at index 1 and up */
    sign_many(0, 2000, TIER_CONFIRMED);
    for (int round = 0; round < 2; round++) {
        begin();
        for (int64_t i = 0; i < 500; i++) {
            erase(1 + 1000 * round + i);        /* the first of two */
            erase(MANY - 1000 * round - i);     /* the only one */
            erase(MANY + 1 + 1000 * round + i); /* the confirmed one of the first: none is left */
        }
        commit();
        assert_recount();
        reopen();
    }
    assert_counts(MANY + 2000 - 3000, MANY - 2000, 1000);
    assert_recount();
    /* Whoever was erased signs anew. */
    sign_many(0, 500, TIER_UNCONFIRMED);
    assert_counts(MANY + 2000 - 3000 + 500, MANY - 1500, 1000);
    assert_recount();
}

static void a_rollback_takes_back_what_was_written(void **state)
{
    (void)state;
    sign_many(0, 5000, TIER_UNCONFIRMED);
    for (int round = 0; round < 3; round++) {
        begin();
        for (uint64_t i = 4000; i < 6000; i++)
            assert_true(sign(i, TIER_CONFIRMED) > 0);
        if (round > 0)
            assert_int_equal(db_signers_write_all(db), DB_OK);
        for (uint64_t i = 5500; i < 6500; i++)
            assert_true(sign(i, TIER_PAPER) > 0);
        erase(1);
        if (round == 2)
            assert_int_equal(db_signers_write_all(db), DB_OK);
        db_rollback(db);
        assert_counts(5000, 5000, 0);
        assert_recount();
    }
    sign_many(4000, 6000, TIER_CONFIRMED);
    assert_counts(7000, 6000, 2000);
    assert_recount();
}

/* Slices that were written without the row of an erased submission, which a rollback brings back.
 */
static void a_rollback_brings_back_the_row_of_whom_it_had_erased(void **state)
{
    (void)state;
    begin();
    assert_int_equal(sign(1, TIER_UNCONFIRMED), 1);
    assert_int_equal(db_signers_write_all(db), DB_OK);
    commit();
    reopen();
    begin();
    erase(1);
    assert_int_equal(db_signers_write_all(db), DB_OK);
    db_rollback(db);
    assert_recount();
    begin();
    assert_int_equal(sign(1, TIER_UNCONFIRMED), 2);
    commit();
    assert_counts(2, 1, 0);
    begin();
    erase(1);
    commit();
    assert_counts(1, 1, 0);
    assert_recount();
}

static void a_tag_that_is_gone_is_in_no_change(void **state)
{
    const struct db_signers *signers = db_signers(db);

    (void)state;
    begin();
    assert_int_equal(sign(1, TIER_UNCONFIRMED), 1);
    commit();
    assert_int_equal(signers->kept, 1);
    begin();
    erase(1);
    commit();
    assert_int_equal(signers->kept, 0);
    for (unsigned i = 0; i < SIGNER_SLICES; i++) {
        const struct signer_slice *s = &signers->slices[i];

        assert_true(!s->changes ||
                    sodium_is_zero((const uint8_t *)s->changes, s->room * sizeof *s->changes));
    }
}

static void slices_that_cannot_be_are_refused(void **state)
{
    struct buf err;

    (void)state;
    assert_int_equal(try_sql("PRAGMA ignore_check_constraints = ON;"
                             "INSERT INTO signer_slice VALUES(1024, 0)"),
                     SQLITE_OK);
    db_close(db);
    buf_init(&err, BUF_UNLIMITED);
    db = db_open(path, DB_WRITER, &err);
    assert_null(db);
    assert_one_line(&err);
    assert_non_null(strstr(err.data, "cannot be counted"));
    buf_release(&err);
    assert_int_equal(try_sql("PRAGMA ignore_check_constraints = ON;"
                             "DELETE FROM signer_slice WHERE slice = 1024"),
                     SQLITE_OK);
    db = open_database(path, DB_WRITER);
}

/* ---- files of version 5, whose rows had whole tags */

/* Makes the file one of version 5, and has a writer bring it up to date. */
static void migrate_from_version_5(void)
{
    static const char sql[] =
        "BEGIN; ALTER TABLE signer_row RENAME TO signer_head;"
        "CREATE TABLE signer_row (tag BLOB PRIMARY KEY CHECK (length(tag) = 32),"
        " live INTEGER NOT NULL CHECK (live > 0),"
        " confirmed INTEGER NOT NULL CHECK (confirmed BETWEEN 0 AND live)) STRICT, WITHOUT ROWID;"
        "CREATE TEMP TABLE tags AS SELECT DISTINCT substr(tag, 1, 16) AS head, tag"
        " FROM main.submission WHERE tag IS NOT NULL;"
        "INSERT INTO signer_row SELECT t.tag, h.live, h.confirmed FROM signer_head AS h"
        " JOIN temp.tags AS t USING (head);"
        "DROP TABLE signer_head; PRAGMA user_version = 5; COMMIT";
    int64_t rows = query("SELECT count(*) FROM signer_row");
    sqlite3 *old;

    close_raw();
    db_close(db);
    assert_int_equal(sqlite3_open(path, &old), SQLITE_OK);
    assert_int_equal(sqlite3_exec(old, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(old), SQLITE_OK);
    db = open_database(path, DB_WRITER);
    assert_int_equal(query("PRAGMA user_version"), 6);
    assert_int_equal(query("SELECT count(*) FROM signer_row WHERE length(head) = 16"), rows);
}

static void version_5_is_brought_up_to_date_with_changes_that_were_not_written(void **state)
{
    (void)state;
    sign_many(0, 100, TIER_UNCONFIRMED); /* at index 1 and up */
    begin();
    assert_int_equal(db_signers_write_all(db), DB_OK);
    commit();
    sign_many(50, 150, TIER_CONFIRMED); /* at index 101 and up; half of them again */
    assert_int_equal(query("SELECT count(*) FROM signer_row"), 100);
    assert_int_equal(query("SELECT max(upto) FROM signer_slice"), 101);
    migrate_from_version_5();
    assert_int_equal(db_log_size(db), 201);
    assert_int_equal(query("SELECT max(upto) FROM signer_slice"), 101);
    assert_counts(200, 150, 100);
    assert_recount();
    /* Signing again, in the row and in memory, and anew. */
    sign_many(0, 10, TIER_UNCONFIRMED);
    sign_many(140, 160, TIER_UNCONFIRMED);
    assert_counts(230, 160, 100);
    assert_recount();
    begin();
    erase(12);  /* counted by its row alone */
    erase(51);  /* by its row, and there is a change */
    erase(102); /* by its change, and there is a row */
    erase(155); /* by its change alone */
    commit();
    assert_counts(226, 158, 98);
    assert_recount();
    begin();
    assert_int_equal(db_signers_write_all(db), DB_OK);
    commit();
    reopen();
    assert_counts(226, 158, 98);
    assert_recount();
}

static void version_5_is_brought_up_to_date_when_it_is_closed(void **state)
{
    struct closing_figures figures;
    int64_t index = 0;

    (void)state;
    sign_many(0, 100, TIER_UNCONFIRMED);
    sign_many(50, 150, TIER_CONFIRMED);
    begin();
    assert_int_equal(db_close_petition(db, &figures, &index), DB_OK);
    commit();
    assert_int_equal(query("SELECT count(*) FROM signer_row"), 150);
    migrate_from_version_5();
    assert_int_equal(db_close_index(db), index);
    assert_counts(200, 150, 100);
    begin();
    erase(1);   /* the only one */
    erase(51);  /* the first of two */
    erase(102); /* the second of two, confirmed */
    commit();
    reopen();
    assert_counts(197, 149, 99);
    check_claims();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_part_is_written_and_all_count, open_new, close_all),
        cmocka_unit_test_setup_teardown(whoever_signs_again_counts_once_in_the_rows_and_in_memory,
                                        open_new, close_all),
        cmocka_unit_test_setup_teardown(an_erasure_finds_who_has_counted, open_new, close_all),
        cmocka_unit_test_setup_teardown(a_rollback_takes_back_what_was_written, open_new,
                                        close_all),
        cmocka_unit_test_setup_teardown(a_rollback_brings_back_the_row_of_whom_it_had_erased,
                                        open_new, close_all),
        cmocka_unit_test_setup_teardown(a_tag_that_is_gone_is_in_no_change, open_new, close_all),
        cmocka_unit_test_setup_teardown(slices_that_cannot_be_are_refused, open_new, close_all),
        CLAIM(version_5_is_brought_up_to_date_with_changes_that_were_not_written),
        CLAIM(version_5_is_brought_up_to_date_when_it_is_closed),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
