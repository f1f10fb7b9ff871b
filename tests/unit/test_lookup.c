/*
 * test_lookup: what is said of an entry of a log with withdrawals, removals and deliveries, as of
 * what is published; and that its proof holds.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "database_fixture.h"

#include "lookup.h"
#include "tlog_proof.h"

#include <sodium.h>

#define ORIGIN "lookup.example/log"

static struct writer *writer;
static struct head *head;
static struct tiles *tiles;
static struct lookup *lookup;

/* Jobs that append entries, and publish. */
struct append_job {
    struct job job;
    const char *text; /* NULL: the `count` next sign entries */
    int count;
    struct tlog_edge edge; /* afterwards */
};

static int apply_append(struct job *job, struct db *to)
{
    struct append_job *a = (struct append_job *)job;
    uint8_t c[HASH_LEN] = {0}, w[HASH_LEN] = {0};
    int64_t index;
    struct buf body;
    int result = DB_OK;

    buf_init(&body, BUF_UNLIMITED);
    for (int i = 0; i < a->count && result == DB_OK; i++) {
        buf_clear(&body);
        if (a->text)
            buf_adds(&body, a->text);
        else {
            memcpy(c, &(int64_t){db_log_size(to)}, sizeof(int64_t));
            entry_sign(&body, c, w);
        }
        result = db_log_append(to, &body, &index);
    }
    buf_release(&body);
    tlog_edge_copy(&a->edge, db_log_right_edge(to));
    return result;
}

static struct append_job last_job;

static void append(const char *text, int count)
{
    last_job = (struct append_job){.job = {.apply = apply_append}, .text = text, .count = count};
    assert_int_equal(writer_run(writer, &last_job.job), JOB_COMMITTED);
}

static void append_wd(int64_t index)
{
    const uint8_t secret[HASH_LEN] = {0};
    struct buf entry;

    buf_init(&entry, BUF_UNLIMITED);
    entry_wd(&entry, index, secret);
    append(entry.data, 1);
    buf_release(&entry);
}

static void append_dlv(int64_t n, int64_t size)
{
    const struct dlv_entry d = {.n = n, .size = size};
    struct buf entry;

    buf_init(&entry, BUF_UNLIMITED);
    entry_dlv(&entry, &d);
    append(entry.data, 1);
    buf_release(&entry);
}

static void publish(void)
{
    assert_int_equal(head_publish(head, writer, &last_job.edge), 0);
}

static int open_log(void **state)
{
    char key_path[80];
    const char *why;
    struct note_key *key;
    struct buf err;

    open_new(state);
    buf_init(&err, BUF_UNLIMITED);
    snprintf(key_path, sizeof key_path, "%s/log.key", folder);
    assert_int_equal(note_key_create(key_path, ORIGIN), 0);
    key = note_key_open(key_path, &why);
    assert_non_null(key);
    head = head_open(folder, key, db, &err);
    assert_non_null(head);
    writer = writer_open(db, 100, NULL);
    db = NULL; /* the writer's */
    tiles = tiles_open(path, head, &err);
    lookup = lookup_open(path, head, tiles, &err);
    assert_non_null(lookup);
    buf_release(&err);
    return 0;
}

static int close_log(void **state)
{
    lookup_close(lookup);
    tiles_close(tiles);
    writer_close(writer);
    head_close(head);
    return close_all(state);
}

static struct lookup_entry seen(int64_t index)
{
    struct lookup_entry e;

    assert_int_equal(lookup_entry(lookup, index, &e), DB_OK);
    return e;
}

static void assert_unknown(int64_t index)
{
    struct lookup_entry e;

    assert_int_equal(lookup_entry(lookup, index, &e), DB_NO_ROW);
}

static void nothing_is_told_before_it_is_published(void **state)
{
    (void)state;
    append(NULL, 5); /* behind entry 0 */
    assert_unknown(1);
    publish();
    assert_int_equal(seen(1).since, 6);
    assert_int_equal(seen(1).end, -1);
    append_wd(1);
    assert_int_equal(seen(1).end, -1);
    append(NULL, 1);
    assert_unknown(7);
    publish();
    assert_int_equal(seen(1).since, 6);
    assert_int_equal(seen(1).end, 6);
    assert_int_equal(seen(1).why, VOID__MAX);
    assert_int_equal(seen(7).since, 8);
    assert_unknown(8);
    assert_unknown(-1);
    assert_unknown(INT64_MAX);
    /* What is no signature. */
    assert_unknown(0);
    assert_unknown(6);
}

static void a_removal_has_its_reason(void **state)
{
    (void)state;
    append(NULL, 5);
    for (int why = 0; why < VOID__MAX; why++) {
        char text[80];

        snprintf(text, sizeof text, "{\"v\":1,\"t\":\"void\",\"i\":%d,\"why\":\"%s\"}", why + 1,
                 void_why_names[why]);
        append(text, 1);
    }
    publish();
    for (int why = 0; why < VOID__MAX; why++) {
        assert_int_equal(seen(why + 1).end, 6 + why);
        assert_int_equal(seen(why + 1).why, why);
    }
}

static void assert_in(int64_t index, const char *expected)
{
    const struct lookup_entry e = seen(index);
    char text[100] = "";

    for (size_t i = 0; i < e.delivery_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d ", (int)e.deliveries[i]);
    assert_string_equal(text, expected);
}

static void a_signature_was_in_the_deliveries_frozen_while_it_was_live(void **state)
{
    (void)state;
    append(NULL, 4);                                                /* 1 to 4 */
    append_wd(1);                                                   /* 5 */
    append_dlv(1, 6);                                               /* 6 */
    append_wd(2);                                                   /* 7 */
    append(NULL, 1);                                                /* 8 */
    append_dlv(2, 9);                                               /* 9 */
    append("{\"v\":1,\"t\":\"void\",\"i\":3,\"why\":\"test\"}", 1); /* 10 */
    publish();
    assert_in(1, "");
    assert_in(2, "1 ");
    assert_in(3, "1 2 ");
    assert_in(4, "1 2 ");
    assert_in(8, "2 ");
    /* One that is not published is not told. */
    append_dlv(3, 11);
    assert_in(4, "1 2 ");
    publish();
    assert_in(4, "1 2 3 ");
}

/* Each is frozen where it is entered: behind entry 0 and one signature. */
static void append_deliveries(int from, int to)
{
    for (int n = from; n <= to; n++)
        append_dlv(n, n + 1);
}

static void as_many_deliveries_as_are_named_are_all(void **state)
{
    (void)state;
    append(NULL, 1);
    append_deliveries(1, LOOKUP_DELIVERIES_MAX);
    publish();
    assert_int_equal(seen(1).delivery_count, LOOKUP_DELIVERIES_MAX);
    assert_int_equal(seen(1).deliveries[LOOKUP_DELIVERIES_MAX - 1], LOOKUP_DELIVERIES_MAX);
    assert_false(seen(1).more_deliveries);
    append_wd(1);
    append_dlv(LOOKUP_DELIVERIES_MAX + 1, LOOKUP_DELIVERIES_MAX + 3);
    publish();
    assert_false(seen(1).more_deliveries);
}

static void one_delivery_more_than_are_named_is_told(void **state)
{
    (void)state;
    append(NULL, 1);
    append_deliveries(1, LOOKUP_DELIVERIES_MAX + 1);
    append_wd(1);
    publish();
    assert_int_equal(seen(1).delivery_count, LOOKUP_DELIVERIES_MAX);
    assert_int_equal(seen(1).deliveries[0], 1);
    assert_true(seen(1).more_deliveries);
}

static void the_proof_of_every_entry_holds_at_every_size(void **state)
{
    static const int steps[] = {1, 253, 1, 1, 300};
    struct tlog_proof proof;
    struct checkpoint c;
    struct buf file;
    int64_t size = 1;

    (void)state;
    for (size_t step = 0; step < sizeof steps / sizeof *steps; step++) {
        append(NULL, steps[step]);
        size += steps[step];
        publish();
        for (int64_t index = 0; index < size; index += index < size - 3 ? 7 : 1) {
            buf_init(&file, BUF_UNLIMITED);
            tlog_proof_init(&proof);
            assert_int_equal(lookup_proof(lookup, index, &file), DB_OK);
            assert_int_equal(tlog_proof_parse(&proof, file.data, file.len), 0);
            assert_null(tlog_proof_verify(&proof, lookup_verifier(lookup), &c));
            assert_int_equal(proof.index, index);
            assert_int_equal(c.tree.size, size);
            assert_int_equal(lookup_begins_with(lookup, &c.tree), DB_OK);
            tlog_proof_release(&proof);
            buf_release(&file);
        }
    }
    append(NULL, 1);
    buf_init(&file, BUF_UNLIMITED);
    assert_int_equal(lookup_proof(lookup, size, &file), DB_NO_ROW);
    assert_int_equal(file.len, 0);
    buf_release(&file);
}

static void a_tree_is_recognised_after_the_log_has_grown_and_no_other_is(void **state)
{
    struct merkle_tree tree;

    (void)state;
    append(NULL, 299);
    publish();
    head_tree(head, &tree);
    assert_int_equal(tree.size, 300);
    append(NULL, 700);
    publish();
    assert_int_equal(lookup_begins_with(lookup, &tree), DB_OK);
    tree.size = 299;
    assert_int_equal(lookup_begins_with(lookup, &tree), DB_NO_ROW);
    tree.size = 300;
    tree.root[31] ^= 1;
    assert_int_equal(lookup_begins_with(lookup, &tree), DB_NO_ROW);
    tree.size = 1001;
    assert_int_equal(lookup_begins_with(lookup, &tree), DB_NO_ROW);
    tree.size = 0;
    assert_int_equal(lookup_begins_with(lookup, &tree), DB_NO_ROW);
}

static void a_submission_ends_once(void **state)
{
    (void)state;
    append(NULL, 2);
    append_wd(1);
    last_job.text = "{\"v\":1,\"t\":\"void\",\"i\":1,\"why\":\"test\"}";
    assert_int_equal(writer_run(writer, &last_job.job), JOB_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_told_before_it_is_published, open_log,
                                        close_log),
        cmocka_unit_test_setup_teardown(a_removal_has_its_reason, open_log, close_log),
        cmocka_unit_test_setup_teardown(a_signature_was_in_the_deliveries_frozen_while_it_was_live,
                                        open_log, close_log),
        cmocka_unit_test_setup_teardown(as_many_deliveries_as_are_named_are_all, open_log,
                                        close_log),
        cmocka_unit_test_setup_teardown(one_delivery_more_than_are_named_is_told, open_log,
                                        close_log),
        cmocka_unit_test_setup_teardown(the_proof_of_every_entry_holds_at_every_size, open_log,
                                        close_log),
        cmocka_unit_test_setup_teardown(
            a_tree_is_recognised_after_the_log_has_grown_and_no_other_is, open_log, close_log),
        cmocka_unit_test_setup_teardown(a_submission_ends_once, open_log, close_log),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
