/*
 * test_random: randombytes_* from blocks: nothing is given twice, not to a forked child either.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "random.h"

#include <sodium.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRAWS 5000

static void no_two_draws_are_alike(void **state)
{
    static uint8_t drawn[DRAWS][16];

    (void)state;
    for (size_t i = 0; i < DRAWS; i++) {
        randombytes_buf(drawn[i], sizeof drawn[i]);
        assert_false(sodium_is_zero(drawn[i], sizeof drawn[i]));
        if (i > 0)
            assert_memory_not_equal(drawn[i], drawn[i - 1], sizeof drawn[i]);
        if (i >= 64) /* a block before */
            assert_memory_not_equal(drawn[i], drawn[i - 64], sizeof drawn[i]);
    }
}

static void every_byte_of_a_draw_is_drawn(void **state)
{
    uint8_t out[300], seen[300];

    (void)state;
    for (size_t len = 0; len <= sizeof out; len += 1 + len / 8) {
        memset(seen, 0, sizeof seen);
        for (int i = 0; i < 16; i++) { /* all 0 by chance: once in 2^128 */
            memset(out, 0, sizeof out);
            randombytes_buf(out, len);
            for (size_t at = 0; at < sizeof out; at++)
                seen[at] |= out[at];
        }
        for (size_t at = 0; at < sizeof out; at++)
            assert_int_equal(seen[at] != 0, at < len);
    }
}

static void numbers_are_below_their_bound(void **state)
{
    int seen[10] = {0};

    (void)state;
    for (int i = 0; i < 2000; i++) {
        uint32_t n = randombytes_uniform(10);

        assert_in_range(n, 0, 9);
        seen[n]++;
    }
    for (int i = 0; i < 10; i++)
        assert_true(seen[i] > 100);
}

static void a_forked_child_draws_others(void **state)
{
    uint8_t ours[16], theirs[16];
    int ends[2], status;
    pid_t child;

    (void)state;
    randombytes_buf(ours, 1); /* the block is there */
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        randombytes_stir();
        randombytes_buf(theirs, sizeof theirs);
        _exit(write(ends[1], theirs, sizeof theirs) != sizeof theirs);
    }
    close(ends[1]);
    randombytes_buf(ours, sizeof ours);
    assert_int_equal(read(ends[0], theirs, sizeof theirs), sizeof theirs);
    assert_memory_not_equal(ours, theirs, sizeof ours);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_draws_are_alike),
        cmocka_unit_test(every_byte_of_a_draw_is_drawn),
        cmocka_unit_test(numbers_are_below_their_bound),
        cmocka_unit_test(a_forked_child_draws_others),
    };

    random_install();
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
