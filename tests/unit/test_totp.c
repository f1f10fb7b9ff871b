/*
 * test_totp: one-time codes are those of the published vectors; sessions end in time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "session.h"
#include "totp.h"

#include <sodium.h>
#include <string.h>

static const uint8_t *const secret = (const uint8_t *)"12345678901234567890";

static void codes_are_those_of_rfc_4226(void **state)
{
    static const uint32_t expected[] = {755224, 287082, 359152, 969429, 338314,
                                        254676, 287922, 162583, 399871, 520489};

    (void)state;
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(totp_code(secret, i), expected[i]);
}

static void codes_are_those_of_rfc_6238(void **state)
{
    /* Its eight digits, of which the last six are ours. */
    static const struct {
        int64_t at_s;
        uint32_t code;
    } vectors[] = {{59, 287082},       {1111111109, 81804},  {1111111111, 50471},
                   {1234567890, 5924}, {2000000000, 279037}, {20000000000, 353130}};

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_int_equal(totp_code(secret, (uint64_t)vectors[i].at_s / 30), vectors[i].code);
}

static void a_code_fits_one_step_before_and_after_and_says_which(void **state)
{
    int64_t step = 0;

    (void)state;
    assert_true(totp_match(secret, "050471", 1111111111, &step));
    assert_int_equal(step, 1111111111 / 30);
    assert_true(totp_match(secret, "050 471", 1111111111 + 30, &step));
    assert_int_equal(step, 1111111111 / 30);
    assert_true(totp_match(secret, " 050471", 1111111111 - 30, &step));
    assert_false(totp_match(secret, "050471", 1111111111 + 60, &step));
    assert_false(totp_match(secret, "050471", 1111111111 - 60, &step));
    assert_false(totp_match(secret, "50471", 1111111111, &step));
    assert_false(totp_match(secret, "0050471", 1111111111, &step));
    assert_false(totp_match(secret, "", 1111111111, &step));
    assert_false(totp_match(secret, "05047l", 1111111111, &step));
}

static void a_secret_survives_its_text(void **state)
{
    char text[TOTP_SECRET_TEXT];
    uint8_t back[TOTP_SECRET_LEN];

    (void)state;
    totp_secret_text(text, secret);
    assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    assert_int_equal(totp_secret_parse(back, text), 0);
    assert_memory_equal(back, secret, TOTP_SECRET_LEN);
    assert_int_equal(totp_secret_parse(back, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1"), -1);
    assert_int_equal(totp_secret_parse(back, "GEZD"), -1);
}

static void a_recovery_code_may_be_typed_in_any_way(void **state)
{
    char code[TOTP_RECOVERY_TEXT], other[TOTP_RECOVERY_TEXT], typed[40];
    uint8_t one[HASH_LEN], two[HASH_LEN];

    (void)state;
    totp_recovery_new(code);
    totp_recovery_new(other);
    assert_string_not_equal(code, other);
    totp_recovery_hash(one, code);
    snprintf(typed, sizeof typed, " %.5s %.5s%.5s ", code, code + 6, code + 12);
    for (char *c = typed; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    totp_recovery_hash(two, typed);
    assert_memory_equal(one, two, HASH_LEN);
    totp_recovery_hash(two, other);
    assert_memory_not_equal(one, two, HASH_LEN);
    snprintf(typed, sizeof typed, "%sA", code);
    totp_recovery_hash(two, typed);
    assert_memory_not_equal(one, two, HASH_LEN);
}

static void a_session_lasts_15_idle_minutes_and_8_hours(void **state)
{
    struct session_row s = {.created_s = 1000000, .seen_s = 1000000};

    (void)state;
    assert_true(session_alive(&s, 1000000 + 899));
    assert_false(session_alive(&s, 1000000 + 900));
    s.seen_s = 1000000 + 8 * 3600 - 10;
    assert_true(session_alive(&s, 1000000 + 8 * 3600 - 1));
    assert_false(session_alive(&s, 1000000 + 8 * 3600));
    assert_false(session_seen_due(&s, s.seen_s + 19));
    assert_true(session_seen_due(&s, s.seen_s + 20));
}

static void a_form_token_belongs_to_one_cookie(void **state)
{
    char one[SESSION_TOKEN_TEXT], two[SESSION_TOKEN_TEXT], form[SESSION_TOKEN_TEXT];

    (void)state;
    session_new_token(one);
    session_new_token(two);
    session_form_token(form, one);
    assert_true(session_is_form_token(form, one));
    assert_false(session_is_form_token(form, two));
    assert_false(session_is_form_token(one, one));
    assert_false(session_is_form_token("", one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_rfc_4226),
        cmocka_unit_test(codes_are_those_of_rfc_6238),
        cmocka_unit_test(a_code_fits_one_step_before_and_after_and_says_which),
        cmocka_unit_test(a_secret_survives_its_text),
        cmocka_unit_test(a_recovery_code_may_be_typed_in_any_way),
        cmocka_unit_test(a_session_lasts_15_idle_minutes_and_8_hours),
        cmocka_unit_test(a_form_token_belongs_to_one_cookie),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
