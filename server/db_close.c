/*
 * db_close: closing the petition in the database. Runs in a transaction of the writer's.
 *
 * A group number is a keyed hash of the tag, under a key that is drawn for the one transaction and
 * wiped at its end: equal tags give equal numbers without a table of who is who, and without the
 * key nobody comes from a tag to its number. `signer` is emptied, which overwrites its pages, and
 * filled again in the order of the numbers: inserted as they come, a million rows would make the
 * WAL many times as large as the table.
 */
#include "db_internal.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_AT_ONCE 1000

_Static_assert(GROUP_LEN < TAG_LEN, "a group number takes the place of a tag");

/* A row of `signer` with its new number. */
struct group {
    uint8_t number[GROUP_LEN];
    uint32_t live, confirmed;
};

struct regrouping {
    struct db *db;
    uint8_t *key;
    struct group *groups;
    size_t count, cap;
};

int db_close_find(struct db *db, int64_t *index)
{
    int result = db_step(db, SQL_CLOSE_FIND);

    *index = result == DB_OK ? db_column_int(db, SQL_CLOSE_FIND, 0) : 0;
    db_finish(db, SQL_CLOSE_FIND);
    return result == DB_NO_ROW ? DB_OK : result;
}

static void number_of(const struct regrouping *r, uint8_t number[GROUP_LEN],
                      const uint8_t tag[TAG_LEN])
{
    crypto_generichash(number, GROUP_LEN, tag, TAG_LEN, r->key, crypto_generichash_KEYBYTES);
}

/* ---- submissions */

/* Some rows that still have their tags. */
struct tagged {
    int64_t index[ROWS_AT_ONCE];
    uint8_t tag[ROWS_AT_ONCE][TAG_LEN];
    size_t count;
};

/* The next rows behind an index. */
static int read_tags(struct db *db, int64_t after, struct tagged *t)
{
    const enum sql tags = SQL_CLOSE_TAGS;
    int result;
    size_t len;

    t->count = 0;
    db_bind_int(db, tags, 1, after);
    db_bind_int(db, tags, 2, ROWS_AT_ONCE);
    while ((result = db_step(db, tags)) == DB_OK) {
        const void *tag = db_column_blob(db, tags, 1, &len);

        assert(t->count < ROWS_AT_ONCE && len == TAG_LEN);
        t->index[t->count] = db_column_int(db, tags, 0);
        memcpy(t->tag[t->count++], tag, TAG_LEN);
    }
    db_finish(db, tags);
    return result == DB_NO_ROW ? DB_OK : result;
}

static int replace_tags(const struct regrouping *r)
{
    struct tagged t;
    int64_t after = 0;
    int result;

    do {
        result = read_tags(r->db, after, &t);
        for (size_t i = 0; i < t.count && result == DB_OK; i++) {
            uint8_t group[TAG_LEN] = {0};

            number_of(r, group, t.tag[i]);
            db_bind_int(r->db, SQL_CLOSE_REGROUP, 1, after = t.index[i]);
            db_bind_blob(r->db, SQL_CLOSE_REGROUP, 2, group, TAG_LEN);
            result = db_exec(r->db, SQL_CLOSE_REGROUP);
        }
    } while (result == DB_OK && t.count == ROWS_AT_ONCE);
    sodium_memzero(&t, sizeof t);
    return result;
}

/* ---- signers */

static void add_group(struct regrouping *r, const uint8_t tag[TAG_LEN], int64_t live,
                      int64_t confirmed)
{
    struct group *group;

    if (r->count == r->cap) {
        r->cap += r->cap / 2 + ROWS_AT_ONCE;
        r->groups = realloc(r->groups, r->cap * sizeof *r->groups);
        if (!r->groups)
            abort(); /* out of memory: the transaction is not committed */
    }
    group = &r->groups[r->count++];
    number_of(r, group->number, tag);
    group->live = (uint32_t)live;
    group->confirmed = (uint32_t)confirmed;
}

static int read_signers(struct regrouping *r)
{
    const enum sql signers = SQL_CLOSE_SIGNERS;
    int result;

    while ((result = db_step(r->db, signers)) == DB_OK)
        add_group(r, db_column_blob(r->db, signers, 0, NULL), db_column_int(r->db, signers, 1),
                  db_column_int(r->db, signers, 2));
    db_finish(r->db, signers);
    return result == DB_NO_ROW ? DB_OK : result;
}

static int by_number(const void *a, const void *b)
{
    return memcmp(((const struct group *)a)->number, ((const struct group *)b)->number, GROUP_LEN);
}

static int replace_signers(struct regrouping *r)
{
    int result = read_signers(r);

    if (result == DB_OK)
        result = db_exec(r->db, SQL_CLOSE_CLEAR);
    if (r->count > 1)
        qsort(r->groups, r->count, sizeof *r->groups, by_number);
    for (size_t i = 0; i < r->count && result == DB_OK; i++) {
        uint8_t group[TAG_LEN] = {0};

        memcpy(group, r->groups[i].number, GROUP_LEN);
        db_bind_blob(r->db, SQL_CLOSE_SIGNER, 1, group, TAG_LEN);
        db_bind_int(r->db, SQL_CLOSE_SIGNER, 2, r->groups[i].live);
        db_bind_int(r->db, SQL_CLOSE_SIGNER, 3, r->groups[i].confirmed);
        result = db_exec(r->db, SQL_CLOSE_SIGNER);
    }
    return result;
}

/* ---- closing */

static int regroup(struct db *db)
{
    struct regrouping r = {.db = db, .key = sodium_malloc(crypto_generichash_KEYBYTES)};
    int result;

    if (!r.key)
        abort();
    crypto_generichash_keygen(r.key);
    result = replace_tags(&r);
    if (result == DB_OK)
        result = replace_signers(&r);
    sodium_free(r.key); /* wipes it */
    free(r.groups);
    return result;
}

static int append_entry(struct db *db, struct closing_figures *figures, int64_t *index)
{
    struct totals t;
    struct buf entry;
    int result = db_totals(db, &t);

    if (result != DB_OK)
        return result;
    *figures = (struct closing_figures){.sign = t.live + t.withdrawn,
                                        .withdrawn = t.withdrawn,
                                        .repeats = t.live - t.signatures};
    for (int why = 0; why < VOID__MAX; why++)
        figures->removed += t.removed[why];
    figures->sign += figures->removed;
    buf_init(&entry, BUF_UNLIMITED);
    entry_close(&entry, figures);
    result = db_log_append(db, &entry, index);
    buf_release(&entry);
    return result;
}

int db_close_petition(struct db *db, struct closing_figures *figures, int64_t *index)
{
    int result;

    assert(db_close_index(db) == 0);
    result = append_entry(db, figures, index);
    if (result == DB_OK)
        result = regroup(db);
    if (result == DB_OK)
        db_set_closed(db, *index);
    return result;
}
