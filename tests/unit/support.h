/*
 * support: what several unit tests share: a folder of their own, random numbers that are the same
 * in every run, and a new database with submissions. Include after cmocka.h.
 */
#ifndef SUPPORT_H
#define SUPPORT_H

#include "db.h"
#include "files.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY          17462 /* 2017-10-23 */
#define FOLDER_BYTES 32

/* ---- a folder of one's own */

/* In memory if there is room for files: thousands of commits need not wait for the disk. */
static inline void make_folder(char folder[FOLDER_BYTES])
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    snprintf(folder, FOLDER_BYTES, "%s/petition-XXXXXX", base);
    assert_non_null(mkdtemp(folder));
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void remove_folder(const char *folder)
{
    assert_int_equal(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* The bytes of a file; an empty buffer if there is none. */
static inline void read_whole(struct buf *out, const char *path)
{
    buf_init(out, BUF_UNLIMITED);
    if (buf_read_file(out, path) != 0)
        buf_clear(out);
}

static inline bool contains(const struct buf *in, const void *bytes, size_t len)
{
    return memmem(in->data, in->len, bytes, len) != NULL;
}

/* For the user there is one line, without its end. */
static inline void assert_one_line(const struct buf *err)
{
    assert_true(err->len > 0);
    assert_null(strchr(err->data, '\n'));
}

/* ---- random numbers */

/* splitmix64, https://prng.di.unimi.it/splitmix64.c */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint32_t below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)(next_random(state) % bound);
}

/* Bytes that stand for a number and are nowhere else. */
static inline void fill(uint8_t *out, size_t len, uint64_t number)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(next_random(&number) >> 32);
}

/* ---- a database */

static inline struct db *open_database(const char *path, enum db_mode mode)
{
    struct buf err;
    struct db *db;

    buf_init(&err, BUF_UNLIMITED);
    db = db_open(path, mode, &err);
    if (!db)
        print_error("%s\n", err.data);
    buf_release(&err);
    assert_non_null(db);
    return db;
}

/* A new one with entry 0, open for writing. */
static inline struct db *new_database(const char *path)
{
    uint8_t texts[3][HASH_LEN] = {{1}, {2}, {3}}, addressees[HASH_LEN] = {4}, seal[32] = {5};
    struct buf text;
    struct db *db;

    buf_init(&text, BUF_UNLIMITED);
    assert_int_equal(db_create(path, &text), 0);
    db = open_database(path, DB_WRITER);
    entry_open(&text, "petition.example", texts, addressees, seal);
    assert_int_equal(db_begin(db), DB_OK);
    assert_int_equal(db_start_log(db, &text), DB_OK);
    assert_int_equal(db_commit(db), DB_OK);
    buf_release(&text);
    return db;
}

/* The sign entry that stands for a number. */
static inline void make_entry(struct buf *out, uint64_t number)
{
    uint8_t c[HASH_LEN], w[HASH_LEN];

    fill(c, sizeof c, number);
    fill(w, sizeof w, ~number);
    buf_init(out, BUF_UNLIMITED);
    entry_sign(out, c, w);
}

/* Appends it; its index, or the negative result. For other threads and processes, too: it asserts
 * nothing. */
static inline int64_t append_entry(struct db *db, uint64_t number)
{
    struct buf entry;
    int64_t index = -1;
    int result;

    make_entry(&entry, number);
    result = db_log_append(db, &entry, &index);
    buf_release(&entry);
    return result == DB_OK ? index : result;
}

/* Stores a submission with its entry; its index, or the negative result. */
static inline int64_t add_submission(struct db *db, const struct submission *s)
{
    int64_t index = append_entry(db, (uint64_t)db_log_size(db));
    int result = index < 0 ? (int)index : db_submission_add(db, index, s);

    return result == DB_OK ? index : result;
}

/* An unconfirmed, private one of today, of the person with that number. */
static inline int64_t sign_as(struct db *db, uint64_t person)
{
    uint8_t tag[TAG_LEN];
    const struct submission s = {.tag = tag, .tier = TIER_UNCONFIRMED, .country = "KH", .day = DAY};

    fill(tag, sizeof tag, person);
    return add_submission(db, &s);
}

static inline uint64_t live_of(struct db *db)
{
    struct totals totals;

    assert_int_equal(db_totals(db, &totals), DB_OK);
    return totals.live;
}

#endif
