/*
 * Tests of batch, with a real writer: what goes in and out, what a refused or interrupted batch
 * leaves, and that every figure equals a recount whatever came and went.
 */
#include "view_fixture.h"

#include "batch.h"
#include "support.h"

#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <time.h>

static char folder[FOLDER_BYTES], path[64];
static struct identity *identity;
static struct submitter *submitter;
static struct writer *writer;
static struct batches *batches;
static sqlite3 *raw;
static struct batch_result last;

static int begin_attempt(void *ctx)
{
    return submitter_begin(ctx);
}

static void end_attempt(void *ctx, bool committed)
{
    (void)committed;
    submitter_end(ctx);
}

static int set_up_content(void **state)
{
    static const uint8_t pepper[PEPPER_LEN] = {7};
    struct buf err;

    if (sodium_init() < 0 || set_up(state) != 0)
        return -1;
    buf_init(&err, BUF_UNLIMITED);
    identity = identity_new(pepper, view.content->plans, view.content->plan_count,
                            view.content->mail_rules.data, &err);
    buf_release(&err);
    return identity ? 0 : -1;
}

static int tear_down_content(void **state)
{
    identity_free(identity);
    return tear_down(state);
}

/* As after a restart. */
static void renew_batches(void)
{
    if (batches)
        batches_free(batches);
    batches = batches_new(&(struct batches_config){writer, view.content, identity, submitter});
}

static int open_new(void **state)
{
    uint8_t secret[SEAL_KEY_LEN];
    struct submit_config config = {.identity = identity};
    struct writer_hooks hooks = {begin_attempt, end_attempt, NULL};

    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/petition.db", folder);
    seal_key_pair(config.seal_key, secret);
    submitter = submitter_new(&config);
    hooks.ctx = submitter;
    writer = writer_open(new_database(path), 64, &hooks);
    renew_batches();
    assert_int_equal(sqlite3_open_v2(path, &raw, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    assert_int_equal(sqlite3_close(raw), SQLITE_OK);
    batches_free(batches);
    batches = NULL;
    writer_close(writer);
    submitter_free(submitter);
    remove_folder(folder);
    return 0;
}

static int64_t query(const char *sql)
{
    sqlite3_stmt *s = NULL;
    int64_t n;

    assert_int_equal(sqlite3_prepare_v2(raw, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void assert_zero(const char *sql)
{
    if (query(sql) != 0)
        fail_msg("%lld: %s", (long long)query(sql), sql);
}

/* Every figure that is kept, against the rows. */
static void recount(void)
{
    static const char *const differences[] = {
        "SELECT (SELECT live FROM totals) - (SELECT count(tag) FROM submission)",
        "SELECT (SELECT signatures FROM totals) - (SELECT count(DISTINCT tag) FROM submission)",
        "SELECT count(*) FROM tally AS t WHERE n <> (SELECT count(tag) FROM submission AS s"
        " WHERE s.day = t.day AND s.country = t.country AND s.tier = t.tier)",
        "SELECT (SELECT coalesce(sum(n), 0) FROM tally) - (SELECT count(tag) FROM submission)",
        "SELECT count(*) FROM paper_batch AS b WHERE live <> (SELECT count(tag) FROM submission"
        " WHERE batch = b.id)",
        "SELECT count(*) FROM submission WHERE (batch IS NULL) <> (tier <> 1)",
        "SELECT (SELECT withdrawn + void_request + void_duplicate + void_fraud + void_test +"
        " void_lost FROM totals) - (SELECT count(*) FROM submission WHERE tag IS NULL)",
        "SELECT (SELECT count(*) FROM log_entry WHERE CAST(body AS TEXT) LIKE '%\"t\":\"void\"%')"
        " - (SELECT count(*) FROM submission WHERE tag IS NULL)",
    };

    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
        assert_zero(differences[i]);
}

static enum batch_outcome import_file(struct batch_file *file)
{
    file->who = file->who ? file->who : "admin";
    file->label = "sheet";
    file->after = file->after ? file->after : -1;
    batch_import(batches, file, &last);
    return last.outcome;
}

static enum batch_outcome import(const char *text)
{
    struct batch_file file = {.data = text, .len = strlen(text)};

    return import_file(&file);
}

static enum batch_outcome take_out(int64_t id, enum void_why why)
{
    const struct batch_removal removal = {id, why, "admin"};

    batch_remove(batches, &removal, &last);
    return last.outcome;
}

/* Rows of signers from..from+count-1; every third without a contact. */
static void add_rows(struct buf *out, int from, int count)
{
    buf_adds(out, "name,contact,country,visibility\n");
    for (int i = from; i < from + count; i++) {
        buf_printf(out, "Signer %d,", i);
        if (i % 3)
            buf_printf(out, "p%d@example.org", i);
        buf_printf(out, ",%s,%s\n", i % 2 ? "KH" : "FR", visibility_names[i % 3]);
    }
}

static enum batch_outcome import_rows(int from, int count)
{
    struct buf text;
    enum batch_outcome outcome;

    buf_init(&text, BUF_UNLIMITED);
    add_rows(&text, from, count);
    outcome = import(text.data);
    buf_release(&text);
    return outcome;
}

static void a_batch_goes_in_as_tier_paper_and_comes_out_whole(void **state)
{
    (void)state;
    assert_int_equal(import_rows(0, 600), BATCH_DONE);
    assert_int_equal(last.id, 1);
    assert_int_equal(last.stored, 600);
    recount();
    assert_int_equal(query("SELECT signatures FROM totals"), 600);
    assert_int_equal(query("SELECT count(*) FROM submission WHERE tier = 1 AND batch = 1"), 600);
    assert_int_equal(query("SELECT without_contact FROM paper_batch"), 200);
    assert_int_equal(query("SELECT done_s > 0 AND removed_s IS NULL FROM paper_batch"), 1);
    assert_int_equal(take_out(1, VOID_FRAUD), BATCH_DONE);
    assert_int_equal(last.stored, 600);
    recount();
    assert_int_equal(query("SELECT live FROM totals"), 0);
    assert_int_equal(query("SELECT void_fraud FROM totals"), 600);
    assert_int_equal(query("SELECT count(*) FROM submission WHERE name IS NOT NULL OR sealed IS"
                           " NOT NULL OR opening IS NOT NULL"),
                     0);
    assert_int_equal(query("SELECT count(*) FROM audit WHERE who = 'admin' AND ((act ="
                           " 'paper.import' AND detail = '1') OR (act = 'paper.remove' AND detail"
                           " = '1 fraud'))"),
                     2);
    assert_int_equal(take_out(1, VOID_TEST), BATCH_GONE);
    assert_int_equal(take_out(7, VOID_TEST), BATCH_UNKNOWN);
}

static void of_a_file_with_a_wrong_row_nothing_is_stored(void **state)
{
    (void)state;
    assert_int_equal(import("name,country\nA,KH\n,KH\n"), BATCH_WRONG_ROWS);
    assert_int_equal(import("name,country\nA,KH\n\"B,KH\n"), BATCH_FAULT);
    assert_int_equal(last.fault, PAPER_BAD_QUOTES);
    assert_int_equal(import(""), BATCH_FAULT);
    assert_int_equal(last.id, 0);
    assert_int_equal(query("SELECT count(*) FROM paper_batch"), 0);
    assert_int_equal(query("SELECT count(*) FROM audit"), 0);
    assert_int_equal(query("SELECT count(*) FROM log_entry"), 1);
}

static void a_verdict_does_not_depend_on_who_has_signed(void **state)
{
    static const char text[] = "name,contact,country\nA,a@example.org,KH\n";

    (void)state;
    assert_int_equal(import(text), BATCH_DONE);
    assert_int_equal(last.totals.repeats, 0);
    assert_int_equal(import(text), BATCH_DONE);
    assert_int_equal(last.totals.repeats, 0);
    assert_int_equal(query("SELECT signatures FROM totals"), 1);
    assert_int_equal(query("SELECT live FROM totals"), 2);
    assert_int_equal(take_out(1, VOID_DUPLICATE), BATCH_DONE);
    assert_int_equal(query("SELECT signatures FROM totals"), 1);
    recount();
}

static void stop_after_300(void *ctx, size_t stored)
{
    (void)ctx;
    if (stored >= 300)
        batches_stop(batches);
}

static void an_interrupted_batch_is_seen_as_such_and_can_be_removed(void **state)
{
    struct buf text;
    struct batch_file file = {.progress = stop_after_300};

    (void)state;
    buf_init(&text, BUF_UNLIMITED);
    add_rows(&text, 0, 900);
    file.data = text.data;
    file.len = text.len;
    assert_int_equal(import_file(&file), BATCH_INTERRUPTED);
    assert_int_equal(query("SELECT live FROM paper_batch"), (int64_t)last.stored);
    assert_true(last.stored >= 300 && last.stored < 900);
    assert_int_equal(query("SELECT done_s IS NULL FROM paper_batch"), 1);
    recount();
    assert_int_equal(take_out(last.id, VOID_LOST), BATCH_INTERRUPTED);
    renew_batches();
    assert_int_equal(take_out(last.id, VOID_TEST), BATCH_DONE);
    assert_int_equal(query("SELECT void_lost FROM totals"), (int64_t)last.stored);
    assert_int_equal(query("SELECT live FROM totals"), 0);
    file.progress = NULL;
    assert_int_equal(import_file(&file), BATCH_DONE);
    assert_int_equal(query("SELECT live FROM totals"), 900);
    recount();
    buf_release(&text);
}

/* Asks for another import and a removal while one is going on. */
static void ask_for_more(void *ctx, size_t stored)
{
    struct batch_result second;
    const struct batch_file file = {.data = "name,country\nA,KH\n", .len = 18, .after = -1};
    const struct batch_removal removal = {1, VOID_TEST, "admin"};

    (void)stored;
    batch_import(batches, &file, &second);
    assert_int_equal(second.outcome, BATCH_BUSY);
    batch_remove(batches, &removal, &second);
    assert_int_equal(second.outcome, BATCH_BUSY);
    assert_int_equal(batch_in_work(batches), 1);
    ++*(int *)ctx;
}

static void one_batch_is_in_work_at_a_time(void **state)
{
    int asked = 0;
    struct batch_file file = {.data = "name,country\nA,KH\n",
                              .len = 18,
                              .progress = ask_for_more,
                              .ctx = &asked};

    (void)state;
    assert_int_equal(import_file(&file), BATCH_DONE);
    assert_int_equal(asked, 1);
    assert_int_equal(batch_in_work(batches), 0);
    assert_int_equal(query("SELECT count(*) FROM paper_batch"), 1);
}

static void what_is_sent_twice_goes_in_once(void **state)
{
    struct batch_file file = {.data = "name,country\nA,KH\n", .len = 18, .after = 1};

    (void)state;
    assert_int_equal(import("name,country\nA,KH\n"), BATCH_DONE);
    assert_int_equal(import_file(&file), BATCH_DONE);
    assert_int_equal(import_file(&file), BATCH_STALE);
    assert_int_equal(query("SELECT count(*) FROM paper_batch"), 2);
    assert_int_equal(query("SELECT live FROM totals"), 2);
}

struct removing {
    struct job job;
    int64_t index;
};

/* Takes a single row out, as withdrawal and removal by index do. */
static int apply_removing(struct job *job, struct db *db)
{
    struct removing *r = (struct removing *)job;
    struct buf entry;
    int64_t at;
    int result;

    buf_init(&entry, BUF_UNLIMITED);
    entry_void(&entry, r->index, VOID_REQUEST);
    result = db_log_append(db, &entry, &at);
    buf_release(&entry);
    return result == DB_OK ? db_submission_erase(db, r->index, VOID_REQUEST) : result;
}

static void remove_some_row(uint64_t *random)
{
    struct removing r = {.job = {.apply = apply_removing}};
    char sql[160];

    snprintf(sql, sizeof sql,
             "SELECT coalesce((SELECT idx FROM submission WHERE tag IS NOT NULL AND idx >= %u"
             " LIMIT 1), -1)",
             below(random, 2000));
    r.index = query(sql);
    if (r.index >= 0)
        assert_int_equal(writer_run(writer, &r.job), JOB_COMMITTED);
}

static void every_figure_equals_a_recount_after_random_imports_and_removals(void **state)
{
    uint64_t random = 20171023;

    (void)state;
    for (int round = 0; round < 40; round++) {
        int64_t count = query("SELECT count(*) FROM paper_batch");

        if (below(&random, 3) == 0 || count == 0)
            assert_int_equal(import_rows((int)below(&random, 200), 1 + (int)below(&random, 700)),
                             BATCH_DONE);
        else if (below(&random, 2) == 0)
            take_out(1 + below(&random, (uint32_t)count), (enum void_why)below(&random, VOID__MAX));
        else
            remove_some_row(&random);
        recount();
    }
}

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static atomic_bool signing;
static double waits_ms[100000];
static size_t waits;

static int apply_nothing(struct job *job, struct db *db)
{
    (void)job;
    return db_touch(db);
}

/* A signer who comes every two milliseconds, and waits for the commit. */
static void *keep_signing(void *arg)
{
    (void)arg;
    while (atomic_load(&signing) && waits < sizeof waits_ms / sizeof *waits_ms) {
        struct job job = {.apply = apply_nothing};
        double start = now_ms();

        if (writer_run(writer, &job) == JOB_COMMITTED)
            waits_ms[waits++] = now_ms() - start;
        usleep(2000);
    }
    return NULL;
}

static void a_full_file_goes_in_while_others_sign(void **state)
{
    struct buf text;
    pthread_t thread;
    double start;

    (void)state;
    buf_init(&text, BUF_UNLIMITED);
    add_rows(&text, 0, PAPER_ROWS_MAX);
    atomic_store(&signing, true);
    assert_int_equal(pthread_create(&thread, NULL, keep_signing, NULL), 0);
    start = now_ms();
    assert_int_equal(import(text.data), BATCH_DONE);
    print_message("# %d rows in %.1f s\n", PAPER_ROWS_MAX, (now_ms() - start) / 1e3);
    atomic_store(&signing, false);
    assert_int_equal(pthread_join(thread, NULL), 0);
    qsort(waits_ms, waits, sizeof *waits_ms, by_size);
    print_message("# a commit of others meanwhile: median %.1f ms, p99 %.1f ms of %zu\n",
                  waits_ms[waits / 2], waits_ms[waits * 99 / 100], waits);
    recount();
    start = now_ms();
    assert_int_equal(take_out(1, VOID_TEST), BATCH_DONE);
    print_message("# removed in %.1f s\n", (now_ms() - start) / 1e3);
    recount();
    buf_release(&text);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_new, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_batch_goes_in_as_tier_paper_and_comes_out_whole),
        CLAIM(of_a_file_with_a_wrong_row_nothing_is_stored),
        CLAIM(a_verdict_does_not_depend_on_who_has_signed),
        CLAIM(an_interrupted_batch_is_seen_as_such_and_can_be_removed),
        CLAIM(one_batch_is_in_work_at_a_time),
        CLAIM(what_is_sent_twice_goes_in_once),
        CLAIM(every_figure_equals_a_recount_after_random_imports_and_removals),
        CLAIM(a_full_file_goes_in_while_others_sign),
    };

    return cmocka_run_group_tests(tests, set_up_content, tear_down_content);
}
