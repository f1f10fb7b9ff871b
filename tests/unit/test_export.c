/*
 * test_export: sealed records leave the database page by page, each live one once, and open again
 * elsewhere with the organisers' key and no other.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "export.h"
#include "seal.h"
#include "support.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>

#define MANY 1203 /* three pages */

static char folder[FOLDER_BYTES];
static char path[64];
static struct db *db;
static uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN];
static struct buf lines, csv, err;

static int open_all(void **state)
{
    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/petition.db", folder);
    db = new_database(path);
    seal_key_pair(public_key, secret);
    buf_init(&lines, BUF_UNLIMITED);
    buf_init(&csv, BUF_UNLIMITED);
    buf_init(&err, BUF_UNLIMITED);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    buf_release(&lines);
    buf_release(&csv);
    buf_release(&err);
    db_close(db);
    remove_folder(folder);
    return 0;
}

/* ---- out of the database */

static void add_sealed(const uint8_t *sealed, size_t len, enum tier tier)
{
    static uint64_t person;
    uint8_t tag[TAG_LEN];
    const struct submission s = {
        .tag = tag, .tier = tier, .country = "KH", .day = DAY, .sealed = sealed, .sealed_len = len};

    fill(tag, sizeof tag, ++person);
    assert_true(add_submission(db, &s) > 0);
}

/* Adds one whose sealed record is its own number, and the line that it is to be. */
static void add_numbered(uint32_t number, bool exported)
{
    enum tier tier = (enum tier)(number % TIER__MAX);
    uint8_t sealed[4];

    memcpy(sealed, &number, sizeof sealed);
    if (exported) {
        buf_printf(&lines, "{\"index\":%" PRId64 ",\"tier\":\"%s\",\"sealed\":\"", db_log_size(db),
                   tier_names[tier]);
        buf_base64(&lines, sealed, sizeof sealed);
        buf_adds(&lines, "\"}\n");
    }
    add_sealed(sealed, sizeof sealed, tier);
}

static struct export *open_export(void)
{
    struct export *e = export_open(path, &err);

    assert_non_null(e);
    return e;
}

static void read_to_end(struct export *e, struct buf *out)
{
    int result;

    while ((result = export_next(e, out)) == 1)
        continue;
    assert_int_equal(result, 0);
    assert_int_equal(export_next(e, out), 0); /* and stays there */
}

static void every_live_submission_is_one_line_in_the_order_of_the_log(void **state)
{
    struct export *e;
    struct buf out;

    (void)state;
    buf_init(&out, BUF_UNLIMITED);
    assert_int_equal(db_begin(db), DB_OK);
    for (uint32_t i = 0; i < MANY; i++) {
        bool gone = i % 7 == 3;

        add_numbered(i, !gone);
        if (gone)
            assert_int_equal(db_submission_erase(db, db_log_size(db) - 1, VOID__MAX), DB_OK);
        if (i % 100 == 0)
            assert_true(sign_as(db, i) > 0); /* a row of paper has no sealed record */
    }
    assert_int_equal(db_commit(db), DB_OK);
    e = open_export();
    read_to_end(e, &out);
    assert_string_equal(out.data, lines.data);
    export_close(e);
    buf_release(&out);
}

static void what_comes_after_it_began_is_not_exported_nor_what_goes_before_its_page(void **state)
{
    struct export *e;
    struct buf out;

    (void)state;
    buf_init(&out, BUF_UNLIMITED);
    assert_int_equal(db_begin(db), DB_OK);
    for (uint32_t i = 1; i <= MANY; i++)
        add_numbered(i, i != MANY);
    assert_int_equal(db_commit(db), DB_OK);
    e = open_export();
    assert_int_equal(export_next(e, &out), 1);
    assert_int_equal(db_begin(db), DB_OK);
    add_numbered(MANY + 1, false);
    assert_int_equal(db_submission_erase(db, MANY, VOID_FRAUD), DB_OK);
    assert_int_equal(db_commit(db), DB_OK);
    assert_int_equal(db_checkpoint(db, true), DB_OK); /* no page holds the WAL */
    read_to_end(e, &out);
    assert_string_equal(out.data, lines.data);
    export_close(e);
    buf_release(&out);
}

static void an_export_of_nothing_is_empty(void **state)
{
    struct export *e = open_export();

    (void)state;
    read_to_end(e, &csv);
    assert_int_equal(csv.len, 0);
    export_close(e);
}

static void a_database_that_is_not_there_is_named(void **state)
{
    (void)state;
    assert_null(export_open("/nonexistent/petition.db", &err));
    assert_one_line(&err);
    assert_non_null(strstr(err.data, "/nonexistent/petition.db"));
}

/* ---- opened again */

static const struct seal_record people[] = {
    {.name = "Sok Chan", .contact = "+855 12 345 678", .country = "KH", .lang = "km", .day = DAY},
    {.name = "ចាន់ ស្រីនាង",
     .contact = "Sreyneang+petition@example.org",
     .country = "FR",
     .visibility = VISIBILITY_PUBLIC,
     .updates = true,
     .lang = "fr",
     .day = DAY + 1,
     .text = 1234567},
    {.name = "=1+1",
     .contact = "quo\"ted@example.org",
     .country = "US",
     .visibility = VISIBILITY_ADDRESSEES,
     .lang = "en",
     .day = DAY},
};
#define PEOPLE (sizeof people / sizeof *people)

#define HEADER "\xef\xbb\xbfindex,tier,name,contact,country,visibility,updates,lang,day,text\r\n"

static const char opened[] = HEADER
    "1,\"unconfirmed\",\"Sok Chan\",\"'+855 12 345 678\",\"KH\",\"private\",\"no\",\"km\","
    "\"2017-10-23\",\"0\"\r\n"
    "2,\"unconfirmed\",\"ចាន់ ស្រីនាង\",\"Sreyneang+petition@example.org\",\"FR\",\"public\",\"yes\","
    "\"fr\",\"2017-10-24\",\"1234567\"\r\n"
    "3,\"unconfirmed\",\"'=1+1\",\"quo\"\"ted@example.org\",\"US\",\"addressees\",\"no\",\"en\","
    "\"2017-10-23\",\"0\"\r\n";

/* Seals any text as a record and stores it. */
static void add_record(struct seal_batch *seals, const struct buf *record)
{
    uint8_t sealed[SEALED_MAX];
    size_t len;

    seal_add(seals, sealed, &len, record);
    add_sealed(sealed, len, TIER_UNCONFIRMED);
}

static void add_people(void)
{
    struct seal_batch *seals = seal_batch_new(public_key);
    const uint8_t r[HASH_LEN] = {1}, r2[HASH_LEN] = {2};

    assert_int_equal(seal_batch_begin(seals), 0);
    assert_int_equal(db_begin(db), DB_OK);
    for (size_t i = 0; i < PEOPLE; i++) {
        struct seal_record record = people[i];
        struct buf json;

        record.r = r;
        record.r2 = r2;
        buf_init(&json, BUF_UNLIMITED);
        seal_record_json(&json, &record);
        add_record(seals, &json);
        buf_release(&json);
    }
    assert_int_equal(db_commit(db), DB_OK);
    seal_batch_end(seals);
    seal_batch_free(seals);
}

static void export_people(void)
{
    struct export *e;

    add_people();
    e = open_export();
    read_to_end(e, &lines);
    export_close(e);
}

static void what_signers_typed_comes_back_as_csv_that_is_safe_to_open(void **state)
{
    (void)state;
    export_people();
    assert_int_equal(export_open_records(&csv, lines.data, secret, &err), 0);
    assert_string_equal(csv.data, opened);
    lines.data[lines.len - 1] = '\0'; /* without the last end of line */
    buf_clear(&csv);
    assert_int_equal(export_open_records(&csv, lines.data, secret, &err), 0);
    assert_string_equal(csv.data, opened);
    buf_clear(&csv);
    assert_int_equal(export_open_records(&csv, "", secret, &err), 0);
    assert_string_equal(csv.data, HEADER);
    assert_int_equal(err.len, 0);
}

static void another_key_opens_nothing_and_says_so_in_one_line(void **state)
{
    uint8_t foreign[SEAL_KEY_LEN], unused[SEAL_KEY_LEN];

    (void)state;
    export_people();
    seal_key_pair(unused, foreign);
    assert_int_equal(export_open_records(&csv, lines.data, foreign, &err), -1);
    assert_one_line(&err);
    assert_string_equal(err.data, "line 1 cannot be opened with this key: it was sealed to another "
                                  "one, or changed");
    assert_string_equal(csv.data, HEADER);
}

static void a_changed_record_is_named_by_its_line(void **state)
{
    char *second, *digit;

    (void)state;
    export_people();
    second = strchr(lines.data, '\n') + 1;
    digit = strstr(second, "\"sealed\":\"") + 200;
    *digit = *digit == 'A' ? 'B' : 'A';
    assert_int_equal(export_open_records(&csv, lines.data, secret, &err), -1);
    assert_int_equal(strncmp(err.data, "line 2 cannot be opened", 23), 0);
}

static void a_line_that_is_no_export_is_named(void **state)
{
    static const char *const wrong[] = {
        "nonsense",
        "\n",
        "[]",
        "null",
        "{}",
        "{\"index\":1,\"tier\":\"paper\"}",
        "{\"index\":\"1\",\"tier\":\"paper\",\"sealed\":\"AAAA\"}",
        "{\"index\":1,\"tier\":2,\"sealed\":\"AAAA\"}",
        "{\"index\":1,\"tier\":\"paper\",\"sealed\":null}",
        "{\"index\":1,\"tier\":\"paper\",\"sealed\":\"not base64!\"}",
        "{\"index\":1,\"tier\":\"paper\",\"sealed\":\"AAAA\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        buf_clear(&err);
        assert_int_equal(export_open_records(&csv, wrong[i], secret, &err), -1);
        assert_string_equal(err.data, "line 1 is not a line of an export");
    }
}

static void sealed_bytes_of_any_length_are_refused(void **state)
{
    uint8_t noise[SEALED_MAX + 8];

    (void)state;
    for (size_t len = 0; len <= sizeof noise; len += len < 60 ? 1 : 97) {
        fill(noise, len, len);
        buf_clear(&lines);
        buf_clear(&err);
        buf_adds(&lines, "{\"index\":1,\"tier\":\"paper\",\"sealed\":\"");
        buf_base64(&lines, noise, len);
        buf_adds(&lines, "\"}\n");
        assert_int_equal(export_open_records(&csv, lines.data, secret, &err), -1);
        assert_one_line(&err);
    }
}

static void a_sealed_record_that_is_not_ours_is_refused(void **state)
{
    struct seal_batch *seals = seal_batch_new(public_key);
    struct buf text;
    struct export *e;

    (void)state;
    buf_init(&text, BUF_UNLIMITED);
    buf_adds(&text, "not a record");
    assert_int_equal(seal_batch_begin(seals), 0);
    assert_int_equal(db_begin(db), DB_OK);
    add_record(seals, &text);
    assert_int_equal(db_commit(db), DB_OK);
    seal_batch_end(seals);
    seal_batch_free(seals);
    buf_release(&text);
    e = open_export();
    read_to_end(e, &lines);
    export_close(e);
    assert_int_equal(export_open_records(&csv, lines.data, secret, &err), -1);
    assert_string_equal(err.data, "line 1 holds no record");
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(every_live_submission_is_one_line_in_the_order_of_the_log),
        CLAIM(what_comes_after_it_began_is_not_exported_nor_what_goes_before_its_page),
        CLAIM(an_export_of_nothing_is_empty),
        CLAIM(a_database_that_is_not_there_is_named),
        CLAIM(what_signers_typed_comes_back_as_csv_that_is_safe_to_open),
        CLAIM(another_key_opens_nothing_and_says_so_in_one_line),
        CLAIM(a_changed_record_is_named_by_its_line),
        CLAIM(a_line_that_is_no_export_is_named),
        CLAIM(sealed_bytes_of_any_length_are_refused),
        CLAIM(a_sealed_record_that_is_not_ours_is_refused),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
