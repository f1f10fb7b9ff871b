/*
 * test_audit_log: every entry has one spelling, and a log only entries that may stand where they
 * do; what follows for the count is right at every size.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "audit_log.h"
#include "opening.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_MAX 2048

static struct audit *audit;
static uint8_t secrets[16][HASH_LEN]; /* the s of the sign entry at each index */

static const char *add(const struct buf *entry)
{
    return audit_add(audit, entry->data, entry->len);
}

static void make_open(struct buf *out)
{
    uint8_t texts[3][HASH_LEN] = {{1}, {2}, {3}}, addressees[HASH_LEN] = {4}, seal[32] = {5};

    buf_clear(out);
    entry_open(out, "petition.example/log", texts, addressees, seal);
}

static void make_sign(struct buf *out, size_t index)
{
    uint8_t c[HASH_LEN] = {(uint8_t)index}, w[HASH_LEN];

    memset(secrets[index], (int)index, HASH_LEN);
    entry_withdraw_hash(w, secrets[index]);
    buf_clear(out);
    entry_sign(out, c, w);
}

static void make_dlv(struct buf *out, int n, int size)
{
    buf_clear(out);
    buf_printf(out, "{\"v\":1,\"t\":\"dlv\",\"n\":%d,\"size\":%d,\"manifests\":[", n, size);
    for (int i = 0; i < ENTRY_MANIFESTS; i++)
        buf_printf(out, "%s\"%064x\"", i ? "," : "", n * 100 + i);
    buf_adds(out, "]}");
}

static void make_close(struct buf *out, int sign, int wd, int voids, int repeats)
{
    buf_clear(out);
    buf_printf(out, "{\"v\":1,\"t\":\"close\",\"sign\":%d,\"wd\":%d,\"void\":%d,\"repeats\":%d}",
               sign, wd, voids, repeats);
}

/* A log of entry 0 and four signatures. */
static int start(void **state)
{
    struct buf entry;

    (void)state;
    audit = audit_new();
    buf_init(&entry, ENTRY_MAX);
    make_open(&entry);
    assert_null(add(&entry));
    for (size_t i = 1; i <= 4; i++) {
        make_sign(&entry, i);
        assert_null(add(&entry));
    }
    buf_release(&entry);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    audit_free(audit);
    return 0;
}

static const char *add_wd(int64_t index, const uint8_t s[HASH_LEN])
{
    struct buf entry;
    const char *wrong;

    buf_init(&entry, ENTRY_MAX);
    entry_wd(&entry, index, s);
    wrong = add(&entry);
    buf_release(&entry);
    return wrong;
}

static const char *add_void(int64_t index, enum void_why why)
{
    struct buf entry;
    const char *wrong;

    buf_init(&entry, ENTRY_MAX);
    entry_void(&entry, index, why);
    wrong = add(&entry);
    buf_release(&entry);
    return wrong;
}

static const char *add_text(const char *text)
{
    return audit_add(audit, text, strlen(text));
}

static void the_count_follows_at_every_size(void **state)
{
    static const int64_t live[] = {0, 0, 1, 2, 3, 4, 3, 2};
    struct audit_counts counts;

    (void)state;
    assert_null(add_wd(2, secrets[2]));
    assert_null(add_void(4, VOID_FRAUD));
    assert_int_equal(audit_size(audit), 7);
    for (int64_t size = 0; size <= 7; size++) {
        audit_count(audit, size, &counts);
        assert_int_equal(counts.live, live[size]);
        assert_int_equal(counts.removed[REMOVED_WD], size > 5);
        assert_int_equal(counts.removed[VOID_FRAUD], size > 6);
        assert_int_equal(counts.sign - counts.removed[REMOVED_WD] - counts.removed[VOID_FRAUD],
                         counts.live);
    }
}

static void only_a_live_signature_is_removed_and_only_once(void **state)
{
    (void)state;
    assert_non_null(add_wd(1, secrets[2])); /* another's secret */
    assert_non_null(add_wd(0, secrets[1]));
    assert_non_null(add_wd(5, secrets[1])); /* itself */
    assert_non_null(add_void(6, VOID_TEST));
    assert_null(add_wd(1, secrets[1]));
    assert_non_null(add_wd(1, secrets[1]));
    assert_non_null(add_void(1, VOID_TEST));
    assert_non_null(add_void(5, VOID_TEST)); /* the wd */
    for (int why = 0; why < 3; why++)
        assert_null(add_void(2 + why, (enum void_why)why));
    assert_int_equal(audit_size(audit), 9);
}

static void a_refused_entry_changes_nothing(void **state)
{
    struct audit_counts counts;

    (void)state;
    assert_non_null(add_wd(1, secrets[2]));
    assert_non_null(add_text("{}"));
    audit_count(audit, audit_size(audit), &counts);
    assert_int_equal(audit_size(audit), 5);
    assert_int_equal(counts.live, 4);
}

static void deliveries_go_up_and_are_found(void **state)
{
    struct buf entry;

    (void)state;
    buf_init(&entry, ENTRY_MAX);
    make_dlv(&entry, 1, 6);
    assert_non_null(add(&entry));
    make_dlv(&entry, 1, 0);
    assert_non_null(add(&entry));
    make_dlv(&entry, 1, 5);
    assert_null(add(&entry));
    assert_non_null(add(&entry));
    make_dlv(&entry, 3, 5);
    assert_null(add(&entry));
    make_dlv(&entry, 2, 5);
    assert_non_null(add(&entry));
    assert_int_equal(audit_dlv_of(audit, 3)->index, 6);
    assert_int_equal(audit_dlv_of(audit, 3)->manifests[18][31], (300 + 18) & 0xff);
    assert_null(audit_dlv_of(audit, 2));
    assert_int_equal(audit_dlv_at(audit, 0)->n, 1);
    assert_null(audit_dlv_at(audit, 2));
    buf_release(&entry);
}

static void nothing_signs_behind_the_close(void **state)
{
    struct buf entry;
    int64_t repeats;

    (void)state;
    buf_init(&entry, ENTRY_MAX);
    assert_null(add_wd(1, secrets[1]));
    assert_null(add_void(2, VOID_LOST));
    make_close(&entry, 4, 1, 0, 0);
    assert_non_null(add(&entry));
    make_close(&entry, 4, 1, 1, 3);
    assert_non_null(add(&entry));
    assert_int_equal(audit_closed(audit, &repeats), 0);
    make_close(&entry, 4, 1, 1, 2);
    assert_null(add(&entry));
    assert_int_equal(audit_closed(audit, &repeats), 8);
    assert_int_equal(repeats, 2);
    assert_non_null(add(&entry));
    make_sign(&entry, 9);
    assert_non_null(add(&entry));
    make_open(&entry);
    assert_non_null(add(&entry));
    make_dlv(&entry, 1, 8);
    assert_null(add(&entry));
    assert_null(add_wd(3, secrets[3]));
    assert_null(add_void(4, VOID_REQUEST));
    buf_release(&entry);
}

static void texts_are_found_by_what_stands_before(void **state)
{
    uint8_t texts[3][HASH_LEN] = {{6}}, addressees[HASH_LEN] = {7};
    struct buf entry;

    (void)state;
    buf_init(&entry, ENTRY_MAX);
    entry_text(&entry, texts, addressees);
    assert_null(add(&entry));
    make_sign(&entry, 6);
    assert_null(add(&entry));
    assert_int_equal(audit_text_before(audit, 1), 0);
    assert_int_equal(audit_text_before(audit, 5), 0);
    assert_int_equal(audit_text_before(audit, 6), 5);
    assert_null(audit_sign_at(audit, 5));
    assert_non_null(audit_sign_at(audit, 6));
    assert_null(audit_sign_at(audit, 7));
    assert_null(audit_sign_at(audit, -1));
    assert_string_equal(audit_origin(audit), "petition.example/log");
    buf_release(&entry);
}

static void a_log_begins_with_its_opening(void **state)
{
    struct audit *empty = audit_new();
    struct buf entry;

    (void)state;
    buf_init(&entry, ENTRY_MAX);
    make_sign(&entry, 1);
    assert_non_null(audit_add(empty, entry.data, entry.len));
    make_open(&entry);
    assert_null(audit_add(empty, entry.data, entry.len));
    assert_non_null(audit_add(empty, entry.data, entry.len));
    audit_free(empty);
    buf_release(&entry);
}

/* ---- spelling */

/* Any entry but this one's bytes, or none: a changed byte never reads as the same entry. */
static void try_changes(const char *body, size_t len)
{
    char *copy = malloc(len);
    struct entry before, after;

    assert_non_null(copy);
    memset(&before, 0, sizeof before);
    assert_int_equal(entry_read(&before, body, len), 0);
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, body, len);
            copy[i] = (char)(copy[i] ^ 1 << bit);
            memset(&after, 0, sizeof after);
            assert_true(entry_read(&after, copy, len) != 0 ||
                        memcmp(&before, &after, sizeof before) != 0);
        }
        assert_int_not_equal(entry_read(&after, body, i), 0);
    }
    free(copy);
}

static void every_entry_has_one_spelling(void **state)
{
    uint8_t texts[3][HASH_LEN] = {{1}, {2}, {3}}, hash[HASH_LEN] = {4};
    struct buf entry;

    (void)state;
    buf_init(&entry, ENTRY_MAX);
    make_open(&entry);
    try_changes(entry.data, entry.len);
    buf_clear(&entry);
    entry_text(&entry, texts, hash);
    try_changes(entry.data, entry.len);
    make_sign(&entry, 1);
    try_changes(entry.data, entry.len);
    buf_clear(&entry);
    entry_wd(&entry, 17, hash);
    try_changes(entry.data, entry.len);
    for (int why = 0; why < VOID__MAX; why++) {
        buf_clear(&entry);
        entry_void(&entry, 1043, (enum void_why)why);
        try_changes(entry.data, entry.len);
    }
    make_dlv(&entry, 12, 1043);
    try_changes(entry.data, entry.len);
    make_close(&entry, 12, 3, 0, 7);
    try_changes(entry.data, entry.len);
    buf_release(&entry);
}

static void numbers_are_spelled_in_one_way(void **state)
{
    static const char *const wrong[] = {
        "01", "-1", "1.0", "1e3", "", "9007199254740993", "99999999999999999999999999", " 1", "+1"};
    struct buf text;
    struct entry e;

    (void)state;
    buf_init(&text, ENTRY_MAX);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        buf_clear(&text);
        buf_printf(&text, "{\"v\":1,\"t\":\"void\",\"i\":%s,\"why\":\"test\"}", wrong[i]);
        assert_int_not_equal(entry_read(&e, text.data, text.len), 0);
    }
    buf_release(&text);
}

/* ---- the private opening */

static void an_opening_is_read_as_it_is_written_and_in_no_other_way(void **state)
{
    static const char fields[] = "{\"name\":\"A \\\"B\\\" \\\\ \xe1\x9e\x81\",\"country\":\"KH\","
                                 "\"text\":0,\"day\":\"2017-10-23\",\"visibility\":\"private\"}";
    struct opening o, again;
    uint8_t c[HASH_LEN], c2[HASH_LEN];
    struct buf file;

    (void)state;
    opening_init(&o);
    opening_init(&again);
    o.index = 1043;
    memset(o.r, 1, HASH_LEN);
    memset(o.r2, 2, HASH_LEN);
    buf_adds(&o.contact, "ann@example.org");
    buf_adds(&o.fields, fields);
    buf_init(&file, OPENING_FILE_MAX);
    opening_write(&file, &o);
    assert_int_equal(opening_parse(&again, file.data, file.len), 0);
    opening_commitment(&o, c);
    opening_commitment(&again, c2);
    assert_memory_equal(c, c2, HASH_LEN);
    for (size_t i = 0; i < file.len; i++) {
        struct opening cut;

        opening_init(&cut);
        assert_int_not_equal(opening_parse(&cut, file.data, i), 0);
        opening_release(&cut);
    }
    buf_adds(&file, "\n");
    opening_release(&again);
    opening_init(&again);
    assert_int_equal(opening_parse(&again, file.data, file.len), 0);
    buf_adds(&file, "\n");
    opening_release(&again);
    opening_init(&again);
    assert_int_not_equal(opening_parse(&again, file.data, file.len), 0);
    opening_release(&again);
    opening_release(&o);
    buf_release(&file);
}

/* ch was computed elsewhere, with sha256sum. */
static void the_contact_is_in_the_commitment(void **state)
{
    uint8_t c[HASH_LEN], expected[HASH_LEN], r_ch[OPENING_LEN];
    struct opening o;

    (void)state;
    opening_init(&o);
    for (int i = 0; i < HASH_LEN; i++) {
        o.r[i] = (uint8_t)i;
        o.r2[i] = (uint8_t)(0x20 + i);
    }
    buf_adds(&o.contact, "ann@example.org");
    buf_adds(&o.fields, "{}");
    memcpy(r_ch, o.r, HASH_LEN);
    assert_int_equal(
        sodium_hex2bin(r_ch + HASH_LEN, HASH_LEN,
                       "84bcb2b8bab23577acab48464b237d0a6c3afdf8bba192759ec8c0f71cca801c", 64, NULL,
                       NULL, NULL),
        0);
    entry_commitment(expected, o.genesis, r_ch, &o.fields);
    opening_commitment(&o, c);
    assert_memory_equal(c, expected, HASH_LEN);
    opening_release(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_count_follows_at_every_size, start, stop),
        cmocka_unit_test_setup_teardown(only_a_live_signature_is_removed_and_only_once, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_refused_entry_changes_nothing, start, stop),
        cmocka_unit_test_setup_teardown(deliveries_go_up_and_are_found, start, stop),
        cmocka_unit_test_setup_teardown(nothing_signs_behind_the_close, start, stop),
        cmocka_unit_test_setup_teardown(texts_are_found_by_what_stands_before, start, stop),
        cmocka_unit_test(a_log_begins_with_its_opening),
        cmocka_unit_test(every_entry_has_one_spelling),
        cmocka_unit_test(numbers_are_spelled_in_one_way),
        cmocka_unit_test(an_opening_is_read_as_it_is_written_and_in_no_other_way),
        cmocka_unit_test(the_contact_is_in_the_commitment),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
