/*
 * test_runkey: what is wrapped opens for half an hour, with this key, unaltered; and the key lives
 * as long as the boot.
 *
 * Another boot is played by another boot id in the file.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "runkey.h"
#include "support.h"

#include <sodium.h>
#include <stdlib.h>

#define NOW_S       INT64_C(1508760000) /* a whole number of quarters of an hour */
#define PAYLOAD_LEN 56                  /* as the thank-you page's */
#define LABEL       "petition-run/v1"
#define STORED_LEN  (36 + 32) /* boot id, key */

static char folder[FOLDER_BYTES];
static char path[64];
static struct runkey *k;
static uint8_t payload[PAYLOAD_LEN];

static struct runkey *open_key(void)
{
    struct runkey *opened;
    struct buf err;

    buf_init(&err, BUF_UNLIMITED);
    opened = runkey_open(folder, &err);
    if (!opened)
        print_error("%s\n", err.data);
    assert_non_null(opened);
    buf_release(&err);
    return opened;
}

static int open_all(void **state)
{
    (void)state;
    unsetenv("RUNTIME_DIRECTORY");
    make_folder(folder);
    snprintf(path, sizeof path, "%s/run/run.key", folder);
    k = open_key();
    fill(payload, sizeof payload, 1);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    runkey_close(k);
    remove_folder(folder);
    return 0;
}

static void wrap(struct buf *text, int64_t now_s)
{
    buf_init(text, BUF_UNLIMITED);
    runkey_wrap(k, text, payload, sizeof payload, now_s);
}

static bool opens_with(const struct runkey *key, const char *text, int64_t now_s)
{
    uint8_t out[PAYLOAD_LEN] = {0};

    if (runkey_unwrap(key, out, sizeof out, text, now_s) == 0) {
        assert_memory_equal(out, payload, sizeof out);
        return true;
    }
    assert_true(sodium_is_zero(out, sizeof out));
    return false;
}

static bool opens(const char *text, int64_t now_s)
{
    return opens_with(k, text, now_s);
}

/* ---- wrapping */

static void what_is_wrapped_opens_and_is_text_for_an_address(void **state)
{
    struct buf text, again;

    (void)state;
    wrap(&text, NOW_S);
    wrap(&again, NOW_S);
    assert_true(opens(text.data, NOW_S));
    assert_int_equal(strspn(text.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789-_"),
                     text.len);
    assert_string_not_equal(text.data, again.data); /* a fresh nonce each time */
    buf_release(&text);
    buf_release(&again);
}

static void payloads_of_any_length_up_to_128_bytes_come_back(void **state)
{
    uint8_t in[128], out[128];

    (void)state;
    fill(in, sizeof in, 3);
    for (size_t len = 0; len <= sizeof in; len++) {
        struct buf text;

        buf_init(&text, BUF_UNLIMITED);
        runkey_wrap(k, &text, in, len, NOW_S);
        assert_int_equal(runkey_unwrap(k, out, len, text.data, NOW_S), 0);
        assert_memory_equal(out, in, len);
        if (len > 0)
            assert_int_equal(runkey_unwrap(k, out, len - 1, text.data, NOW_S), -1);
        if (len < sizeof in)
            assert_int_equal(runkey_unwrap(k, out, len + 1, text.data, NOW_S), -1);
        buf_release(&text);
    }
}

static void a_character_altered_anywhere_is_refused(void **state)
{
    static const char others[] = "AQgw0-_5=+/ .\xc3";
    struct buf text;

    (void)state;
    wrap(&text, NOW_S);
    for (size_t at = 0; at < text.len; at++) {
        char was = text.data[at];

        for (size_t i = 0; i < sizeof others; i++) {
            text.data[at] = others[i]; /* the last one ends the text early */
            if (others[i] != was && opens(text.data, NOW_S))
                fail_msg("byte %zu as 0x%02x", at, (unsigned char)others[i]);
        }
        text.data[at] = was;
    }
    assert_true(opens(text.data, NOW_S));
    buf_release(&text);
}

static void text_that_is_longer_shorter_or_none_is_refused(void **state)
{
    struct buf text;

    (void)state;
    wrap(&text, NOW_S);
    assert_false(opens("", NOW_S));
    assert_false(opens("A", NOW_S));
    assert_false(opens(text.data + 1, NOW_S));
    buf_addc(&text, 'A');
    assert_false(opens(text.data, NOW_S));
    for (int i = 0; i < 10000; i++)
        buf_addc(&text, 'A');
    assert_false(opens(text.data, NOW_S));
    buf_release(&text);
}

/* From every moment of a quarter of an hour on. */
static void it_lives_for_half_an_hour_across_the_quarters_and_not_a_second_longer(void **state)
{
    (void)state;
    for (int64_t then_s = NOW_S; then_s < NOW_S + RUNKEY_EPOCH_S; then_s += 29) {
        struct buf text;

        wrap(&text, then_s);
        for (int64_t age_s = 0; age_s <= 29 * 60; age_s += 58)
            assert_true(opens(text.data, then_s + age_s));
        assert_true(opens(text.data, then_s + RUNKEY_LIFE_S));
        assert_false(opens(text.data, then_s + RUNKEY_LIFE_S + 1));
        for (int64_t age_s = RUNKEY_LIFE_S + 2; age_s < 10000; age_s += 100)
            assert_false(opens(text.data, then_s + age_s));
        assert_false(opens(text.data, then_s + 86400));
        buf_release(&text);
    }
}

static void a_key_of_another_folder_opens_nothing(void **state)
{
    char mine[FOLDER_BYTES], other[FOLDER_BYTES];
    struct runkey *foreign;
    struct buf text;

    (void)state;
    wrap(&text, NOW_S);
    memcpy(mine, folder, sizeof mine);
    make_folder(folder);
    foreign = open_key();
    assert_false(opens_with(foreign, text.data, NOW_S));
    runkey_close(foreign);
    memcpy(other, folder, sizeof other);
    memcpy(folder, mine, sizeof folder);
    remove_folder(other);
    buf_release(&text);
}

/* ---- the file */

static void the_key_is_kept_across_restarts_of_one_boot(void **state)
{
    struct buf text, before, after;
    struct stat st;

    (void)state;
    wrap(&text, NOW_S);
    read_whole(&before, path);
    runkey_close(k);
    k = open_key();
    read_whole(&after, path);
    assert_true(opens(text.data, NOW_S));
    assert_string_equal(before.data, after.data);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    buf_release(&text);
    buf_release(&before);
    buf_release(&after);
}

static void write_stored(const uint8_t *stored, size_t len)
{
    struct buf file;

    buf_init(&file, BUF_UNLIMITED);
    buf_adds(&file, LABEL " ");
    buf_base64(&file, stored, len);
    buf_addc(&file, '\n');
    assert_int_equal(files_replace(path, file.data, file.len), 0);
    buf_release(&file);
}

static void another_boot_makes_another_key(void **state)
{
    uint8_t stored[STORED_LEN], again[STORED_LEN];
    const char *why;
    struct buf text;

    (void)state;
    wrap(&text, NOW_S);
    assert_int_equal(files_read_key(path, LABEL, stored, sizeof stored, &why), 0);
    stored[0] = stored[0] == '0' ? '1' : '0';
    write_stored(stored, sizeof stored);
    runkey_close(k);
    k = open_key();
    assert_false(opens(text.data, NOW_S));
    assert_int_equal(files_read_key(path, LABEL, again, sizeof again, &why), 0);
    assert_memory_not_equal(again + 36, stored + 36, 32);
    assert_memory_equal(again + 1, stored + 1, 35);
    buf_release(&text);
}

static void a_file_that_is_no_key_is_made_anew(void **state)
{
    static const char *const contents[] = {"", "garbage\n", LABEL "\n", LABEL " AAAA\n"};

    (void)state;
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        struct buf text;

        runkey_close(k);
        assert_int_equal(files_replace(path, contents[i], strlen(contents[i])), 0);
        k = open_key();
        wrap(&text, NOW_S);
        assert_true(opens(text.data, NOW_S));
        runkey_close(k);
        k = open_key();
        assert_true(opens(text.data, NOW_S));
        buf_release(&text);
    }
}

static void systemds_folder_is_used_if_there_is_one(void **state)
{
    char theirs[64];

    (void)state;
    runkey_close(k);
    assert_int_equal(unlink(path), 0);
    snprintf(theirs, sizeof theirs, "%s/runtime", folder);
    setenv("RUNTIME_DIRECTORY", theirs, 1);
    k = open_key();
    assert_int_equal(access(path, F_OK), -1);
    snprintf(theirs, sizeof theirs, "%s/runtime/run.key", folder);
    assert_int_equal(access(theirs, F_OK), 0);
    unsetenv("RUNTIME_DIRECTORY");
}

static void a_folder_that_cannot_be_made_is_named(void **state)
{
    struct buf err;

    (void)state;
    buf_init(&err, BUF_UNLIMITED);
    assert_null(runkey_open("/nonexistent/data", &err));
    assert_one_line(&err);
    assert_string_equal(err.data, "/nonexistent/data/run/run.key: No such file or directory");
    buf_release(&err);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(what_is_wrapped_opens_and_is_text_for_an_address),
        CLAIM(payloads_of_any_length_up_to_128_bytes_come_back),
        CLAIM(a_character_altered_anywhere_is_refused),
        CLAIM(text_that_is_longer_shorter_or_none_is_refused),
        CLAIM(it_lives_for_half_an_hour_across_the_quarters_and_not_a_second_longer),
        CLAIM(a_key_of_another_folder_opens_nothing),
        CLAIM(the_key_is_kept_across_restarts_of_one_boot),
        CLAIM(another_boot_makes_another_key),
        CLAIM(a_file_that_is_no_key_is_made_anew),
        CLAIM(systemds_folder_is_used_if_there_is_one),
        CLAIM(a_folder_that_cannot_be_made_is_named),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
