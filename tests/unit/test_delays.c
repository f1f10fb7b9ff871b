/*
 * test_delays: how long a password may not be tried again, and that nobody makes others wait.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "delays.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct delays *d;

static int open_delays(void **state)
{
    (void)state;
    d = malloc(sizeof *d);
    if (!d)
        return -1;
    delays_init(d);
    return 0;
}

static int close_delays(void **state)
{
    (void)state;
    free(d);
    return 0;
}

static struct visitor client(uint32_t number)
{
    struct visitor v = {{1}};

    memcpy(v.hash + 1, &number, sizeof number);
    return v;
}

static int wait_of(const char *name, uint32_t number, int64_t now_s)
{
    struct visitor v = client(number);

    return delays_wait(d, name, &v, now_s);
}

static void fail_of(const char *name, uint32_t number, int64_t now_s)
{
    struct visitor v = client(number);

    delays_fail(d, name, &v, now_s);
}

static void test_failures_of_a_client_are_of_all_its_names(void **state)
{
    struct visitor one = client(1), other = client(2), none = client(3);

    (void)state;
    fail_of("admin", 1, 1000);
    fail_of("admin", 1, 1100);
    fail_of("sok", 1, 1200);
    fail_of("admin", 2, 1300);
    assert_int_equal(delays_failures(d, &one), 3);
    assert_int_equal(delays_failures(d, &other), 1);
    assert_int_equal(delays_failures(d, &none), 0);
    delays_forget(d, "admin", &one);
    assert_int_equal(delays_failures(d, &one), 1);
}

static void test_grows_to_fifteen_minutes(void **state)
{
    static const int expected[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900};
    int64_t now_s = 1000;

    (void)state;
    assert_int_equal(wait_of("admin", 1, now_s), 0);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        fail_of("admin", 1, now_s);
        assert_int_equal(wait_of("admin", 1, now_s), expected[i]);
        assert_int_equal(wait_of("admin", 1, now_s + expected[i] - 1), 1);
        now_s += expected[i];
        assert_int_equal(wait_of("admin", 1, now_s), 0);
    }
}

static void test_guesses_from_elsewhere_lock_nobody_out(void **state)
{
    int64_t now_s = 1000;

    (void)state;
    for (uint32_t i = 0; i < 500; i++)
        fail_of("admin", 100 + i % 50, now_s += 3);
    assert_int_equal(wait_of("admin", 149, now_s), 512);
    assert_int_equal(wait_of("admin", 1, now_s), 0);
    /* A mistake of one's own costs thirty seconds then, and nothing makes them more. */
    fail_of("admin", 1, now_s);
    assert_int_equal(wait_of("admin", 1, now_s), DELAYS_NAME_MAX_S);
    for (uint32_t i = 0; i < 500; i++)
        fail_of("admin", 100 + i % 50, now_s);
    assert_int_equal(wait_of("admin", 1, now_s), DELAYS_NAME_MAX_S);
    assert_int_equal(wait_of("admin", 1, now_s + DELAYS_NAME_MAX_S), 0);
    assert_int_equal(wait_of("other", 149, now_s), 0);
}

static void test_many_addresses_wait_longer_for_one_name(void **state)
{
    static const int expected[] = {1, 2, 4, 8, 16, 30, 30};

    (void)state;
    for (uint32_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        fail_of("admin", i, 1000);
        assert_int_equal(wait_of("admin", i, 1000), expected[i]);
    }
}

static void test_forgetting(void **state)
{
    struct visitor one = client(1);

    (void)state;
    for (int i = 0; i < 8; i++)
        for (uint32_t from = 1; from <= 2; from++)
            fail_of("admin", from, 1000);
    fail_of("other", 1, 1000);
    delays_forget(d, "admin", &one);
    assert_int_equal(wait_of("admin", 1, 1000), 0);
    assert_int_equal(wait_of("admin", 2, 1000), 128);
    fail_of("admin", 1, 1000);
    assert_int_equal(wait_of("admin", 1, 1000), 1);
    delays_forget(d, "admin", NULL);
    assert_int_equal(wait_of("admin", 1, 1000), 0);
    assert_int_equal(wait_of("admin", 2, 1000), 0);
    assert_int_equal(wait_of("other", 1, 1000), 1);
}

static void test_a_flood_of_names_does_not_end_a_long_wait(void **state)
{
    char name[20];

    (void)state;
    for (int i = 0; i < 12; i++)
        fail_of("admin", 1, 1000);
    for (int i = 0; i < 3 * DELAYS_ENTRIES; i++) {
        snprintf(name, sizeof name, "name-%d", i);
        fail_of(name, 1, 1001);
        assert_int_equal(wait_of(name, 1, 1001), 1);
    }
    assert_int_equal(wait_of("admin", 1, 1001), DELAYS_MAX_S - 1);
}

static void test_a_visitor_is_another_one_the_next_day(void **state)
{
    const int64_t midnight_s = 20000 * INT64_C(86400);
    struct peer_address here = {{1, 2, 3}}, there = {{1, 2, 4}};
    struct visitor_key key;
    struct visitor a, b;

    (void)state;
    visitor_key_init(&key, midnight_s - 100);
    visitor_of(&key, &a, &here, midnight_s - 50);
    visitor_of(&key, &b, &here, midnight_s - 1);
    assert_true(visitor_same(&a, &b));
    visitor_of(&key, &b, &there, midnight_s - 1);
    assert_false(visitor_same(&a, &b));
    visitor_of(&key, &b, &here, midnight_s);
    assert_false(visitor_same(&a, &b));
    visitor_of(&key, &a, &here, midnight_s + 86399);
    assert_true(visitor_same(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_failures_of_a_client_are_of_all_its_names, open_delays,
                                        close_delays),
        cmocka_unit_test_setup_teardown(test_grows_to_fifteen_minutes, open_delays, close_delays),
        cmocka_unit_test_setup_teardown(test_guesses_from_elsewhere_lock_nobody_out, open_delays,
                                        close_delays),
        cmocka_unit_test_setup_teardown(test_many_addresses_wait_longer_for_one_name, open_delays,
                                        close_delays),
        cmocka_unit_test_setup_teardown(test_forgetting, open_delays, close_delays),
        cmocka_unit_test_setup_teardown(test_a_flood_of_names_does_not_end_a_long_wait, open_delays,
                                        close_delays),
        cmocka_unit_test(test_a_visitor_is_another_one_the_next_day),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
