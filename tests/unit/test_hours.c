/*
 * test_hours: the ring of the last hours, by a clock that the test sets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "hours.h"

#define HOUR  INT64_C(3600)
#define START (419100 * HOUR) /* a full hour in 2017 */

static struct hours hours;

static int init(void **state)
{
    (void)state;
    hours_init(&hours, START);
    return 0;
}

static uint64_t count_at(int64_t now_s, int hour)
{
    uint64_t counts[HOURS_COUNT];

    hours_read(&hours, now_s, counts);
    return counts[hour];
}

static uint64_t sum_at(int64_t now_s)
{
    uint64_t counts[HOURS_COUNT], sum = 0;

    hours_read(&hours, now_s, counts);
    for (int i = 0; i < HOURS_COUNT; i++)
        sum += counts[i];
    return sum;
}

static void test_an_hour_begins_at_its_first_second(void **state)
{
    (void)state;
    assert_int_equal(sum_at(START), 0);
    hours_add(&hours, START);
    hours_add(&hours, START + HOUR - 1);
    hours_add(&hours, START + HOUR);
    assert_int_equal(count_at(START + HOUR, HOURS_COUNT - 2), 2);
    assert_int_equal(count_at(START + HOUR, HOURS_COUNT - 1), 1);
}

static void test_each_hour_moves_back_and_drops_out_after_a_day(void **state)
{
    (void)state;
    hours_add(&hours, START + 10);
    for (int back = 0; back < HOURS_COUNT; back++) {
        assert_int_equal(count_at(START + back * HOUR, HOURS_COUNT - 1 - back), 1);
        assert_int_equal(sum_at(START + back * HOUR + HOUR - 1), 1);
    }
    assert_int_equal(sum_at(START + HOURS_COUNT * HOUR), 0);
}

static void test_a_slot_is_used_anew_the_next_day(void **state)
{
    (void)state;
    for (int64_t hour = 0; hour < 3 * HOURS_COUNT; hour++)
        for (int64_t n = 0; n <= hour; n++)
            hours_add(&hours, START + hour * HOUR + n);
    for (int i = 0; i < HOURS_COUNT; i++)
        assert_int_equal(count_at(START + (3 * HOURS_COUNT - 1) * HOUR, i),
                         2 * HOURS_COUNT + i + 1);
}

static void test_quiet_hours_are_empty_not_those_of_yesterday(void **state)
{
    (void)state;
    for (int hour = 0; hour < HOURS_COUNT; hour++)
        hours_add(&hours, START + hour * HOUR);
    hours_add(&hours, START + (HOURS_COUNT + 10) * HOUR);
    assert_int_equal(sum_at(START + (HOURS_COUNT + 10) * HOUR), HOURS_COUNT - 11 + 1);
    for (int i = HOURS_COUNT - 11; i < HOURS_COUNT - 1; i++)
        assert_int_equal(count_at(START + (HOURS_COUNT + 10) * HOUR, i), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_hour_begins_at_its_first_second, init),
        cmocka_unit_test_setup(test_each_hour_moves_back_and_drops_out_after_a_day, init),
        cmocka_unit_test_setup(test_a_slot_is_used_anew_the_next_day, init),
        cmocka_unit_test_setup(test_quiet_hours_are_empty_not_those_of_yesterday, init),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
