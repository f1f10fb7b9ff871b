/*
 * test_close: closing in the database: the entry, what stands for contacts afterwards, and that no
 * tag is left in any file. And the pepper's file, and the keeper of the pepper in memory.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "database_fixture.h"

#include "db_internal.h"
#include "files.h"
#include "pepper.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY 1500

static void tag_of(uint8_t tag[TAG_LEN], uint64_t person)
{
    fill(tag, TAG_LEN, person + 1000000);
}

static int64_t sign(uint64_t person, enum tier tier)
{
    uint8_t tag[TAG_LEN], sealed[436];
    const struct submission s = {.tag = tag,
                                 .tier = tier,
                                 .visibility = VISIBILITY_PRIVATE,
                                 .country = "KH",
                                 .day = DAY,
                                 .sealed = sealed,
                                 .sealed_len = sizeof sealed};

    tag_of(tag, person);
    fill(sealed, sizeof sealed, person + 2000000);
    return add_submission(db, &s);
}

static int64_t close_petition(struct closing_figures *figures)
{
    int64_t index = 0;

    begin();
    assert_int_equal(db_close_petition(db, figures, &index), DB_OK);
    commit();
    return index;
}

/* Withdrawals and removals have entries of their own in the log, as those who recount expect. */
static void end_submission(int64_t index, enum void_why why)
{
    static const uint8_t secret[HASH_LEN];
    struct buf entry;
    int64_t at;

    buf_init(&entry, BUF_UNLIMITED);
    if (why == VOID__MAX)
        entry_wd(&entry, index, secret);
    else
        entry_void(&entry, index, why);
    assert_int_equal(db_log_append(db, &entry, &at), DB_OK);
    assert_int_equal(db_submission_erase(db, index, why), DB_OK);
    buf_release(&entry);
}

static void expect_totals(uint64_t live, uint64_t signatures, uint64_t confirmed)
{
    struct totals t;

    assert_int_equal(db_totals(db, &t), DB_OK);
    assert_int_equal(t.live, live);
    assert_int_equal(t.signatures, signatures);
    assert_int_equal(t.confirmed, confirmed);
}

static bool file_has_tag(const char *file, uint64_t person)
{
    uint8_t tag[TAG_LEN];
    struct buf bytes;
    bool found;

    tag_of(tag, person);
    read_whole(&bytes, file);
    found = contains(&bytes, tag, GROUP_LEN) || contains(&bytes, tag + GROUP_LEN, GROUP_LEN);
    buf_release(&bytes);
    return found;
}

/* ---- the entry */

static void the_entry_has_its_exact_bytes_and_the_figures_before_it(void **state)
{
    static const char expected[] =
        "{\"v\":1,\"t\":\"close\",\"sign\":5,\"wd\":1,\"void\":1,\"repeats\":1}";
    struct closing_figures figures;
    int64_t first, second, index;
    struct buf body;

    (void)state;
    begin();
    first = sign(1, TIER_UNCONFIRMED);
    second = sign(2, TIER_UNCONFIRMED);
    sign(3, TIER_CONFIRMED);
    sign(3, TIER_UNCONFIRMED);
    sign(4, TIER_PAPER);
    end_submission(first, VOID__MAX);
    end_submission(second, VOID_FRAUD);
    commit();
    assert_int_equal(db_close_index(db), 0);
    index = close_petition(&figures);
    assert_int_equal(db_close_index(db), index);
    assert_int_equal(index, db_log_size(db) - 1);
    buf_init(&body, BUF_UNLIMITED);
    assert_int_equal(db_log_entry(db, index, &body), DB_OK);
    assert_string_equal(body.data, expected);
    buf_release(&body);
    reopen();
    assert_int_equal(db_close_index(db), index);
    check_claims();
}

static void a_closing_that_is_rolled_back_changes_nothing(void **state)
{
    struct closing_figures figures;
    int64_t index;

    (void)state;
    begin();
    sign(1, TIER_UNCONFIRMED);
    commit();
    begin();
    assert_int_equal(db_close_petition(db, &figures, &index), DB_OK);
    assert_int_equal(db_close_index(db), index);
    db_rollback(db);
    assert_int_equal(db_close_index(db), 0);
    assert_int_equal(db_log_size(db), index);
    assert_int_equal(db_checkpoint(db, true), DB_OK);
    assert_true(file_has_tag(path, 1));
    reopen();
    assert_int_equal(db_close_index(db), 0);
}

/* The closing writes all counts and gives up nothing in memory until it is committed. */
static void who_has_signed_is_known_after_a_closing_that_is_rolled_back(void **state)
{
    struct closing_figures figures;
    int64_t index, second;

    (void)state;
    begin();
    sign(1, TIER_UNCONFIRMED);
    second = sign(2, TIER_CONFIRMED);
    commit();
    for (int round = 0; round < 2; round++) {
        begin();
        if (round == 1) /* the transaction begins with more than the closing */
            sign(3, TIER_UNCONFIRMED);
        assert_int_equal(db_close_petition(db, &figures, &index), DB_OK);
        db_rollback(db);
        expect_totals(2, 2, 1);
    }
    begin();
    sign(1, TIER_CONFIRMED);
    sign(2, TIER_UNCONFIRMED);
    expect_totals(4, 2, 2);
    sign(3, TIER_UNCONFIRMED);
    expect_totals(5, 3, 2);
    commit();
    begin();
    end_submission(second, VOID__MAX);
    expect_totals(4, 3, 1);
    commit();
    check_claims();
    index = close_petition(&figures);
    assert_int_equal(figures.repeats, 1);
    expect_totals(4, 3, 1);
    reopen();
    assert_int_equal(db_close_index(db), index);
    check_claims();
}

static void an_empty_petition_can_be_closed(void **state)
{
    struct closing_figures figures;

    (void)state;
    assert_int_equal(close_petition(&figures), 1);
    assert_int_equal(figures.sign, 0);
    check_claims();
}

/* ---- groups */

static void counts_follow_withdrawals_after_closing(void **state)
{
    struct closing_figures figures;
    int64_t of_first[3], lone;

    (void)state;
    begin();
    of_first[0] = sign(1, TIER_CONFIRMED);
    of_first[1] = sign(1, TIER_UNCONFIRMED);
    of_first[2] = sign(1, TIER_CONFIRMED);
    lone = sign(2, TIER_CONFIRMED);
    commit();
    close_petition(&figures);
    expect_totals(4, 2, 2);
    begin();
    end_submission(of_first[0], VOID__MAX);
    expect_totals(3, 2, 2);
    end_submission(of_first[2], VOID_TEST);
    expect_totals(2, 2, 1);
    end_submission(lone, VOID__MAX);
    expect_totals(1, 1, 0);
    end_submission(of_first[1], VOID__MAX);
    expect_totals(0, 0, 0);
    commit();
    check_claims();
}

/* The same petition closed twice, from one state. */
static void group_numbers_do_not_follow_from_the_tags(void **state)
{
    uint8_t numbers[2][TAG_LEN];

    (void)state;
    begin();
    sign(1, TIER_UNCONFIRMED);
    commit();
    for (int i = 0; i < 2; i++) {
        struct closing_figures figures;
        sqlite3_stmt *s = NULL;
        int64_t index;

        begin();
        assert_int_equal(db_close_petition(db, &figures, &index), DB_OK);
        assert_int_equal(sqlite3_prepare_v2(db_handle(db), "SELECT tag FROM submission", -1, &s,
                                            NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_step(s), SQLITE_ROW);
        memcpy(numbers[i], sqlite3_column_blob(s, 0), TAG_LEN);
        sqlite3_finalize(s);
        db_rollback(db);
        assert_true(sodium_is_zero(numbers[i] + GROUP_LEN, TAG_LEN - GROUP_LEN));
    }
    assert_memory_not_equal(numbers[0], numbers[1], GROUP_LEN);
}

/* Rows that were moved between pages by many withdrawals included. */
static void no_tag_is_left_in_any_file(void **state)
{
    static int64_t indices[MANY];
    struct closing_figures figures;
    uint64_t random = 1991;
    int left = 0;

    (void)state;
    for (uint64_t i = 0; i < MANY; i++) {
        if (i % 100 == 0)
            begin();
        indices[i] = sign(i, TIER_UNCONFIRMED);
        if (i % 100 == 99)
            commit();
    }
    begin();
    for (uint64_t i = 0; i < MANY; i++)
        if (below(&random, 3) > 0)
            end_submission(indices[(i * 601) % MANY], VOID_REQUEST);
    commit();
    assert_int_equal(db_checkpoint(db, true), DB_OK);
    for (uint64_t i = 0; i < MANY; i++)
        left += file_has_tag(path, i);
    assert_true(left > MANY / 4);
    close_petition(&figures);
    assert_true(db_erasure_pending(db));
    assert_int_equal(db_checkpoint(db, true), DB_OK);
    for (uint64_t i = 0; i < MANY; i++)
        if (file_has_tag(path, i) || file_has_tag(wal, i))
            fail_msg("the tag of %d is still there", (int)i);
    check_claims();
}

static void check_finds_what_is_wrong_with_a_closed_petition(void **state)
{
    static const struct {
        const char *sql, *says;
    } wrongs[] = {
        {"UPDATE submission SET tag = randomblob(32) WHERE idx = 1", "hashes of contacts are left"},
        {"INSERT INTO log_entry VALUES(3, CAST('{\"v\":1,\"t\":\"close\",\"sign\":1}' AS BLOB))",
         "several"},
        {"DROP TRIGGER log_entry_no_update; UPDATE log_entry SET body = "
         "CAST('{\"v\":1,\"t\":\"close\",\"sign\":7,\"wd\":0,\"void\":0,\"repeats\":0}' AS BLOB) "
         "WHERE idx = 2",
         "other numbers"},
    };
    struct closing_figures figures;
    struct buf line;

    (void)state;
    begin();
    sign(1, TIER_UNCONFIRMED);
    commit();
    assert_int_equal(close_petition(&figures), 2);
    buf_init(&line, BUF_UNLIMITED);
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        assert_int_equal(sqlite3_exec(db_handle(db), "BEGIN", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db_handle(db), wrongs[i].sql, NULL, NULL, NULL), SQLITE_OK);
        buf_clear(&line);
        assert_int_equal(db_check(db, DB_CLAIM_CLOSED, 0, &line), DB_FAILS);
        assert_non_null(strstr(line.data, wrongs[i].says));
        assert_int_equal(sqlite3_exec(db_handle(db), "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    }
    buf_clear(&line);
    assert_int_equal(db_check(db, DB_CLAIM_CLOSED, 0, &line), DB_HOLDS);
    buf_release(&line);
}

/* ---- the pepper */

static struct config config;
static char *pepper_file;
static int left_count;
static const char *left_why;

static void count_left(void *ctx, const char *file, const char *why)
{
    (void)ctx;
    (void)file;
    left_count++;
    left_why = why;
}

static void destroy(void)
{
    left_count = 0;
    pepper_destroy(&config, count_left, NULL);
}

static bool is_there(const char *file)
{
    struct stat st;

    return stat(file, &st) == 0;
}

static int make_pepper(void **state)
{
    static const uint8_t pepper[PEPPER_LEN] = {1, 2, 3};
    static char elsewhere[80], none[] = "";

    open_new(state);
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    config = (struct config){.data_dir = folder, .pepper_file = none};
    pepper_file = pepper_path(&config);
    assert_int_equal(files_create_key(pepper_file, PEPPER_KEY_LABEL, pepper, sizeof pepper), 0);
    assert_int_equal(files_create_key(elsewhere, PEPPER_KEY_LABEL, pepper, sizeof pepper), 0);
    return 0;
}

static int release_pepper(void **state)
{
    free(pepper_file);
    return close_all(state);
}

/* A second name of the file shows what the first one's blocks hold. */
static void the_pepper_is_overwritten_and_unlinked(void **state)
{
    char other[80];
    struct buf bytes;

    (void)state;
    snprintf(other, sizeof other, "%s/other", folder);
    assert_int_equal(link(pepper_file, other), 0);
    destroy();
    assert_int_equal(left_count, 0);
    assert_false(is_there(pepper_file));
    read_whole(&bytes, other);
    assert_true(bytes.len > 40);
    assert_true(sodium_is_zero((const uint8_t *)bytes.data, bytes.len));
    assert_true(pepper_is_gone(other));
    buf_release(&bytes);
    destroy();
    assert_int_equal(left_count, 0);
}

static void a_pepper_file_elsewhere_goes_too(void **state)
{
    char elsewhere[80];

    (void)state;
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    config.pepper_file = elsewhere;
    destroy();
    assert_int_equal(left_count, 0);
    assert_false(is_there(pepper_file));
    assert_false(is_there(elsewhere));
}

static void a_file_that_is_no_pepper_is_named_and_left_alone(void **state)
{
    (void)state;
    config.pepper_file = path; /* the database */
    destroy();
    assert_int_equal(left_count, 1);
    assert_string_equal(left_why, "it is no pepper, or cannot be read");
    assert_int_equal(query("SELECT count(*) FROM log_entry"), 1);
}

static void what_an_interrupted_destruction_left_goes_as_well(void **state)
{
    char elsewhere[80];
    static const char zeros[64];

    (void)state;
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    config.pepper_file = elsewhere;
    assert_int_equal(files_replace(elsewhere, zeros, sizeof zeros), 0);
    assert_int_equal(files_replace(pepper_file, zeros, 0), 0);
    destroy();
    assert_int_equal(left_count, 0);
    assert_false(is_there(elsewhere));
    assert_false(is_there(pepper_file));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(the_entry_has_its_exact_bytes_and_the_figures_before_it),
        CLAIM(a_closing_that_is_rolled_back_changes_nothing),
        CLAIM(who_has_signed_is_known_after_a_closing_that_is_rolled_back),
        CLAIM(an_empty_petition_can_be_closed),
        CLAIM(counts_follow_withdrawals_after_closing),
        CLAIM(group_numbers_do_not_follow_from_the_tags),
        CLAIM(no_tag_is_left_in_any_file),
        CLAIM(check_finds_what_is_wrong_with_a_closed_petition),
        cmocka_unit_test_setup_teardown(the_pepper_is_overwritten_and_unlinked, make_pepper,
                                        release_pepper),
        cmocka_unit_test_setup_teardown(a_pepper_file_elsewhere_goes_too, make_pepper,
                                        release_pepper),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_pepper_is_named_and_left_alone,
                                        make_pepper, release_pepper),
        cmocka_unit_test_setup_teardown(what_an_interrupted_destruction_left_goes_as_well,
                                        make_pepper, release_pepper),
    };

    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
