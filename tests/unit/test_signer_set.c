/*
 * test_signer_set: who has come and not gone is there, and nobody else, whatever places they share.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "signer_set.h"
#include "support.h"

#include <string.h>

#define MANY        200000
#define MODEL_STEPS 300000
#define POOL        900 /* contacts, in one part of the set */

static struct signer_set *set;

static int open_set(void **state)
{
    (void)state;
    set = signer_set_new(MANY / 4);
    return 0;
}

static int close_set(void **state)
{
    (void)state;
    signer_set_free(set);
    return 0;
}

static bool come(uint64_t number)
{
    uint8_t head[SIGNER_SET_HEAD_LEN];

    fill(head, sizeof head, number);
    return signer_set_add(set, head);
}

static void go(uint64_t number)
{
    uint8_t head[SIGNER_SET_HEAD_LEN];

    fill(head, sizeof head, number);
    signer_set_remove(set, head);
}

static void whoever_comes_twice_is_new_once(void **state)
{
    (void)state;
    assert_int_equal(signer_set_count(set), 0);
    for (uint64_t i = 0; i < MANY; i++)
        assert_true(come(i));
    for (uint64_t i = 0; i < MANY; i++)
        assert_false(come(i));
    assert_int_equal(signer_set_count(set), MANY);
}

static void whoever_has_gone_is_new_again(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < MANY; i++)
        assert_true(come(i));
    for (uint64_t i = 0; i < MANY; i += 2)
        go(i);
    assert_int_equal(signer_set_count(set), MANY / 2);
    for (uint64_t i = 0; i < MANY; i++)
        assert_int_equal(come(i), i % 2 == 0);
    assert_int_equal(signer_set_count(set), MANY);
}

/* All in one part, half of them with nearly the same value, at its end: runs reach past the end of
 * the part and go on at its start. */
static void pooled(uint8_t head[SIGNER_SET_HEAD_LEN], unsigned who)
{
    fill(head, SIGNER_SET_HEAD_LEN, who);
    head[0] = 0;
    if (who % 2 == 0) {
        memset(head + 1, 0xff, SIGNER_SET_HEAD_LEN - 1);
        head[1] = (uint8_t)who;
        head[2] = (uint8_t)(who >> 8);
    }
}

static void any_order_agrees_with_a_model(void **state)
{
    static bool there[POOL];
    uint8_t head[SIGNER_SET_HEAD_LEN];
    uint64_t random = 1991;
    size_t count = 0;

    (void)state;
    memset(there, 0, sizeof there);
    for (int step = 0; step < MODEL_STEPS; step++) {
        uint64_t drawn = next_random(&random) >> 20;
        unsigned who = (unsigned)(drawn % POOL);
        bool goes = drawn / POOL % 100 < (step / 20000 % 2 ? 70 : 30); /* fuller and emptier */

        pooled(head, who);
        if (goes && there[who]) {
            signer_set_remove(set, head);
            there[who] = false;
            count--;
        } else if (!goes) {
            assert_int_equal(signer_set_add(set, head), !there[who]);
            count += !there[who];
            there[who] = true;
        }
        assert_int_equal(signer_set_count(set), count);
    }
}

static void bytes_of_zeros_are_a_contact_like_others(void **state)
{
    const uint8_t zeros[SIGNER_SET_HEAD_LEN] = {0};

    (void)state;
    assert_true(signer_set_add(set, zeros));
    assert_false(signer_set_add(set, zeros));
    signer_set_remove(set, zeros);
    assert_int_equal(signer_set_count(set), 0);
    assert_true(signer_set_add(set, zeros));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whoever_comes_twice_is_new_once, open_set, close_set),
        cmocka_unit_test_setup_teardown(whoever_has_gone_is_new_again, open_set, close_set),
        cmocka_unit_test_setup_teardown(any_order_agrees_with_a_model, open_set, close_set),
        cmocka_unit_test_setup_teardown(bytes_of_zeros_are_a_contact_like_others, open_set,
                                        close_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
