/*
 * test_lookup: what is said of an entry of a log with withdrawals, removals and deliveries, as of
 * what is published; and that its proof holds.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "log_fixture.h"

#include "lookup.h"
#include "tlog_proof.h"

#include <sodium.h>

static struct tiles *tiles;
static struct lookup *lookup;

static int open_log(void **state)
{
    struct buf err;

    open_head(state);
    buf_init(&err, BUF_UNLIMITED);
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
    return close_head(state);
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
