/*
 * test_entry: every byte of entries, commitments, days and codes, against independent vectors.
 */
#include "vectors.h"

#include "entry.h"

#include <stdlib.h>
#include <time.h>

#define DAY_S    86400
#define MISTAKES 200 /* random codes */

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static struct fields fields_of(const cJSON *v)
{
    return (struct fields){
        .name = vec_text(v, "name"),
        .country = vec_text(v, "country"),
        .text = vec_int(v, "text"),
        .day = (day_number)vec_int(v, "day"),
        .visibility =
            (enum visibility)vec_choice(v, "visibility", visibility_names, VISIBILITY__MAX),
    };
}

static void assert_hash(const uint8_t hash[HASH_LEN], const cJSON *v, const char *key)
{
    uint8_t expected[HASH_LEN];

    vec_bytes(expected, sizeof expected, v, key);
    assert_memory_equal(hash, expected, HASH_LEN);
}

static void assert_leaf(const char *body, const cJSON *v, const char *key)
{
    uint8_t leaf[HASH_LEN];

    merkle_leaf(leaf, body, strlen(body));
    assert_hash(leaf, v, key);
}

static void the_published_example_gives_its_published_hashes(void **state)
{
    const cJSON *v = vectors("published");
    uint8_t g[HASH_LEN], opening[OPENING_LEN], r2[HASH_LEN], s[HASH_LEN], c[HASH_LEN], w[HASH_LEN];
    uint8_t leaf[HASH_LEN];
    struct buf fields, entry;
    char code[CODE_MAX];

    (void)state;
    buf_init(&fields, BUF_UNLIMITED);
    buf_init(&entry, BUF_UNLIMITED);
    assert_leaf(vec_text(v, "entry0"), v, "g");
    vec_bytes(g, sizeof g, v, "g");
    vec_bytes(opening, HASH_LEN, v, "r");
    vec_bytes(r2, sizeof r2, v, "r2");
    vec_bytes(s, sizeof s, v, "s");
    entry_contact_hash(opening + HASH_LEN, r2, vec_text(v, "contact"));
    assert_hash(opening + HASH_LEN, v, "ch");
    buf_adds(&fields, vec_text(v, "fields"));
    entry_commitment(c, g, opening, &fields);
    assert_hash(c, v, "c");
    entry_withdraw_hash(w, s);
    assert_hash(w, v, "w");
    entry_sign(&entry, c, w);
    assert_string_equal(entry.data, vec_text(v, "entry"));
    assert_leaf(entry.data, v, "leaf");
    vec_bytes(leaf, sizeof leaf, v, "leaf");
    entry_short_code(code, vec_int(v, "index"), leaf);
    assert_string_equal(code, vec_text(v, "short_code"));
    buf_release(&fields);
    buf_release(&entry);
}

static void a_time_belongs_to_the_utc_day_of_the_calendar(void **state)
{
    const cJSON *v;
    char text[11];

    (void)state;
    cJSON_ArrayForEach(v, vectors("days"))
    {
        assert_int_equal(day_of(vec_int(v, "unix")), vec_int(v, "day"));
        day_text(text, (day_number)vec_int(v, "day"));
        assert_string_equal(text, vec_text(v, "text"));
    }
}

static void every_day_from_1600_to_2400_is_written_as_the_c_library_does(void **state)
{
    (void)state;
    for (day_number day = -135140; day < 157054; day++) {
        time_t start = (time_t)day * DAY_S;
        char expected[32], text[11];
        struct tm tm;

        assert_int_equal(day_of(start), day);
        assert_int_equal(day_of(start + DAY_S - 1), day);
        assert_non_null(gmtime_r(&start, &tm));
        assert_true(strftime(expected, sizeof expected, "%Y-%m-%d", &tm) > 0);
        day_text(text, day);
        if (strcmp(text, expected) != 0)
            fail_msg("%s for %s", text, expected);
    }
}

static void times_beyond_the_calendar_give_its_first_or_last_day(void **state)
{
    char text[11];

    (void)state;
    day_text(text, day_of(INT64_MIN));
    assert_string_equal(text, "0000-01-01");
    day_text(text, INT32_MIN);
    assert_string_equal(text, "0000-01-01");
    day_text(text, day_of(INT64_MAX));
    assert_string_equal(text, "9999-12-31");
    day_text(text, INT32_MAX);
    assert_string_equal(text, "9999-12-31");
}

static void fields_have_the_order_and_the_escapes_of_the_design(void **state)
{
    const cJSON *v;
    struct buf out;

    (void)state;
    buf_init(&out, BUF_UNLIMITED);
    cJSON_ArrayForEach(v, vectors("fields"))
    {
        struct fields f = fields_of(v);

        buf_clear(&out);
        entry_fields(&out, &f);
        assert_string_equal(out.data, vec_text(v, "json"));
    }
    buf_release(&out);
}

/* Secret, commitment, opening and entry of one submission. */
static void check_commitment(const cJSON *v, struct buf *entry)
{
    uint8_t g[HASH_LEN], seed[SEED_LEN], s[HASH_LEN], w[HASH_LEN], c[HASH_LEN], r2[HASH_LEN];
    uint8_t opening[OPENING_LEN], expected[OPENING_LEN];
    struct fields f = fields_of(v);
    struct buf fields;

    buf_init(&fields, BUF_UNLIMITED);
    vec_bytes(g, sizeof g, vectors("log"), "g");
    vec_bytes(seed, sizeof seed, v, "seed");
    vec_bytes(opening, HASH_LEN, v, "r");
    vec_bytes(r2, sizeof r2, v, "r2");
    entry_withdraw_secret(s, seed);
    assert_hash(s, v, "s");
    entry_withdraw_hash(w, s);
    assert_hash(w, v, "w");
    entry_contact_hash(opening + HASH_LEN, r2, vec_text(v, "canonical"));
    vec_bytes(expected, sizeof expected, v, "opening");
    assert_memory_equal(opening, expected, OPENING_LEN);
    entry_fields(&fields, &f);
    assert_string_equal(fields.data, vec_text(v, "fields"));
    entry_commitment(c, g, opening, &fields);
    assert_hash(c, v, "c");
    entry_sign(entry, c, w);
    buf_release(&fields);
}

static void a_submission_gives_its_entry_and_its_codes(void **state)
{
    const cJSON *v;
    struct buf entry;

    (void)state;
    buf_init(&entry, BUF_UNLIMITED);
    cJSON_ArrayForEach(v, vectors("submissions"))
    {
        uint8_t leaf[HASH_LEN], w[HASH_LEN], seed[SEED_LEN];
        char code[CODE_MAX];

        buf_clear(&entry);
        check_commitment(v, &entry);
        assert_string_equal(entry.data, vec_text(v, "entry"));
        assert_int_equal(entry.len, SIGN_ENTRY_BYTES);
        assert_leaf(entry.data, v, "leaf");
        assert_int_equal(entry_sign_w(w, entry.data, entry.len), 0);
        assert_hash(w, v, "w");
        vec_bytes(leaf, sizeof leaf, v, "leaf");
        entry_short_code(code, vec_int(v, "index"), leaf);
        assert_string_equal(code, vec_text(v, "short_code"));
        vec_bytes(seed, sizeof seed, v, "seed");
        entry_withdraw_code(code, vec_int(v, "index"), seed);
        assert_string_equal(code, vec_text(v, "withdraw_code"));
    }
    buf_release(&entry);
}

static void a_withdrawal_shows_the_index_and_the_secret(void **state)
{
    const cJSON *v;
    struct buf entry;

    (void)state;
    buf_init(&entry, BUF_UNLIMITED);
    cJSON_ArrayForEach(v, vectors("submissions"))
    {
        uint8_t s[HASH_LEN];

        buf_clear(&entry);
        vec_bytes(s, sizeof s, v, "s");
        entry_wd(&entry, vec_int(v, "index"), s);
        assert_string_equal(entry.data, vec_text(v, "withdrawal_entry"));
    }
    buf_release(&entry);
}

static void a_removal_names_its_reason(void **state)
{
    const cJSON *v;
    struct buf entry;

    (void)state;
    buf_init(&entry, BUF_UNLIMITED);
    assert_int_equal(cJSON_GetArraySize(vec_member(vectors("log"), "void")), VOID__MAX);
    cJSON_ArrayForEach(v, vec_member(vectors("log"), "void"))
    {
        int why = vec_choice(v, "why", void_why_names, VOID__MAX);

        buf_clear(&entry);
        entry_void(&entry, vec_int(v, "index"), (enum void_why)why);
        assert_string_equal(entry.data, vec_text(v, "entry"));
        assert_leaf(entry.data, v, "leaf");
    }
    buf_release(&entry);
}

static struct opening_entry opening_of(const cJSON *v)
{
    struct opening_entry o = {.origin = ""};
    const cJSON *text = vec_member(v, "text");

    assert_true(strlen(vec_text(v, "origin")) < sizeof o.origin);
    memcpy(o.origin, vec_text(v, "origin"), strlen(vec_text(v, "origin")));
    vec_bytes(o.text_hashes[0], HASH_LEN, text, "en");
    vec_bytes(o.text_hashes[1], HASH_LEN, text, "fr");
    vec_bytes(o.text_hashes[2], HASH_LEN, text, "km");
    vec_bytes(o.addressees, HASH_LEN, v, "addressees");
    vec_bytes(o.seal_key, sizeof o.seal_key, v, "seal");
    return o;
}

static void entry_0_is_written_and_read_back(void **state)
{
    struct opening_entry o = opening_of(vectors("log")), read;
    struct buf entry;

    (void)state;
    buf_init(&entry, BUF_UNLIMITED);
    entry_open(&entry, o.origin, o.text_hashes, o.addressees, o.seal_key);
    assert_string_equal(entry.data, vec_text(vectors("log"), "open"));
    assert_leaf(entry.data, vectors("log"), "g");
    assert_int_equal(entry_parse_open(&read, entry.data, entry.len), 0);
    assert_memory_equal(&read, &o, sizeof o);
    buf_release(&entry);
}

static void a_text_entry_is_written_and_read_back(void **state)
{
    struct opening_entry o = opening_of(vectors("log")), read;
    struct buf entry;

    (void)state;
    buf_init(&entry, BUF_UNLIMITED);
    entry_text(&entry, o.text_hashes, o.addressees);
    assert_string_equal(entry.data, vec_text(vectors("log"), "text_entry"));
    assert_leaf(entry.data, vectors("log"), "text_leaf");
    assert_int_equal(entry_parse_text(&read, entry.data, entry.len), 0);
    assert_memory_equal(read.text_hashes, o.text_hashes, sizeof o.text_hashes);
    assert_memory_equal(read.addressees, o.addressees, HASH_LEN);
    buf_release(&entry);
}

typedef int reader(const char *body, size_t len);

static int read_open(const char *body, size_t len)
{
    struct opening_entry o;

    return entry_parse_open(&o, body, len);
}

static int read_text(const char *body, size_t len)
{
    struct opening_entry o;

    return entry_parse_text(&o, body, len);
}

static int read_sign(const char *body, size_t len)
{
    uint8_t w[HASH_LEN];

    return entry_sign_w(w, body, len);
}

/* Each length is read from an allocation of just that size, so that a sanitizer sees over-reads. */
static void refuses_other_lengths(reader *read, const char *body)
{
    size_t len = strlen(body);
    char *copy;

    for (size_t i = 0; i < len; i++) {
        copy = xcalloc(i, 1);
        memcpy(copy, body, i);
        assert_int_equal(read(copy, i), -1);
        free(copy);
    }
    copy = xcalloc(len + 1, 1);
    memcpy(copy, body, len);
    copy[len] = '\n';
    assert_int_equal(read(copy, len), 0);
    assert_int_equal(read(copy, len + 1), -1);
    free(copy);
}

static void an_entry_cut_short_or_with_more_behind_it_is_not_read(void **state)
{
    (void)state;
    refuses_other_lengths(read_open, vec_text(vectors("log"), "open"));
    refuses_other_lengths(read_text, vec_text(vectors("log"), "text_entry"));
    refuses_other_lengths(read_sign, vec_text(vectors("published"), "entry"));
}

/* The entry with the first `from` replaced; both have the same length. */
static void refuses_with(reader *read, const char *body, const char *from, const char *to)
{
    char *copy = xstrdup(body), *at = strstr(copy, from);

    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
    assert_int_equal(read(copy, strlen(copy)), -1);
    free(copy);
}

static void an_entry_of_another_form_is_not_read(void **state)
{
    const char *open = vec_text(vectors("log"), "open");
    const char *text = vec_text(vectors("log"), "text_entry");
    const char *sign = vec_text(vectors("published"), "entry");

    (void)state;
    assert_int_equal(read_open(text, strlen(text)), -1);
    assert_int_equal(read_text(open, strlen(open)), -1);
    assert_int_equal(read_sign(open, strlen(open)), -1);
    refuses_with(read_open, open, "\"v\":1", "\"v\":2");
    refuses_with(read_open, open, "\"petition\":\"1\"", "\"petition\":\"2\"");
    refuses_with(read_open, open, "petition.example", "petition example");
    refuses_with(read_open, open, "petition.example", "petition\\example");
    refuses_with(read_open, open, "petition.example", "petition\"example");
    refuses_with(read_open, open, "petition.example", "petition\nexample");
    refuses_with(read_open, open, "petition.example", "petition\xc3\xa9xample");
    refuses_with(read_open, open, "=\"}", "A\"}");
    refuses_with(read_text, text, "\"fr\"", "\"de\"");
    refuses_with(read_text, text, "\"en\":\"c", "\"en\":\"C"); /* hexadecimal is lower-case */
    refuses_with(read_text, text, "\"en\":\"c", "\"en\":\"g");
    refuses_with(read_sign, sign, "1tYVgdo=", "1tYVgdp="); /* bits beyond the last byte */
    refuses_with(read_sign, sign, "1tYVgdo=", "1tYVgdo-");
    refuses_with(read_sign, sign, "\"w\":\"/", "\"w\":\"_");
    refuses_with(read_sign, sign, "\"c\"", "\"d\"");
}

static void an_origin_fits_up_to_255_characters(void **state)
{
    struct opening_entry o = opening_of(vectors("log")), read;
    struct buf entry;
    char origin[258];

    (void)state;
    buf_init(&entry, BUF_UNLIMITED);
    memset(origin, 'o', sizeof origin);
    for (size_t len = 254; len < 257; len++) {
        origin[len] = '\0';
        buf_clear(&entry);
        entry_open(&entry, origin, o.text_hashes, o.addressees, o.seal_key);
        assert_int_equal(entry_parse_open(&read, entry.data, entry.len), len < 256 ? 0 : -1);
        origin[len] = 'o';
    }
    buf_clear(&entry);
    entry_open(&entry, "", o.text_hashes, o.addressees, o.seal_key);
    assert_int_equal(entry_parse_open(&read, entry.data, entry.len), -1);
    buf_release(&entry);
}

static void assert_code_reads(const char *typed, const cJSON *v)
{
    uint8_t seed[SEED_LEN], expected[SEED_LEN];
    int64_t index = -1;

    vec_bytes(expected, sizeof expected, v, "seed");
    if (entry_parse_withdraw_code(&index, seed, typed) != 0)
        fail_msg("\"%s\" is refused", typed);
    assert_int_equal(index, vec_int(v, "index"));
    assert_memory_equal(seed, expected, SEED_LEN);
}

static void a_withdrawal_code_carries_index_and_seed(void **state)
{
    const cJSON *v;

    (void)state;
    cJSON_ArrayForEach(v, vectors("codes"))
    {
        uint8_t seed[SEED_LEN];
        char code[CODE_MAX];

        vec_bytes(seed, sizeof seed, v, "seed");
        entry_withdraw_code(code, vec_int(v, "index"), seed);
        assert_string_equal(code, vec_text(v, "code"));
        assert_code_reads(code, v);
    }
}

static void a_code_is_read_however_it_is_typed(void **state)
{
    const cJSON *v;

    (void)state;
    cJSON_ArrayForEach(v, vectors("typed_codes"))
    {
        assert_code_reads(vec_text(v, "typed"), v);
    }
}

static void refuses_code(const char *code, const char *why)
{
    uint8_t seed[SEED_LEN];
    int64_t index;

    if (entry_parse_withdraw_code(&index, seed, code) != -1)
        fail_msg("\"%s\" is accepted (%s)", code, why);
}

static void a_mistyped_code_is_refused(void **state)
{
    const cJSON *v;

    (void)state;
    cJSON_ArrayForEach(v, vectors("refused_codes"))
    {
        refuses_code(vec_text(v, "code"), vec_text(v, "why"));
    }
}

static char *random_code(char code[CODE_MAX])
{
    uint8_t seed[SEED_LEN];

    randombytes_buf(seed, sizeof seed);
    entry_withdraw_code(code, 5, seed);
    return code + 2;
}

static void any_single_wrong_digit_is_refused(void **state)
{
    char code[CODE_MAX];

    (void)state;
    for (int i = 0; i < MISTAKES; i++) {
        char *digits = random_code(code);

        for (size_t at = 0; at < CODE_DIGITS; at++) {
            char right = digits[at];

            for (const char *wrong = crockford; *wrong; wrong++) {
                digits[at] = *wrong;
                if (*wrong != right)
                    refuses_code(code, "one digit is wrong");
            }
            digits[at] = right;
        }
    }
}

/* Luhn's known blind spot, the first and the last digit of the alphabet, is left out. */
static void any_swap_of_neighbours_but_0_and_z_is_refused(void **state)
{
    char code[CODE_MAX];

    (void)state;
    for (int i = 0; i < MISTAKES; i++) {
        char *digits = random_code(code);

        for (size_t at = 0; at + 1 < CODE_DIGITS; at++) {
            char a = digits[at], b = digits[at + 1];

            if (a == b || (a == '0' && b == 'Z') || (a == 'Z' && b == '0'))
                continue;
            digits[at] = b;
            digits[at + 1] = a;
            refuses_code(code, "two digits are swapped");
            digits[at] = a;
            digits[at + 1] = b;
        }
    }
}

/* ---- the short code as people write it */

static void a_short_code_is_read_in_any_spelling_and_printed_in_one(void **state)
{
    static const char *const spellings[] = {"1043-P28G-3M6A", "1043P28G3M6A",
                                            "1043-p28g3m6a",  " 1043 - P28G - 3M6A\n",
                                            "1O43-P28G-3M6A", "lO43-P28G-3M6A"};
    static const char *const refused[] = {"",
                                          "1043",
                                          "P28G3M6A",
                                          "-P28G-3M6A",
                                          "1043-P28G-3M6",
                                          "1043-P28G-3M6AA",
                                          "1043-P28G-3M6U",
                                          "01043-P28G-3M6A",
                                          "10A3-P28G-3M6A",
                                          "9007199254740993-P28G-3M6A",
                                          "99999999999999999999-P28G-3M6A",
                                          "1043-P28G-3M6\xc3\xa9"};
    char plain[CODE_MAX];
    int64_t index;

    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        index = 0;
        assert_int_equal(entry_parse_short_code(&index, plain, spellings[i]), 0);
        assert_int_equal(index, 1043);
        assert_string_equal(plain, "1043-P28G-3M6A");
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(entry_parse_short_code(&index, plain, refused[i]), -1);
    assert_int_equal(entry_parse_short_code(&index, plain, "9007199254740992-00000000"), 0);
    assert_string_equal(plain, "9007199254740992-0000-0000");
}

static void dlv_and_close_have_their_exact_bytes(void **state)
{
    const struct closing_figures figures = {.sign = 5, .withdrawn = 1, .removed = 2, .repeats = 3};
    struct dlv_entry d = {.n = 12, .size = 345};
    struct buf entry, expected;

    (void)state;
    buf_init(&entry, BUF_UNLIMITED);
    buf_init(&expected, BUF_UNLIMITED);
    buf_adds(&expected, "{\"v\":1,\"t\":\"dlv\",\"n\":12,\"size\":345,\"manifests\":[");
    for (int i = 0; i < ENTRY_MANIFESTS; i++) {
        memset(d.manifests[i], i + 0xa0, HASH_LEN);
        buf_adds(&expected, i > 0 ? ",\"" : "\"");
        for (int at = 0; at < HASH_LEN; at++)
            buf_printf(&expected, "%02x", i + 0xa0);
        buf_addc(&expected, '"');
    }
    buf_adds(&expected, "]}");
    entry_dlv(&entry, &d);
    assert_string_equal(entry.data, expected.data);
    buf_clear(&entry);
    entry_close(&entry, &figures);
    assert_string_equal(entry.data,
                        "{\"v\":1,\"t\":\"close\",\"sign\":5,\"wd\":1,\"void\":2,\"repeats\":3}");
    buf_release(&entry);
    buf_release(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dlv_and_close_have_their_exact_bytes),
        cmocka_unit_test(the_published_example_gives_its_published_hashes),
        cmocka_unit_test(a_time_belongs_to_the_utc_day_of_the_calendar),
        cmocka_unit_test(every_day_from_1600_to_2400_is_written_as_the_c_library_does),
        cmocka_unit_test(times_beyond_the_calendar_give_its_first_or_last_day),
        cmocka_unit_test(fields_have_the_order_and_the_escapes_of_the_design),
        cmocka_unit_test(a_submission_gives_its_entry_and_its_codes),
        cmocka_unit_test(a_withdrawal_shows_the_index_and_the_secret),
        cmocka_unit_test(a_removal_names_its_reason),
        cmocka_unit_test(entry_0_is_written_and_read_back),
        cmocka_unit_test(a_text_entry_is_written_and_read_back),
        cmocka_unit_test(an_entry_cut_short_or_with_more_behind_it_is_not_read),
        cmocka_unit_test(an_entry_of_another_form_is_not_read),
        cmocka_unit_test(an_origin_fits_up_to_255_characters),
        cmocka_unit_test(a_withdrawal_code_carries_index_and_seed),
        cmocka_unit_test(a_code_is_read_however_it_is_typed),
        cmocka_unit_test(a_mistyped_code_is_refused),
        cmocka_unit_test(any_single_wrong_digit_is_refused),
        cmocka_unit_test(any_swap_of_neighbours_but_0_and_z_is_refused),
        cmocka_unit_test(a_short_code_is_read_in_any_spelling_and_printed_in_one),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
