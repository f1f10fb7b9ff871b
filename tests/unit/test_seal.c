/*
 * test_seal: sealed records, byte for byte against vectors made without libsodium, and what must
 * not open.
 */
#include "vectors.h"

#include "seal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void organisers(uint8_t public_key[SEAL_KEY_LEN], uint8_t secret[SEAL_KEY_LEN])
{
    vec_bytes(public_key, SEAL_KEY_LEN, vectors("keys"), "organisers_public");
    vec_bytes(secret, SEAL_KEY_LEN, vectors("keys"), "organisers_secret");
}

/* A batch with a known ephemeral secret. */
static struct seal_batch *begun_with(const char *secret_name)
{
    uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN];
    struct seal_batch *b;

    organisers(public_key, secret);
    b = seal_batch_new(public_key);
    vec_bytes(secret, sizeof secret, vectors("keys"), secret_name);
    assert_int_equal(seal_batch_begin_with(b, secret), 0);
    return b;
}

static struct seal_batch *begun(void)
{
    uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN];
    struct seal_batch *b;

    organisers(public_key, secret);
    b = seal_batch_new(public_key);
    assert_int_equal(seal_batch_begin(b), 0);
    return b;
}

static void end(struct seal_batch *b)
{
    seal_batch_end(b);
    seal_batch_free(b);
}

static size_t seal_text(struct seal_batch *b, uint8_t sealed[SEALED_MAX], const char *text)
{
    struct buf record;
    size_t len;

    buf_init(&record, BUF_UNLIMITED);
    buf_adds(&record, text);
    seal_add(b, sealed, &len, &record);
    buf_release(&record);
    return len;
}

static void record_json(struct buf *out, const cJSON *v)
{
    uint8_t r[HASH_LEN], r2[HASH_LEN];
    struct seal_record record = {
        .name = vec_text(v, "name"),
        .contact = vec_text(v, "typed"),
        .country = vec_text(v, "country"),
        .visibility =
            (enum visibility)vec_choice(v, "visibility", visibility_names, VISIBILITY__MAX),
        .updates = vec_bool(v, "updates"),
        .lang = vec_text(v, "lang"),
        .day = (day_number)vec_int(v, "day"),
        .text = vec_int(v, "text"),
        .r = r,
        .r2 = r2,
    };

    vec_bytes(r, sizeof r, v, "r");
    vec_bytes(r2, sizeof r2, v, "r2");
    seal_record_json(out, &record);
}

static void assert_sealed(const uint8_t *sealed, size_t len, const cJSON *v)
{
    uint8_t expected[SEALED_MAX];

    assert_int_equal(len, vec_bytes_max(expected, sizeof expected, v, "sealed"));
    assert_memory_equal(sealed, expected, len);
}

static void a_record_is_the_json_of_what_was_typed(void **state)
{
    const cJSON *v;
    struct buf record;

    (void)state;
    buf_init(&record, BUF_UNLIMITED);
    cJSON_ArrayForEach(v, vectors("submissions"))
    {
        buf_clear(&record);
        record_json(&record, v);
        assert_string_equal(record.data, vec_text(v, "record"));
    }
    buf_release(&record);
}

static void the_seals_of_a_batch_are_those_computed_elsewhere(void **state)
{
    struct seal_batch *b = begun_with("ephemeral_secret");
    uint8_t sealed[SEALED_MAX], epk[SEAL_KEY_LEN];
    const cJSON *v;
    int64_t n = 0;

    (void)state;
    vec_bytes(epk, sizeof epk, vectors("keys"), "ephemeral_public");
    cJSON_ArrayForEach(v, vectors("submissions"))
    {
        size_t len;

        for (; n < vec_int(v, "n"); n++)
            seal_text(b, sealed, "another record");
        len = seal_text(b, sealed, vec_text(v, "record"));
        n++;
        assert_sealed(sealed, len, v);
        assert_memory_equal(sealed, epk, sizeof epk);
    }
    end(b);
}

static void the_length_tells_only_which_of_two_paddings_it_is(void **state)
{
    struct seal_batch *b = begun_with("second_ephemeral_secret");
    uint8_t sealed[SEALED_MAX];
    const cJSON *v;

    (void)state;
    cJSON_ArrayForEach(v, vectors("borders"))
    {
        size_t length = (size_t)vec_int(v, "length"), len;
        char *text = xcalloc(length + 1, 1);

        memset(text, 'x', length);
        len = seal_text(b, sealed, text);
        assert_int_equal(len, length < SEAL_PADDED_SHORT ? SEAL_PADDED_SHORT + SEAL_OVERHEAD
                                                         : SEALED_MAX);
        assert_sealed(sealed, len, v);
        free(text);
    }
    end(b);
}

static void the_organisers_open_what_was_sealed_elsewhere(void **state)
{
    uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN], sealed[SEALED_MAX];
    struct buf record;
    const cJSON *v;

    (void)state;
    organisers(public_key, secret);
    buf_init(&record, BUF_UNLIMITED);
    cJSON_ArrayForEach(v, vectors("submissions"))
    {
        size_t len = vec_bytes_max(sealed, sizeof sealed, v, "sealed");

        assert_int_equal(seal_open(&record, sealed, len, secret), 0);
        assert_string_equal(record.data, vec_text(v, "record"));
    }
    cJSON_ArrayForEach(v, vectors("borders"))
    {
        size_t len = vec_bytes_max(sealed, sizeof sealed, v, "sealed");

        assert_int_equal(seal_open(&record, sealed, len, secret), 0);
        assert_int_equal(record.len, vec_int(v, "length"));
        assert_int_equal(strspn(record.data, "x"), record.len);
    }
    buf_release(&record);
}

static void any_changed_bit_keeps_a_record_shut(void **state)
{
    uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN], sealed[SEALED_MAX];
    struct seal_batch *b = begun();
    size_t len = seal_text(b, sealed, "{}");
    struct buf record;

    (void)state;
    organisers(public_key, secret);
    buf_init(&record, BUF_UNLIMITED);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(seal_open(&record, sealed, len, secret), -1);
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(seal_open(&record, sealed, len, secret), 0);
    assert_string_equal(record.data, "{}");
    end(b);
    buf_release(&record);
}

static void another_length_is_not_opened(void **state)
{
    uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN], sealed[SEALED_MAX];
    struct seal_batch *b = begun();
    size_t len = seal_text(b, sealed, "{}");
    struct buf record;

    (void)state;
    organisers(public_key, secret);
    buf_init(&record, BUF_UNLIMITED);
    for (size_t other = 0; other <= SEALED_MAX; other++) {
        uint8_t *copy = xcalloc(other, 1);

        memcpy(copy, sealed, other < len ? other : len);
        assert_int_equal(seal_open(&record, copy, other, secret), other == len ? 0 : -1);
        free(copy);
    }
    end(b);
    buf_release(&record);
}

static void another_key_does_not_open_a_record(void **state)
{
    uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN], sealed[SEALED_MAX];
    struct seal_batch *b = begun();
    size_t len = seal_text(b, sealed, "{}");
    struct buf record;

    (void)state;
    buf_init(&record, BUF_UNLIMITED);
    seal_key_pair(public_key, secret);
    assert_int_equal(seal_open(&record, sealed, len, secret), -1);
    end(b);
    buf_release(&record);
}

/* Sealed by somebody else, to the right key, but never padded. */
static void a_record_without_padding_is_not_opened(void **state)
{
    uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN], epk[SEAL_KEY_LEN], esk[SEAL_KEY_LEN];
    uint8_t sealed[SEALED_MAX] = {0}, plain[SEAL_PADDED_SHORT] = {0};
    uint8_t nonce[crypto_box_NONCEBYTES] = {0};
    struct buf record;

    (void)state;
    organisers(public_key, secret);
    buf_init(&record, BUF_UNLIMITED);
    seal_key_pair(epk, esk);
    memcpy(sealed, epk, sizeof epk);
    assert_int_equal(crypto_box_easy(sealed + SEAL_KEY_LEN + 4, plain, sizeof plain, nonce,
                                     public_key, esk),
                     0);
    assert_int_equal(seal_open(&record, sealed, sizeof plain + SEAL_OVERHEAD, secret), -1);
    plain[0] = 0x80;
    assert_int_equal(crypto_box_easy(sealed + SEAL_KEY_LEN + 4, plain, sizeof plain, nonce,
                                     public_key, esk),
                     0);
    assert_int_equal(seal_open(&record, sealed, sizeof plain + SEAL_OVERHEAD, secret), 0);
    assert_int_equal(record.len, 0);
    buf_release(&record);
}

static void a_record_longer_than_the_callers_cap_is_an_error(void **state)
{
    uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN], sealed[SEALED_MAX];
    struct seal_batch *b = begun();
    size_t len = seal_text(b, sealed, "{\"a\":1}");
    struct buf record;

    (void)state;
    organisers(public_key, secret);
    buf_init(&record, 6);
    assert_int_equal(seal_open(&record, sealed, len, secret), -1);
    end(b);
    buf_release(&record);
}

static void every_batch_has_a_pair_of_its_own_and_counts_from_0(void **state)
{
    uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN];
    uint8_t first[SEALED_MAX], second[SEALED_MAX], third[SEALED_MAX];
    struct seal_batch *b;

    (void)state;
    organisers(public_key, secret);
    b = seal_batch_new(public_key);
    assert_int_equal(seal_batch_begin(b), 0);
    seal_text(b, first, "{}");
    seal_text(b, second, "{}");
    seal_batch_end(b);
    assert_int_equal(seal_batch_begin(b), 0);
    seal_text(b, third, "{}");
    assert_memory_equal(first, second, SEAL_KEY_LEN);
    assert_memory_not_equal(first, third, SEAL_KEY_LEN);
    assert_memory_equal(first + SEAL_KEY_LEN, "\0\0\0\0", 4);
    assert_memory_equal(second + SEAL_KEY_LEN, "\1\0\0\0", 4);
    assert_memory_equal(third + SEAL_KEY_LEN, "\0\0\0\0", 4);
    assert_memory_not_equal(first + 36, second + 36, SEAL_PADDED_SHORT);
    end(b);
}

static void sealing_after_the_end_of_a_batch_aborts(void **state)
{
    struct seal_batch *b = begun();
    uint8_t sealed[SEALED_MAX];
    int status;
    pid_t child;

    (void)state;
    seal_text(b, sealed, "{}");
    seal_batch_end(b);
    fflush(NULL);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        seal_text(b, sealed, "{}");
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    seal_batch_free(b);
}

static void a_key_that_is_no_usable_point_is_refused(void **state)
{
    static const uint8_t zero[SEAL_KEY_LEN], one[SEAL_KEY_LEN] = {1};
    struct seal_batch *b = seal_batch_new(zero);

    (void)state;
    assert_int_equal(seal_batch_begin(b), -1);
    seal_batch_free(b);
    b = seal_batch_new(one);
    assert_int_equal(seal_batch_begin(b), -1);
    seal_batch_free(b);
}

static void the_public_half_belongs_to_the_secret_one(void **state)
{
    uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN], computed[SEAL_KEY_LEN];

    (void)state;
    organisers(public_key, secret);
    assert_int_equal(seal_public_key(computed, secret), 0);
    assert_memory_equal(computed, public_key, SEAL_KEY_LEN);
    seal_key_pair(public_key, secret);
    assert_int_equal(seal_public_key(computed, secret), 0);
    assert_memory_equal(computed, public_key, SEAL_KEY_LEN);
}

/* 200 code points of four bytes and a contact of 254 bytes, with the longest of all choices. */
static void the_longest_form_without_escapes_fits(void **state)
{
    static const uint8_t r[HASH_LEN];
    char name[801] = "", contact[255] = "";
    struct seal_record record = {
        .name = name,
        .contact = contact,
        .country = "KH",
        .visibility = VISIBILITY_ADDRESSEES,
        .lang = "km",
        .text = INT64_C(1) << 53,
        .r = r,
        .r2 = r,
    };
    struct buf out;

    (void)state;
    for (size_t i = 0; i < 800; i += 4)
        memcpy(name + i, "\xf0\x9f\x99\x82", 4);
    memset(contact, 'c', 254);
    buf_init(&out, SEAL_PADDED_LONG - 1);
    seal_record_json(&out, &record);
    assert_true(buf_ok(&out));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_the_json_of_what_was_typed),
        cmocka_unit_test(the_seals_of_a_batch_are_those_computed_elsewhere),
        cmocka_unit_test(the_length_tells_only_which_of_two_paddings_it_is),
        cmocka_unit_test(the_organisers_open_what_was_sealed_elsewhere),
        cmocka_unit_test(any_changed_bit_keeps_a_record_shut),
        cmocka_unit_test(another_length_is_not_opened),
        cmocka_unit_test(another_key_does_not_open_a_record),
        cmocka_unit_test(a_record_without_padding_is_not_opened),
        cmocka_unit_test(a_record_longer_than_the_callers_cap_is_an_error),
        cmocka_unit_test(every_batch_has_a_pair_of_its_own_and_counts_from_0),
        cmocka_unit_test(sealing_after_the_end_of_a_batch_aborts),
        cmocka_unit_test(a_key_that_is_no_usable_point_is_refused),
        cmocka_unit_test(the_public_half_belongs_to_the_secret_one),
        cmocka_unit_test(the_longest_form_without_escapes_fits),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
