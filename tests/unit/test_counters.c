/*
 * test_counters: the counters that db.c keeps beside the rows are those of a full recount by plain
 * SQL, after any sequence of submissions, withdrawals, removals, commits, rollbacks and restarts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "database_fixture.h"
#include "db_internal.h"
#include "signer_set.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>

#define PROPERTY_STEPS 4000
#define PEOPLE         40
#define REOPEN_EVERY   50 /* commits */

/* ---- a full recount */

#define RECOUNT_SIGNERS(contact)                                                                   \
    "SELECT " contact ", count(*) AS live, sum(tier = 0) AS confirmed FROM submission"             \
    " WHERE tag IS NOT NULL GROUP BY tag"
#define RECOUNT_TALLY                                                                              \
    "SELECT day, country, tier, count(*) AS n FROM submission"                                     \
    " WHERE tag IS NOT NULL GROUP BY day, country, tier"
#define DIFFERENCE(a, b)                                                                           \
    "SELECT (SELECT count(*) FROM (SELECT * FROM (" a ") EXCEPT SELECT * FROM (" b ")))"           \
    " + (SELECT count(*) FROM (SELECT * FROM (" b ") EXCEPT SELECT * FROM (" a ")))"
/* The reasons stand in the log only. */
#define RECOUNT_VOID(why)                                                                          \
    "SELECT count(*) FROM log_entry WHERE CAST(body AS TEXT) LIKE"                                 \
    " '{\"v\":1,\"t\":\"void\",%\"why\":\"" why "\"}'"

static void assert_reasons_are_a_recount(void)
{
    static const char *const removed[VOID__MAX] = {RECOUNT_VOID("request"),
                                                   RECOUNT_VOID("duplicate"), RECOUNT_VOID("fraud"),
                                                   RECOUNT_VOID("test"), RECOUNT_VOID("lost")};
    struct totals t;

    assert_int_equal(db_totals(db, &t), DB_OK);
    assert_int_equal(t.withdrawn, query("SELECT count(*) FROM log_entry WHERE CAST(body AS TEXT)"
                                        " LIKE '{\"v\":1,\"t\":\"wd\",%'"));
    for (int why = 0; why < VOID__MAX; why++)
        assert_int_equal(t.removed[why], query(removed[why]));
}

static void assert_totals_are_a_recount(void)
{
    struct totals t;
    uint64_t erased;

    assert_int_equal(db_totals(db, &t), DB_OK);
    erased = t.withdrawn;
    for (int why = 0; why < VOID__MAX; why++)
        erased += t.removed[why];
    assert_int_equal(t.live, query("SELECT count(*) FROM submission WHERE tag IS NOT NULL"));
    assert_int_equal(t.signatures, query("SELECT count(DISTINCT tag) FROM submission"));
    assert_int_equal(t.confirmed,
                     query("SELECT count(DISTINCT tag) FROM submission WHERE tier = 0"));
    assert_int_equal(erased, query("SELECT count(*) FROM submission WHERE tag IS NULL"));
    assert_int_equal(signer_set_count(db_signers(db)->set), t.signatures);
}

/* What is counted in memory is written for the question, and then taken back. */
static void assert_signers_are_a_recount(void)
{
    sqlite3_stmt *s = NULL;

    begin();
    assert_int_equal(db_signers_write_all(db), DB_OK);
    assert_int_equal(sqlite3_prepare_v2(db_handle(db),
                                        DIFFERENCE("SELECT head, live, confirmed FROM signer_row",
                                                   RECOUNT_SIGNERS("substr(tag, 1, 16)")),
                                        -1, &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(s, 0), 0);
    sqlite3_finalize(s);
    db_rollback(db);
}

static void assert_all_is_a_recount(void)
{
    assert_totals_are_a_recount();
    assert_signers_are_a_recount();
    assert_int_equal(query(DIFFERENCE("SELECT tag, live, confirmed FROM signer",
                                      RECOUNT_SIGNERS("tag"))),
                     0);
    assert_int_equal(query(DIFFERENCE("SELECT day, country, tier, n FROM tally WHERE n > 0",
                                      RECOUNT_TALLY)),
                     0);
    assert_int_equal(query("SELECT count(*) FROM totals WHERE text_idx = 0"), 1);
    assert_int_equal(query("SELECT count(*) FROM submission WHERE tag IS NULL AND"
                           " (name IS NOT NULL OR opening IS NOT NULL OR sealed IS NOT NULL)"),
                     0);
    assert_int_equal(db_log_size(db), query("SELECT count(*) FROM log_entry"));
    assert_int_equal(query("SELECT max(idx) FROM log_entry"), db_log_size(db) - 1);
}

/* The sums of every table are the live submissions, in the open transaction, too. */
static void assert_tables_sum_up(void)
{
    for (int which = DB_BY_COUNTRY; which <= DB_BY_TIER; which++) {
        struct table t;
        uint64_t sum = 0;

        assert_int_equal(db_table(db, (enum db_table)which, DAY + 1000, &t), DB_OK);
        for (size_t i = 0; i < t.count; i++)
            sum += t.cells[i].n;
        free(t.cells);
        assert_int_equal(sum, live_of(db));
    }
}

static void add_random(uint64_t *random)
{
    static const char *const countries[] = {"KH", "FR", "US", "AU", "CA"};
    uint8_t tag[TAG_LEN], opening[OPENING_LEN], sealed[20];
    struct submission s = {.tag = tag,
                           .tier = (enum tier)below(random, TIER__MAX),
                           .visibility = (enum visibility)below(random, VISIBILITY__MAX),
                           .day = DAY + (day_number)below(random, 6),
                           .sealed = below(random, 4) ? sealed : NULL,
                           .sealed_len = sizeof sealed};

    memcpy(s.country, countries[below(random, 5)], 3);
    fill(tag, sizeof tag, below(random, PEOPLE));
    fill(opening, sizeof opening, next_random(random));
    fill(sealed, sizeof sealed, next_random(random));
    if (s.visibility != VISIBILITY_PRIVATE) {
        s.name = "Sok Chan";
        s.opening = opening;
    }
    assert_true(add_submission(db, &s) > 0);
}

/* Withdraws or removes whatever has that index, as the features do: the entry, then the columns. */
static void erase_random(uint64_t *random)
{
    int64_t index = below(random, (uint32_t)db_log_size(db) + 1), at;
    enum void_why why = (enum void_why)below(random, VOID__MAX + 1);
    const uint8_t secret[HASH_LEN] = {0};
    bool live = false;
    struct buf entry;
    int found = db_submission_live(db, index, &live);

    if (found != DB_OK || !live) {
        assert_int_equal(db_submission_erase(db, index, why), DB_NO_ROW);
        return;
    }
    buf_init(&entry, BUF_UNLIMITED);
    if (why == VOID__MAX)
        entry_wd(&entry, index, secret);
    else
        entry_void(&entry, index, why);
    assert_int_equal(db_log_append(db, &entry, &at), DB_OK);
    assert_int_equal(db_submission_erase(db, index, why), DB_OK);
    assert_int_equal(db_submission_live(db, index, &live), DB_OK);
    assert_false(live);
    buf_release(&entry);
}

/* Ends the transaction; true if it was committed. */
static bool end_random(uint64_t *random, const struct totals *before)
{
    struct totals after;

    if (below(random, 4) == 0)
        assert_tables_sum_up();
    if (below(random, 10) == 0)
        assert_int_equal(db_signers_write_all(db), DB_OK);
    if (below(random, 4) > 0) {
        commit();
        return true;
    }
    db_rollback(db);
    assert_int_equal(db_totals(db, &after), DB_OK);
    assert_memory_equal(&after, before, sizeof after);
    return false;
}

static void the_counters_are_a_recount_after_any_sequence(void **state)
{
    uint64_t random = 19911023;
    struct totals before;
    int commits = 0;

    (void)state;
    assert_int_equal(db_totals(db, &before), DB_OK);
    begin();
    for (int step = 0; step < PROPERTY_STEPS; step++) {
        if (below(&random, 5) < 3)
            add_random(&random);
        else
            erase_random(&random);
        if (below(&random, 8) > 0)
            continue;
        if (end_random(&random, &before)) {
            if (++commits % REOPEN_EVERY == 0) {
                assert_reasons_are_a_recount();
                reopen();
            }
            assert_all_is_a_recount();
            assert_int_equal(db_totals(db, &before), DB_OK);
        }
        begin();
    }
    db_rollback(db);
    assert_true(commits > PROPERTY_STEPS / 20);
    reopen();
    assert_all_is_a_recount();
    assert_reasons_are_a_recount();
    assert_tables_sum_up();
    assert_true(before.live > PEOPLE && before.withdrawn > 0 && before.removed[VOID_LOST] > 0);
}

/* More distinct cells in one batch than are gathered in memory. */
static void a_batch_of_many_days_is_counted_like_any_other(void **state)
{
    uint8_t tag[TAG_LEN];
    struct submission s = {.tag = tag, .tier = TIER_PAPER, .country = "FR"};

    (void)state;
    begin();
    for (int i = 0; i < 3000; i++) {
        fill(tag, sizeof tag, (uint64_t)i);
        s.day = i % 1500;
        assert_true(add_submission(db, &s) > 0);
    }
    for (int64_t index = 1; index <= 1000; index++) {
        assert_int_equal(append_entry(db, (uint64_t)index), 3000 + index);
        assert_int_equal(db_submission_erase(db, index, VOID_TEST), DB_OK);
    }
    assert_tables_sum_up();
    commit();
    assert_int_equal(live_of(db), 2000);
    assert_int_equal(query(DIFFERENCE("SELECT day, country, tier, n FROM tally WHERE n > 0",
                                      RECOUNT_TALLY)),
                     0);
}

static void a_contact_counts_once_and_as_confirmed_while_one_of_its_confirmed_lives(void **state)
{
    uint8_t tag[TAG_LEN] = {1};
    struct submission s = {.tag = tag, .tier = TIER_UNCONFIRMED, .country = "KH", .day = DAY};
    struct totals t;

    (void)state;
    begin();
    assert_int_equal(add_submission(db, &s), 1);
    s.tier = TIER_CONFIRMED;
    assert_int_equal(add_submission(db, &s), 2);
    assert_int_equal(add_submission(db, &s), 3);
    commit();
    assert_int_equal(db_totals(db, &t), DB_OK);
    assert_true(t.live == 3 && t.signatures == 1 && t.confirmed == 1);
    begin();
    assert_int_equal(db_submission_erase(db, 2, VOID__MAX), DB_OK);
    assert_int_equal(db_submission_erase(db, 2, VOID__MAX), DB_NO_ROW);
    commit();
    assert_int_equal(db_totals(db, &t), DB_OK);
    assert_true(t.live == 2 && t.signatures == 1 && t.confirmed == 1 && t.withdrawn == 1);
    begin();
    assert_int_equal(db_submission_erase(db, 3, VOID_FRAUD), DB_OK);
    commit();
    assert_int_equal(db_totals(db, &t), DB_OK);
    assert_true(t.live == 1 && t.signatures == 1 && t.confirmed == 0 && t.removed[VOID_FRAUD] == 1);
    begin();
    assert_int_equal(db_submission_erase(db, 1, VOID__MAX), DB_OK);
    commit();
    assert_int_equal(db_totals(db, &t), DB_OK);
    assert_true(t.live == 0 && t.signatures == 0 && t.withdrawn == 2);
    assert_int_equal(query("SELECT count(*) FROM signer"), 0);
}

static void shown_figures_and_their_jitter_are_kept(void **state)
{
    const struct shown count = {120, 7}, confirmed = {30, 3};
    struct totals t;

    (void)state;
    begin();
    db_set_shown(db, &count, &confirmed);
    db_rollback(db);
    assert_int_equal(db_totals(db, &t), DB_OK);
    assert_true(t.shown_count.value == 0 && t.shown_count.jitter == 0);
    begin();
    db_set_shown(db, &count, &confirmed);
    commit();
    reopen();
    assert_int_equal(db_totals(db, &t), DB_OK);
    assert_true(t.shown_count.value == 120 && t.shown_count.jitter == 7);
    assert_true(t.shown_confirmed.value == 30 && t.shown_confirmed.jitter == 3);
}

static void add_at(const char *country, enum tier tier, day_number day)
{
    static uint64_t person;
    uint8_t tag[TAG_LEN];
    struct submission s = {.tag = tag, .tier = tier, .day = day};

    memcpy(s.country, country, sizeof s.country);
    fill(tag, sizeof tag, ++person);
    assert_true(add_submission(db, &s) > 0);
}

static void assert_table(enum db_table which, day_number before, const char *expected)
{
    struct buf text;
    struct table t;

    buf_init(&text, BUF_UNLIMITED);
    assert_int_equal(db_table(db, which, before, &t), DB_OK);
    for (size_t i = 0; i < t.count; i++)
        buf_printf(&text, "%s=%" PRIu64 " ", t.cells[i].key, t.cells[i].n);
    assert_string_equal(text.data, expected);
    free(t.cells);
    buf_release(&text);
}

static void tables_are_exact_in_the_order_of_the_key_and_stop_before_a_day(void **state)
{
    struct buf csv;

    (void)state;
    begin();
    add_at("US", TIER_PAPER, DAY);
    add_at("KH", TIER_UNCONFIRMED, DAY);
    add_at("KH", TIER_UNCONFIRMED, DAY - 1);
    add_at("FR", TIER_CONFIRMED, DAY - 2);
    add_at("AU", TIER_CONFIRMED, DAY + 1);
    assert_int_equal(db_submission_erase(db, 5, VOID_TEST), DB_OK);
    commit();
    assert_table(DB_BY_COUNTRY, DAY + 9, "FR=1 KH=2 US=1 ");
    assert_table(DB_BY_COUNTRY, DAY, "FR=1 KH=1 ");
    assert_table(DB_BY_DAY, DAY + 1, "2017-10-21=1 2017-10-22=1 2017-10-23=2 ");
    assert_table(DB_BY_DAY, DAY - 2, "");
    assert_table(DB_BY_TIER, DAY + 1, "confirmed=1 paper=1 unconfirmed=2 ");
    buf_init(&csv, BUF_UNLIMITED);
    assert_int_equal(db_tally_csv(db, &csv), DB_OK);
    assert_string_equal(csv.data, "FR,confirmed,2017-10-21,1\r\n"
                                  "KH,unconfirmed,2017-10-22,1\r\n"
                                  "KH,unconfirmed,2017-10-23,1\r\n"
                                  "US,paper,2017-10-23,1\r\n");
    buf_release(&csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(the_counters_are_a_recount_after_any_sequence),
        CLAIM(a_batch_of_many_days_is_counted_like_any_other),
        CLAIM(a_contact_counts_once_and_as_confirmed_while_one_of_its_confirmed_lives),
        CLAIM(shown_figures_and_their_jitter_are_kept),
        CLAIM(tables_are_exact_in_the_order_of_the_key_and_stop_before_a_day),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
