/*
 * test_recent: the last 65,536 submissions are remembered, whatever their keys collide in.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "recent.h"
#include "support.h"

#include <sodium.h>
#include <stdlib.h>

#define MODEL_STEPS 200000
#define POOL        3000 /* keys */
#define CHAINS      251  /* buckets that they are in */

static struct recent *r;

static int open_recent(void **state)
{
    (void)state;
    r = recent_new();
    return 0;
}

static int close_recent(void **state)
{
    (void)state;
    recent_free(r);
    return 0;
}

static void add(uint64_t number, int64_t index)
{
    uint8_t key[RECENT_KEY_LEN];

    fill(key, sizeof key, number);
    recent_add(r, key, index);
}

static int64_t find(uint64_t number)
{
    uint8_t key[RECENT_KEY_LEN];

    fill(key, sizeof key, number);
    return recent_find(r, key);
}

static void nothing_is_known_at_first(void **state)
{
    const uint8_t zero[RECENT_KEY_LEN] = {0};

    (void)state;
    assert_int_equal(find(1), -1);
    assert_int_equal(recent_find(r, zero), -1);
}

static void as_many_as_there_is_room_for_are_kept_and_then_the_oldest_is_forgotten(void **state)
{
    (void)state;
    for (int64_t i = 0; i < RECENT_COUNT; i++)
        add((uint64_t)i, i);
    for (int64_t i = 0; i < RECENT_COUNT; i++)
        assert_int_equal(find((uint64_t)i), i);
    for (int64_t i = 0; i < 1000; i++) {
        add((uint64_t)(RECENT_COUNT + i), RECENT_COUNT + i);
        assert_int_equal(find((uint64_t)i), -1);
        assert_int_equal(find((uint64_t)i + 1), i + 1);
        assert_int_equal(find((uint64_t)(RECENT_COUNT + i)), RECENT_COUNT + i);
    }
}

static void the_newest_index_under_a_key_is_found(void **state)
{
    (void)state;
    add(1, 10);
    add(2, 11);
    add(1, 12);
    assert_int_equal(find(1), 12);
    for (uint64_t i = 0; i < RECENT_COUNT - 1; i++)
        add(100 + i, 0);
    assert_int_equal(find(2), -1);
    assert_int_equal(find(1), 12); /* its first place is forgotten, its second is not */
    add(99, 0);
    assert_int_equal(find(1), -1);
}

static void a_key_is_compared_whole(void **state)
{
    uint8_t key[RECENT_KEY_LEN] = {1, 2, 3};

    (void)state;
    recent_add(r, key, 5);
    for (int i = 0; i < RECENT_KEY_LEN; i++) {
        key[i] ^= 0x80;
        assert_int_equal(recent_find(r, key), -1);
        key[i] ^= 0x80;
    }
    assert_int_equal(recent_find(r, key), 5);
}

static void what_was_rolled_back_is_taken_back(void **state)
{
    (void)state;
    add(1, 1);
    add(2, 2);
    add(3, 3);
    recent_take_back(r, 0);
    assert_int_equal(find(3), 3);
    recent_take_back(r, 2);
    assert_int_equal(find(1), 1);
    assert_int_equal(find(2), -1);
    assert_int_equal(find(3), -1);
    add(3, 2);
    assert_int_equal(find(3), 2);
    recent_take_back(r, RECENT_COUNT + 5);
    assert_int_equal(find(1), -1);
    assert_int_equal(find(3), -1);
}

/* ---- against a plain list */

struct added {
    uint32_t key;
    int64_t index;
    bool overwritten;
};

/* Keys of the pool share few buckets, so the chains are long. */
static void pool_key(uint8_t key[RECENT_KEY_LEN], uint32_t number)
{
    fill(key, RECENT_KEY_LEN, number);
    key[0] = 7;
    key[1] = (uint8_t)(number % CHAINS);
}

static int64_t find_in_list(const struct added *list, size_t count, uint32_t key)
{
    size_t oldest = count > RECENT_COUNT ? count - RECENT_COUNT : 0;

    while (count-- > oldest)
        if (list[count].key == key && !list[count].overwritten)
            return list[count].index;
    return -1;
}

static void any_sequence_gives_what_a_plain_list_gives(void **state)
{
    struct added *list = xcalloc(MODEL_STEPS, sizeof *list);
    uint64_t random = 65536;
    size_t count = 0;

    (void)state;
    for (int step = 0; step < MODEL_STEPS; step++) {
        uint32_t number = below(&random, POOL);
        uint8_t key[RECENT_KEY_LEN];

        pool_key(key, number);
        if (below(&random, 2000) == 0 && count > 50) {
            size_t back = below(&random, 50);

            recent_take_back(r, back);
            count -= back;
            continue;
        }
        if (step % 40 == 0) {
            assert_int_equal(recent_find(r, key), find_in_list(list, count, number));
            pool_key(key, POOL + number); /* never added: to the end of the chain */
            assert_int_equal(recent_find(r, key), -1);
            pool_key(key, number);
        }
        recent_add(r, key, step);
        if (count >= RECENT_COUNT)
            list[count - RECENT_COUNT].overwritten = true;
        list[count++] = (struct added){number, step, false};
    }
    assert_true(count > 2 * RECENT_COUNT);
    for (uint32_t number = 0; number < POOL; number++) {
        uint8_t key[RECENT_KEY_LEN];

        pool_key(key, number);
        assert_int_equal(recent_find(r, key), find_in_list(list, count, number));
    }
    free(list);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_recent, close_recent)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(nothing_is_known_at_first),
        CLAIM(as_many_as_there_is_room_for_are_kept_and_then_the_oldest_is_forgotten),
        CLAIM(the_newest_index_under_a_key_is_found),
        CLAIM(a_key_is_compared_whole),
        CLAIM(what_was_rolled_back_is_taken_back),
        CLAIM(any_sequence_gives_what_a_plain_list_gives),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
