/*
 * A delivery from a real database, in a folder of its own: what the tests of annexes and bundles
 * share. Include after cmocka.h; each claim runs between open_fixture and close_fixture.
 */
#ifndef BUNDLE_FIXTURE_H
#define BUNDLE_FIXTURE_H

#include "bundle.h"
#include "files.h"

#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FROZEN_S   1508760002 /* 2017-10-23 12:00:02 UTC */
#define DAY        17462      /* 2017-10-23 */
#define PART       "signatures/part-001.csv"
#define ENTRY_TWO  1 /* position of the addressee that gets no names */
#define CHINA      7
#define ROOT       "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="
#define CHECKPOINT "petition.example\n5\n" ROOT "\n\n\u2014 petition.example AAAAAA==\n"

static struct content *content;
static struct minisign *minisign;
static char root[] = "/tmp/petition-bundle-XXXXXX";

/* One delivery. */
static struct fixture {
    char dir[64], path[80];
    struct db *writer, *readers[BUNDLE_SNAPSHOTS];
    struct delivery_row row;
    struct bundle_context b;
    struct buf why;
    uint8_t g[HASH_LEN];
    uint32_t people;    /* each adds one with a new tag */
    double last;        /* progress */
    int calls, stop_at; /* of the progress callback; 0: never */
} f;

__attribute__((format(printf, 1, 2))) static inline int shell(const char *format, ...)
{
    char command[1000];
    va_list args;
    int status;

    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void read_at(struct buf *out, const char *dir, const char *name)
{
    char *path = files_join(dir, name);

    buf_init(out, BUF_UNLIMITED);
    if (buf_read_file(out, path) != 0)
        fail_msg("%s cannot be read", path);
    free(path);
}

static inline bool on_progress(void *ctx, double fraction)
{
    (void)ctx;
    assert_true(fraction >= f.last && fraction <= 1.0);
    f.last = fraction;
    return ++f.calls != f.stop_at;
}

/* ---- life cycle */

static inline int open_group(void **state)
{
    struct buf err;
    const char *why = NULL;
    char *key;

    (void)state;
    buf_init(&err, 1000);
    content = content_open("public", &err);
    if (!content)
        print_error("%s\n", err.data);
    buf_release(&err);
    if (!content || sodium_init() < 0 || !mkdtemp(root))
        return -1;
    key = files_join(root, "minisign.key");
    if (minisign_create(key) == 0)
        minisign = minisign_open(key, &why);
    free(key);
    return minisign ? 0 : -1;
}

static inline int close_group(void **state)
{
    (void)state;
    minisign_close(minisign);
    content_close(content);
    return shell("rm -rf %s", root);
}

static inline void start_log(void)
{
    uint8_t texts[3][HASH_LEN] = {{1}, {2}, {3}}, addressees[HASH_LEN] = {4}, seal[32] = {5};
    struct buf entry;

    buf_init(&entry, BUF_UNLIMITED);
    entry_open(&entry, "petition.example", texts, addressees, seal);
    merkle_leaf(f.g, entry.data, entry.len);
    assert_int_equal(db_begin(f.writer), DB_OK);
    assert_int_equal(db_start_log(f.writer, &entry), DB_OK);
    assert_int_equal(db_commit(f.writer), DB_OK);
    buf_release(&entry);
}

static inline int open_fixture(void **state)
{
    static int number;

    (void)state;
    memset(&f, 0, sizeof f);
    snprintf(f.dir, sizeof f.dir, "%s/%d", root, ++number);
    snprintf(f.path, sizeof f.path, "%s/%d.db", root, number);
    buf_init(&f.why, 1000);
    if (files_make_dir(f.dir) != 0 || db_create(f.path, &f.why) != 0)
        return -1;
    f.writer = db_open(f.path, DB_WRITER, &f.why);
    if (!f.writer)
        return -1;
    start_log();
    for (int i = 0; i < BUNDLE_SNAPSHOTS; i++)
        f.readers[i] = db_open(f.path, DB_READER, &f.why);
    delivery_row_init(&f.row);
    f.row.id = 1;
    f.row.frozen_s = FROZEN_S;
    f.b = (struct bundle_context){.content = content,
                                  .minisign = minisign,
                                  .organiser_name = "",
                                  .organiser_contact = "",
                                  .origin = "petition.example",
                                  .base_url = "https://petition.example",
                                  .dir = f.dir,
                                  .delivery = &f.row,
                                  .checkpoint = CHECKPOINT,
                                  .progress = on_progress};
    return f.readers[0] && f.readers[1] ? 0 : -1;
}

static inline int close_fixture(void **state)
{
    (void)state;
    for (int i = 0; i < BUNDLE_SNAPSHOTS; i++)
        db_close(f.readers[i]);
    db_close(f.writer);
    delivery_row_release(&f.row);
    buf_release(&f.why);
    return 0;
}

/* ---- filling the database */

static inline int64_t sign(const char *name, enum visibility visibility)
{
    struct submission s = {.tier = TIER_UNCONFIRMED,
                           .visibility = visibility,
                           .country = "KH",
                           .day = DAY};
    struct fields fields = {name, "KH", db_text_index(f.writer), DAY, visibility};
    uint8_t tag[TAG_LEN] = {0}, opening[OPENING_LEN] = {0}, c[HASH_LEN], w[HASH_LEN] = {0};
    struct buf text;
    int64_t index;

    f.people++;
    memcpy(tag, &f.people, sizeof f.people);
    memcpy(opening, &f.people, sizeof f.people);
    s.tag = tag;
    s.name = visibility == VISIBILITY_PRIVATE ? NULL : name;
    s.opening = visibility == VISIBILITY_PRIVATE ? NULL : opening;
    buf_init(&text, BUF_UNLIMITED);
    entry_fields(&text, &fields);
    entry_commitment(c, f.g, opening, &text);
    buf_clear(&text);
    entry_sign(&text, c, w);
    assert_int_equal(db_log_append(f.writer, &text, &index), DB_OK);
    assert_int_equal(db_submission_add(f.writer, index, &s), DB_OK);
    buf_release(&text);
    return index;
}

static inline void change_text(void)
{
    uint8_t texts[3][HASH_LEN] = {{6}, {7}, {8}}, addressees[HASH_LEN] = {9};
    struct buf entry;
    int64_t index;

    buf_init(&entry, BUF_UNLIMITED);
    entry_text(&entry, texts, addressees);
    assert_int_equal(db_log_append(f.writer, &entry, &index), DB_OK);
    db_set_text(f.writer, index);
    buf_release(&entry);
}

static inline void begin(void)
{
    assert_int_equal(db_begin(f.writer), DB_OK);
}

static inline void commit(void)
{
    assert_int_equal(db_commit(f.writer), DB_OK);
}

static inline void sign_some(void)
{
    begin();
    sign("Perpetua Hidden", VISIBILITY_PRIVATE);
    sign("ចាន់ ស្រីនាង", VISIBILITY_PUBLIC);
    sign("Ottoline Shared", VISIBILITY_ADDRESSEES);
    assert_int_equal(db_submission_erase(f.writer, sign("Wendeline Gone", VISIBILITY_PUBLIC),
                                         VOID__MAX),
                     DB_OK);
    commit();
}

static inline void sign_many(int count)
{
    begin();
    for (int i = 0; i < count; i++)
        sign("Somebody", i % 3 == 0 ? VISIBILITY_PUBLIC : VISIBILITY_PRIVATE);
    commit();
}

/* Freezes; the result of bundle_spool. */
static inline int spool(void)
{
    struct publication tables = {.step = 1};
    int result;

    f.last = 0;
    buf_clear(&f.why);
    buf_clear(&f.row.figures);
    for (int i = 0; i < BUNDLE_SNAPSHOTS; i++)
        assert_int_equal(db_snapshot_begin(f.readers[i]), DB_OK);
    f.row.size = db_log_size(f.readers[0]);
    assert_int_equal(db_table(f.readers[0], DB_BY_COUNTRY, DAY + 1, &tables.by_country), DB_OK);
    assert_int_equal(db_table(f.readers[0], DB_BY_DAY, DAY + 1, &tables.by_day), DB_OK);
    assert_int_equal(db_table(f.readers[0], DB_BY_TIER, DAY + 1, &tables.by_tier), DB_OK);
    assert_int_equal(bundle_figures(&f.row.figures, &f.row, f.readers[0], &tables), 0);
    publication_release(&tables);
    result = bundle_spool(&f.b, f.readers, &f.why);
    for (int i = 0; i < BUNDLE_SNAPSHOTS; i++)
        db_snapshot_end(f.readers[i]);
    return result;
}

static inline int build(int position, struct bundle_row *row)
{
    f.last = 0;
    buf_clear(&f.why);
    return bundle_build(&f.b, position, row, &f.why);
}

static inline void spool_and_build(int position)
{
    struct bundle_row row;

    assert_int_equal(spool(), 0);
    assert_int_equal(build(position, &row), 0);
}

/* Unpacks the bundle into a folder beside it. */
static inline void unpack(char out[80], int position)
{
    struct buf name;

    buf_init(&name, 200);
    bundle_file_name(&name, content, position);
    snprintf(out, 80, "%s.%d", f.dir, position);
    assert_int_equal(shell("unzip -q -o %s/%s -d %s", f.dir, name.data, out), 0);
    buf_release(&name);
}

static inline int files_in(const char *dir)
{
    DIR *d = opendir(dir);
    int count = 0;

    assert_non_null(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count - 2;
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

#endif
