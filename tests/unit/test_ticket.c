/*
 * test_ticket: the address of a thank-you page gives back what it was made of, for its time, whole
 * and unaltered; its second part opens with the process' key only.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support.h"
#include "ticket.h"

#include <sodium.h>
#include <stdlib.h>

#define NOW_S   INT64_C(1508760000) /* a whole number of quarters of an hour */
#define FIELDS  "{\"name\":\"A\",\"country\":\"KH\"}"
#define CONTACT "ann@example.org"

static char folder[FOLDER_BYTES];
static struct ticket_keys keys;
static struct runkey *runkey;
static struct ticket ticket, back;
static struct buf text;

static int set_up(void **state)
{
    struct buf err;

    (void)state;
    unsetenv("RUNTIME_DIRECTORY");
    make_folder(folder);
    buf_init(&err, BUF_UNLIMITED);
    runkey = runkey_open(folder, &err);
    assert_non_null(runkey);
    buf_release(&err);
    keys = (struct ticket_keys){runkey, ephemeral_new()};
    ticket_init(&ticket);
    ticket_init(&back);
    buf_init(&text, BUF_UNLIMITED);
    ticket.opening.index = INT64_C(1) << 52 | 12345;
    ticket.full = true;
    memset(ticket.seed, 1, SEED_LEN);
    memset(ticket.leaf, 2, HASH_LEN);
    memset(ticket.opening.r, 3, HASH_LEN);
    memset(ticket.opening.r2, 4, HASH_LEN);
    buf_adds(&ticket.opening.contact, CONTACT);
    buf_adds(&ticket.opening.fields, FIELDS);
    ticket_write(&text, &keys, &ticket, NOW_S);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ticket_release(&ticket);
    ticket_release(&back);
    buf_release(&text);
    ephemeral_free(keys.ephemeral);
    runkey_close(runkey);
    remove_folder(folder);
    return 0;
}

static int read_at(int64_t now_s)
{
    ticket_release(&back);
    ticket_init(&back);
    return ticket_read(&back, &keys, text.data, now_s);
}

static void a_ticket_gives_back_what_it_was_made_of(void **state)
{
    (void)state;
    assert_int_equal(read_at(NOW_S), 0);
    assert_int_equal(back.opening.index, ticket.opening.index);
    assert_memory_equal(back.seed, ticket.seed, SEED_LEN);
    assert_memory_equal(back.leaf, ticket.leaf, HASH_LEN);
    assert_true(back.full);
    assert_memory_equal(back.opening.r, ticket.opening.r, HASH_LEN);
    assert_memory_equal(back.opening.r2, ticket.opening.r2, HASH_LEN);
    assert_string_equal(back.opening.contact.data, CONTACT);
    assert_string_equal(back.opening.fields.data, FIELDS);
}

static void a_ticket_without_the_rest_has_its_codes(void **state)
{
    (void)state;
    ticket.full = false;
    buf_clear(&text);
    ticket_write(&text, &keys, &ticket, NOW_S);
    assert_int_equal(read_at(NOW_S), 0);
    assert_int_equal(back.opening.index, ticket.opening.index);
    assert_false(back.full);
}

static void nothing_of_a_ticket_is_readable(void **state)
{
    (void)state;
    assert_null(strstr(text.data, "ann"));
    assert_int_equal(strspn(text.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789-_"),
                     text.len);
}

static void another_process_reads_the_codes_only(void **state)
{
    (void)state;
    ephemeral_free(keys.ephemeral);
    keys.ephemeral = ephemeral_new();
    assert_int_equal(read_at(NOW_S), 0);
    assert_int_equal(back.opening.index, ticket.opening.index);
    assert_false(back.full);
    assert_int_equal(back.opening.contact.len, 0);
}

static void a_ticket_lives_for_half_an_hour(void **state)
{
    (void)state;
    assert_int_equal(read_at(NOW_S + RUNKEY_LIFE_S), 0);
    assert_true(back.full);
    assert_int_equal(read_at(NOW_S + RUNKEY_LIFE_S + 1), -1);
}

static void no_altered_ticket_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < text.len; i++) {
        char was = text.data[i];

        text.data[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(read_at(NOW_S), -1);
        text.data[i] = was;
    }
    for (size_t len = 0; len < text.len; len++) {
        char was = text.data[len];

        text.data[len] = '\0';
        assert_int_equal(read_at(NOW_S), -1);
        text.data[len] = was;
    }
    buf_addc(&text, 'A');
    assert_int_equal(read_at(NOW_S), -1);
}

/* ---- the keys of a quarter of an hour */

static int open_box(struct ephemeral *e, const char *sealed, int64_t now_s)
{
    struct buf plain;
    int result;

    buf_init(&plain, BUF_UNLIMITED);
    result = ephemeral_open(e, &plain, sealed, now_s);
    buf_release(&plain);
    return result;
}

static void a_key_is_gone_for_good_after_its_epochs(void **state)
{
    struct ephemeral *e = keys.ephemeral;
    struct buf plain, sealed;

    (void)state;
    buf_init(&plain, BUF_UNLIMITED);
    buf_init(&sealed, BUF_UNLIMITED);
    buf_adds(&plain, "secret");
    ephemeral_seal(e, &sealed, &plain, NOW_S);
    for (int epoch = 0; epoch < EPHEMERAL_EPOCHS; epoch++)
        assert_int_equal(open_box(e, sealed.data, NOW_S + epoch * EPHEMERAL_EPOCH_S), 0);
    assert_int_equal(open_box(e, sealed.data, NOW_S + EPHEMERAL_EPOCHS * EPHEMERAL_EPOCH_S), -1);
    /* A clock that is set back brings nothing back. */
    assert_int_equal(open_box(e, sealed.data, NOW_S), -1);
    buf_release(&plain);
    buf_release(&sealed);
}

static void a_clock_that_is_set_back_takes_the_keys_of_the_future_away(void **state)
{
    struct ephemeral *e = keys.ephemeral;
    struct buf plain, sealed;

    (void)state;
    buf_init(&plain, BUF_UNLIMITED);
    buf_init(&sealed, BUF_UNLIMITED);
    ephemeral_seal(e, &sealed, &plain, NOW_S + EPHEMERAL_EPOCH_S);
    assert_int_equal(open_box(e, sealed.data, NOW_S), -1);
    assert_int_equal(open_box(e, "", NOW_S), -1);
    assert_int_equal(open_box(e, "AAAA", NOW_S), -1);
    buf_release(&plain);
    buf_release(&sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ticket_gives_back_what_it_was_made_of, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_without_the_rest_has_its_codes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_of_a_ticket_is_readable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_process_reads_the_codes_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_lives_for_half_an_hour, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_altered_ticket_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_is_gone_for_good_after_its_epochs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_is_set_back_takes_the_keys_of_the_future_away,
                                        set_up, tear_down),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
