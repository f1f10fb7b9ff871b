/*
 * test_row_check: rows as annex writes them are taken, whatever the pieces they come in; any other
 * is refused, and so is one that the log does not bear out. test_archive: the layout of ZIPs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "archive.h"
#include "archive_read.h"
#include "row_check.h"
#include "support.h"

#include <sodium.h>
#include <stdlib.h>

#define HEADER  "\xef\xbb\xbfindex,tier,entry_sha256,name,country,day,opening,fields_b64\r\n"
#define SIGNERS 6

/* A log of SIGNERS signatures, of which number 3 is removed, and its list. Odd ones are shown. The
 * opening of number 5 begins with '+', which a spreadsheet would take for a formula. */
static struct audit *audit;
static struct buf list;

static void add_entry(const struct buf *entry)
{
    assert_null(audit_add(audit, entry->data, entry->len));
}

static void make_opening(uint8_t opening[OPENING_LEN], int number)
{
    memset(opening, number, OPENING_LEN);
    if (number == 5)
        opening[0] = 0xf8;
}

static void make_fields(struct buf *out, int number)
{
    const struct fields f = {.name = number == 1 ? "=1+1" : "O\"Brien",
                             .country = "KH",
                             .day = DAY,
                             .visibility = VISIBILITY_PUBLIC};

    buf_clear(out);
    entry_fields(out, &f);
}

static void add_row(int number, const struct buf *entry, const struct buf *fields)
{
    uint8_t leaf[HASH_LEN], opening[OPENING_LEN];
    struct buf base64;

    merkle_leaf(leaf, entry->data, entry->len);
    buf_printf(&list, "%d,\"paper\",\"", number);
    buf_hex(&list, leaf, sizeof leaf);
    if (number % 2 == 0) {
        buf_adds(&list, "\",,,,,\r\n");
        return;
    }
    make_opening(opening, number);
    buf_init(&base64, BUF_UNLIMITED);
    buf_base64(&base64, opening, sizeof opening);
    buf_adds(&list, "\",");
    buf_csv(&list, number == 1 ? "=1+1" : "O\"Brien");
    buf_adds(&list, ",\"KH\",\"2017-10-23\",");
    buf_csv(&list, base64.data);
    buf_adds(&list, ",\"");
    buf_base64(&list, (const uint8_t *)fields->data, fields->len);
    buf_adds(&list, "\"\r\n");
    buf_release(&base64);
}

static int start(void **state)
{
    uint8_t texts[3][HASH_LEN] = {{1}}, hash[HASH_LEN] = {4}, opening[OPENING_LEN];
    struct buf entry, fields;

    (void)state;
    audit = audit_new();
    buf_init(&entry, BUF_UNLIMITED);
    buf_init(&fields, BUF_UNLIMITED);
    buf_init(&list, BUF_UNLIMITED);
    buf_adds(&list, HEADER);
    entry_open(&entry, "petition.example", texts, hash, hash);
    add_entry(&entry);
    for (int i = 1; i <= SIGNERS; i++) {
        uint8_t c[HASH_LEN];

        make_opening(opening, i);
        make_fields(&fields, i);
        entry_commitment(c, audit_genesis(audit), opening, &fields);
        buf_clear(&entry);
        entry_sign(&entry, c, hash);
        add_entry(&entry);
        if (i != 3)
            add_row(i, &entry, &fields);
    }
    buf_clear(&entry);
    entry_void(&entry, 3, VOID_TEST);
    add_entry(&entry);
    buf_release(&entry);
    buf_release(&fields);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    audit_free(audit);
    buf_release(&list);
    return 0;
}

/* Takes the text in pieces of a size: 0 or -1, with the counts. */
static int take(const struct row_check_source *source, const struct buf *text, size_t piece,
                struct row_counts *counts)
{
    struct row_check *r = row_check_new(source);
    struct buf why;
    int result = 0;

    buf_init(&why, BUF_UNLIMITED);
    row_check_begin(r);
    for (size_t at = 0; at < text->len && result == 0; at += piece)
        result = row_check_add(r, text->data + at, text->len - at < piece ? text->len - at : piece,
                               &why);
    if (result == 0)
        result = row_check_end(r, &why);
    if (result != 0)
        assert_one_line(&why);
    *counts = *row_check_counts(r);
    buf_release(&why);
    row_check_free(r);
    return result;
}

static void a_list_is_taken_in_any_pieces(void **state)
{
    const struct row_check_source with_log = {audit, SIGNERS + 2, true};
    const struct row_check_source alone = {NULL, SIGNERS + 2, true};
    struct row_counts counts;

    (void)state;
    for (size_t piece = 1; piece < list.len + 7; piece += 13) {
        assert_int_equal(take(&with_log, &list, piece, &counts), 0);
        assert_int_equal(counts.rows, SIGNERS - 1);
        assert_int_equal(counts.opened, 2);
        assert_int_equal(counts.tiers[TIER_PAPER], SIGNERS - 1);
        assert_int_equal(take(&alone, &list, piece, &counts), 0);
    }
}

static void every_changed_byte_is_refused(void **state)
{
    const struct row_check_source source = {audit, SIGNERS + 2, true};
    struct row_counts counts;

    (void)state;
    for (size_t i = 0; i < list.len; i++) {
        char byte = list.data[i];

        for (int bit = 0; bit < 8; bit++) {
            list.data[i] = (char)(byte ^ 1 << bit);
            assert_true(take(&source, &list, list.len, &counts) != 0);
        }
        list.data[i] = byte;
    }
}

static void a_list_that_is_cut_off_is_refused_or_short(void **state)
{
    const struct row_check_source source = {audit, SIGNERS + 2, true};
    struct row_counts counts;
    struct buf cut;

    (void)state;
    buf_init(&cut, BUF_UNLIMITED);
    for (size_t i = 0; i < list.len; i++) {
        buf_clear(&cut);
        buf_add(&cut, list.data, i);
        assert_true(take(&source, &cut, 100, &counts) != 0 || counts.rows < SIGNERS - 1);
    }
    buf_release(&cut);
}

static void names_are_refused_where_there_may_be_none(void **state)
{
    const struct row_check_source source = {audit, SIGNERS + 2, false};
    struct row_counts counts;

    (void)state;
    assert_int_not_equal(take(&source, &list, 100, &counts), 0);
}

static void what_was_removed_before_the_size_is_refused_and_after_it_is_not(void **state)
{
    const struct audit_sign *s = audit_sign_at(audit, 3);
    struct row_check_source source = {audit, SIGNERS + 1, true};
    uint8_t leaf[HASH_LEN];
    struct row_counts counts;
    struct buf entry, text;

    (void)state;
    buf_init(&entry, BUF_UNLIMITED);
    buf_init(&text, BUF_UNLIMITED);
    entry_sign(&entry, s->c, s->w);
    merkle_leaf(leaf, entry.data, entry.len);
    buf_adds(&text, HEADER "3,\"paper\",\"");
    buf_hex(&text, leaf, sizeof leaf);
    buf_adds(&text, "\",,,,,\r\n");
    assert_int_equal(take(&source, &text, 100, &counts), 0);
    source.size++;
    assert_int_not_equal(take(&source, &text, 100, &counts), 0);
    source.size = 3;
    assert_int_not_equal(take(&source, &text, 100, &counts), 0);
    buf_release(&entry);
    buf_release(&text);
}

/* ---- the layout of ZIPs */

static int count_bytes(void *ctx, const void *data, size_t len)
{
    (void)data;
    *(size_t *)ctx += len;
    return 0;
}

/* Reads every member to its end. */
static bool is_whole(const char *path, const char *const names[], size_t count)
{
    struct archive_reader *r;
    struct buf why;
    size_t bytes = 0;
    bool ok;

    buf_init(&why, BUF_UNLIMITED);
    r = archive_reader_open(path, &why);
    ok = r && archive_reader_count(r) == count;
    for (size_t i = 0; ok && i < count; i++)
        ok = strcmp(archive_reader_name(r, i), names[i]) == 0 &&
             archive_reader_stream(r, names[i], count_bytes, &bytes, &why) == 0;
    archive_reader_close(r);
    buf_release(&why);
    return ok;
}

/* What only tells how a member is packed can be changed in ways that unpack to the same bytes; what
 * is not packed cannot. */
static void a_zip_with_any_changed_byte_outside_of_packed_data_is_refused(void **state)
{
    static const char *const names[] = {"a.txt", "signatures/b.csv"};
    char folder[FOLDER_BYTES];
    struct buf one, two, file, why;
    struct archive *zip;
    char *path;
    size_t refused = 0;

    (void)state;
    make_folder(folder);
    path = files_join(folder, "x.zip");
    buf_init(&one, BUF_UNLIMITED);
    buf_init(&two, BUF_UNLIMITED);
    buf_init(&why, BUF_UNLIMITED);
    buf_adds(&one, "hello hello hello");
    buf_adds(&two, "1,2,3\r\n");
    zip = archive_new(folder, "x.zip", 1508716800);
    archive_add(zip, names[0], &one);
    archive_add(zip, names[1], &two);
    assert_int_equal(archive_finish(zip, NULL, &why), 0);
    assert_null(archive_reader_strict(path));
    assert_true(is_whole(path, names, 2));
    read_whole(&file, path);
    for (size_t i = 0; i < file.len * 8; i++) {
        file.data[i / 8] = (char)(file.data[i / 8] ^ 1 << i % 8);
        assert_int_equal(files_replace(path, file.data, file.len), 0);
        refused += archive_reader_strict(path) || !is_whole(path, names, 2);
        file.data[i / 8] = (char)(file.data[i / 8] ^ 1 << i % 8);
    }
    /* Unused bits behind the end of two members' packed data, less than 8 each. */
    assert_true(file.len * 8 - refused < 16);
    buf_adds(&file, "x");
    assert_int_equal(files_replace(path, file.data, file.len), 0);
    assert_non_null(archive_reader_strict(path));
    buf_release(&one);
    buf_release(&two);
    buf_release(&file);
    buf_release(&why);
    free(path);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_is_taken_in_any_pieces, start, stop),
        cmocka_unit_test_setup_teardown(every_changed_byte_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(a_list_that_is_cut_off_is_refused_or_short, start, stop),
        cmocka_unit_test_setup_teardown(names_are_refused_where_there_may_be_none, start, stop),
        cmocka_unit_test_setup_teardown(
            what_was_removed_before_the_size_is_refused_and_after_it_is_not, start, stop),
        cmocka_unit_test(a_zip_with_any_changed_byte_outside_of_packed_data_is_refused),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
