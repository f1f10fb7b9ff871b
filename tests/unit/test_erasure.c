/*
 * test_erasure: readers see one state, and what is erased is gone from the disk.
 *
 * The files are searched for pieces of eight bytes, so that a part of what was stored would be
 * found, too.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "database_fixture.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/wait.h>

#define SEALED_LEN 436
#define MANY       1500
#define BATCH      60

/* ---- submissions with everything that can be erased */

struct person {
    uint8_t tag[TAG_LEN], opening[OPENING_LEN], sealed[SEALED_LEN];
    char name[33]; /* random, too, and so found by pieces */
};

static void make_person(struct person *p, uint64_t number)
{
    uint8_t random[16];

    fill(p->tag, sizeof p->tag, 4 * number);
    fill(p->opening, sizeof p->opening, 4 * number + 1);
    fill(p->sealed, sizeof p->sealed, 4 * number + 2);
    fill(random, sizeof random, 4 * number + 3);
    sodium_bin2hex(p->name, sizeof p->name, random, sizeof random);
}

static int64_t add_person(uint64_t number)
{
    struct person p;
    const struct submission s = {.tag = p.tag,
                                 .tier = TIER_UNCONFIRMED,
                                 .visibility = VISIBILITY_PUBLIC,
                                 .country = "KH",
                                 .day = DAY,
                                 .name = p.name,
                                 .opening = p.opening,
                                 .sealed = p.sealed,
                                 .sealed_len = SEALED_LEN};
    int64_t index;

    make_person(&p, number);
    index = add_submission(db, &s);
    assert_true(index > 0);
    return index;
}

static void erase(int64_t index)
{
    begin();
    assert_int_equal(db_submission_erase(db, index, VOID__MAX), DB_OK);
    commit();
}

static void checkpoint(void)
{
    assert_int_equal(db_checkpoint(db, true), DB_OK);
    assert_false(db_erasure_pending(db));
}

/* Of a person's four columns, how many are in the file as a whole. */
static int found_in(const char *file, uint64_t number)
{
    struct person p;
    struct buf bytes;
    int found;

    make_person(&p, number);
    read_whole(&bytes, file);
    found = contains(&bytes, p.tag, sizeof p.tag) + contains(&bytes, p.opening, sizeof p.opening) +
            contains(&bytes, p.sealed, sizeof p.sealed) + contains(&bytes, p.name, strlen(p.name));
    buf_release(&bytes);
    return found;
}

/* ---- pieces of eight bytes */

static int compare_pieces(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, 8);
    memcpy(&y, b, 8);
    return x < y ? -1 : x > y;
}

struct pieces {
    uint64_t *all;
    size_t count;
};

static void add_pieces(struct pieces *p, const void *data, size_t len)
{
    for (size_t at = 0; at + 8 <= len; at += 8)
        memcpy(&p->all[p->count++], (const uint8_t *)data + at, 8);
}

static void pieces_of(struct pieces *p, uint64_t number)
{
    struct person person;

    make_person(&person, number);
    add_pieces(p, person.tag, sizeof person.tag);
    add_pieces(p, person.opening, sizeof person.opening);
    add_pieces(p, person.sealed, sizeof person.sealed);
    add_pieces(p, person.name, strlen(person.name));
}

/* How many places of the file hold one of the pieces. */
static size_t count_pieces(const char *file, struct pieces *p)
{
    static bool possible[65536]; /* first two bytes of a piece */
    struct buf bytes;
    size_t found = 0;

    memset(possible, 0, sizeof possible);
    for (size_t i = 0; i < p->count; i++) {
        uint16_t start;

        memcpy(&start, &p->all[i], 2);
        possible[start] = true;
    }
    qsort(p->all, p->count, 8, compare_pieces);
    read_whole(&bytes, file);
    for (size_t at = 0; at + 8 <= bytes.len; at++) {
        uint16_t start;

        memcpy(&start, bytes.data + at, 2);
        if (possible[start])
            found += bsearch(bytes.data + at, p->all, p->count, 8, compare_pieces) != NULL;
    }
    buf_release(&bytes);
    return found;
}

/* ---- gone from the disk */

static void an_erased_submission_is_in_no_file_once_the_wal_is_truncated(void **state)
{
    int64_t index;

    (void)state;
    begin();
    index = add_person(1);
    add_person(2);
    commit();
    assert_int_equal(found_in(wal, 1), 4);
    checkpoint();
    assert_int_equal(found_in(path, 1), 4);
    erase(index);
    assert_true(db_erasure_pending(db));
    assert_int_equal(found_in(path, 1), 4);
    checkpoint();
    assert_int_equal(found_in(path, 1), 0);
    assert_int_equal(found_in(wal, 1), 0);
    assert_int_equal(found_in(path, 2), 4);
}

static void only_the_truncation_takes_the_erased_out_of_the_wal(void **state)
{
    int64_t index;

    (void)state;
    begin();
    index = add_person(1);
    commit();
    erase(index);
    assert_int_equal(found_in(wal, 1), 4);
    assert_int_equal(db_checkpoint(db, false), DB_OK);
    assert_int_equal(found_in(path, 1), 0);
    assert_int_equal(found_in(wal, 1), 4);
    assert_true(db_erasure_pending(db));
    checkpoint();
    assert_int_equal(found_in(wal, 1), 0);
}

static void an_erasure_that_is_rolled_back_erases_nothing(void **state)
{
    int64_t index;

    (void)state;
    begin();
    index = add_person(1);
    commit();
    checkpoint();
    begin();
    assert_int_equal(db_submission_erase(db, index, VOID_FRAUD), DB_OK);
    db_rollback(db);
    assert_false(db_erasure_pending(db));
    assert_int_equal(found_in(path, 1), 4);
    assert_int_equal(live_of(db), 1);
}

static void a_reader_delays_the_truncation_and_its_end_lets_it_happen(void **state)
{
    struct db *reader;
    int64_t index;

    (void)state;
    begin();
    index = add_person(1);
    commit();
    reader = open_database(path, DB_READER);
    assert_int_equal(db_snapshot_begin(reader), DB_OK);
    erase(index);
    assert_int_equal(db_checkpoint(db, true), 1);
    assert_true(db_erasure_pending(db));
    assert_int_equal(found_in(wal, 1), 4);
    db_snapshot_end(reader);
    checkpoint();
    assert_int_equal(found_in(wal, 1), 0);
    assert_int_equal(found_in(path, 1), 0);
    db_close(reader);
}

/* Dies between the commit of an erasure and the truncation of the WAL. */
static void erase_and_die(int64_t index)
{
    struct buf err;

    buf_init(&err, BUF_UNLIMITED);
    db = db_open(path, DB_WRITER, &err);
    if (!db || db_begin(db) != DB_OK || db_submission_erase(db, index, VOID__MAX) != DB_OK ||
        db_commit(db) != DB_OK)
        _exit(1);
    _exit(0);
}

static void after_a_crash_the_truncation_is_still_due(void **state)
{
    int64_t index;
    int status;
    pid_t child;

    (void)state;
    begin();
    index = add_person(1);
    commit();
    db_close(db);
    db = NULL;
    child = fork();
    if (child == 0)
        erase_and_die(index);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(found_in(path, 1), 4);
    db = open_database(path, DB_WRITER);
    assert_true(db_erasure_pending(db));
    checkpoint();
    assert_int_equal(found_in(path, 1), 0);
    assert_int_equal(found_in(wal, 1), 0);
}

/* Rows and tags move between pages while neighbours are erased; no page keeps an old copy. */
static void no_piece_of_many_erased_submissions_is_left_on_any_page(void **state)
{
    static int64_t indices[MANY];
    struct pieces gone = {.all = xcalloc(MANY, 80 * 8)}, kept = {.all = xcalloc(MANY, 80 * 8)};
    uint64_t random = 1993;
    int erased = 0;

    (void)state;
    begin();
    for (uint64_t i = 0; i < MANY; i++)
        indices[i] = add_person(i);
    commit();
    checkpoint();
    begin();
    for (uint64_t i = 0; i < MANY; i++) {
        uint64_t number = (i * 601) % MANY; /* every one, in another order */

        if (below(&random, 10) == 0) {
            pieces_of(&kept, number);
            continue;
        }
        pieces_of(&gone, number);
        assert_int_equal(db_submission_erase(db, indices[number], VOID_REQUEST), DB_OK);
        if (++erased % BATCH == 0) {
            commit();
            begin();
        }
    }
    commit();
    checkpoint();
    assert_int_equal(count_pieces(path, &gone), 0);
    assert_int_equal(count_pieces(wal, &gone), 0);
    assert_true(count_pieces(path, &kept) >= kept.count);
    free(gone.all);
    free(kept.all);
}

/* ---- reading */

static void assert_row(const struct db_row *row, int64_t index, uint64_t number)
{
    struct person p;
    struct buf body;

    make_person(&p, number);
    buf_init(&body, BUF_UNLIMITED);
    assert_int_equal(db_log_entry(db, index, &body), DB_OK);
    assert_int_equal(row->index, index);
    assert_int_equal(row->tier, TIER_UNCONFIRMED);
    assert_int_equal(row->visibility, VISIBILITY_PUBLIC);
    assert_string_equal(row->country, "KH");
    assert_int_equal(row->day, DAY);
    assert_string_equal(row->name, p.name);
    assert_memory_equal(row->opening, p.opening, OPENING_LEN);
    assert_int_equal(row->sealed_len, SEALED_LEN);
    assert_memory_equal(row->sealed, p.sealed, SEALED_LEN);
    assert_int_equal(row->body_len, SIGN_ENTRY_BYTES);
    assert_memory_equal(row->body, body.data, body.len);
    buf_release(&body);
}

static void rows_are_the_live_ones_in_order_each_with_its_entry(void **state)
{
    struct db *reader;
    struct db_row row;

    (void)state;
    begin();
    for (uint64_t i = 1; i <= 4; i++)
        add_person(i);
    assert_int_equal(db_submission_erase(db, 3, VOID_LOST), DB_OK);
    commit();
    reader = open_database(path, DB_READER);
    assert_int_equal(db_snapshot_begin(reader), DB_OK);
    assert_int_equal(db_rows_begin(reader, 2), DB_OK);
    assert_int_equal(db_rows_next(reader, &row), DB_OK);
    assert_row(&row, 2, 2);
    assert_int_equal(db_rows_next(reader, &row), DB_OK);
    assert_row(&row, 4, 4);
    assert_int_equal(db_rows_next(reader, &row), DB_NO_ROW);
    assert_int_equal(db_rows_begin(reader, 0), DB_OK);
    assert_int_equal(db_rows_next(reader, &row), DB_OK);
    assert_row(&row, 1, 1);
    db_rows_end(reader);
    db_snapshot_end(reader);
    db_close(reader);
}

static void a_private_row_has_neither_name_nor_opening(void **state)
{
    struct db *reader;
    struct db_row row;

    (void)state;
    begin();
    assert_int_equal(sign_as(db, 1), 1);
    commit();
    reader = open_database(path, DB_READER);
    assert_int_equal(db_snapshot_begin(reader), DB_OK);
    assert_int_equal(db_rows_begin(reader, 0), DB_OK);
    assert_int_equal(db_rows_next(reader, &row), DB_OK);
    assert_null(row.name);
    assert_null(row.opening);
    assert_null(row.sealed);
    assert_int_equal(row.sealed_len, 0);
    db_rows_end(reader);
    db_snapshot_end(reader);
    db_close(reader);
}

static size_t count_rows(struct db *reader)
{
    struct db_row row;
    size_t count = 0;

    assert_int_equal(db_rows_begin(reader, 0), DB_OK);
    while (db_rows_next(reader, &row) == DB_OK)
        count++;
    db_rows_end(reader);
    return count;
}

static void a_snapshot_is_one_state_while_the_writer_goes_on(void **state)
{
    struct db *reader = open_database(path, DB_READER);

    (void)state;
    begin();
    add_person(1);
    add_person(2);
    assert_int_equal(db_snapshot_begin(reader), DB_OK);
    assert_int_equal(db_log_size(reader), 1); /* nothing that is not committed */
    db_snapshot_end(reader);
    commit();
    assert_int_equal(db_snapshot_begin(reader), DB_OK);
    erase(1);
    begin();
    add_person(3);
    commit();
    assert_int_equal(db_log_size(reader), 3);
    assert_int_equal(live_of(reader), 2);
    assert_int_equal(count_rows(reader), 2);
    db_snapshot_end(reader);
    assert_int_equal(db_snapshot_begin(reader), DB_OK);
    assert_int_equal(db_log_size(reader), 4);
    assert_int_equal(count_rows(reader), 2);
    db_snapshot_end(reader);
    db_close(reader);
}

static void a_reader_cannot_write(void **state)
{
    struct db *reader = open_database(path, DB_READER);

    (void)state;
    assert_int_equal(db_organiser_add(reader, "admin", "$argon2id$", DAY), DB_BROKEN);
    assert_int_equal(db_organiser_find(db, "admin"), DB_NO_ROW);
    db_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(an_erased_submission_is_in_no_file_once_the_wal_is_truncated),
        CLAIM(only_the_truncation_takes_the_erased_out_of_the_wal),
        CLAIM(an_erasure_that_is_rolled_back_erases_nothing),
        CLAIM(a_reader_delays_the_truncation_and_its_end_lets_it_happen),
        CLAIM(after_a_crash_the_truncation_is_still_due),
        CLAIM(no_piece_of_many_erased_submissions_is_left_on_any_page),
        CLAIM(rows_are_the_live_ones_in_order_each_with_its_entry),
        CLAIM(a_private_row_has_neither_name_nor_opening),
        CLAIM(a_snapshot_is_one_state_while_the_writer_goes_on),
        CLAIM(a_reader_cannot_write),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
