/*
 * db_close: closing the petition in the database. Runs in a transaction of the writer's.
 *
 * A group number is a keyed hash of the tag's head, under a key that is drawn for the one
 * transaction and wiped at its end: equal tags give equal numbers without a table of who is who,
 * and without the key nobody comes from a tag to its number. `signer_row` is emptied, which
 * overwrites its pages, and filled again in the order of the numbers: inserted as they come, a
 * million rows would make the WAL many times as large as the table.
 */
#include "db_internal.h"

#include "log.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_AT_ONCE 1000

_Static_assert(GROUP_LEN == SIGNER_HEAD_LEN && GROUP_LEN < TAG_LEN,
               "a group number, with zeros behind it, takes the place of a tag");

/* A row of `signer_row` with its new number. */
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
                      const uint8_t head[SIGNER_HEAD_LEN])
{
    crypto_generichash(number, GROUP_LEN, head, SIGNER_HEAD_LEN, r->key,
                       crypto_generichash_KEYBYTES);
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

static int read_signers(struct regrouping *r)
{
    const enum sql signers = SQL_CLOSE_SIGNERS;
    int result;

    while ((result = db_step(r->db, signers)) == DB_OK && r->count < r->cap) {
        struct group *group = &r->groups[r->count++];

        number_of(r, group->number, db_column_blob(r->db, signers, 0, NULL));
        group->live = (uint32_t)db_column_int(r->db, signers, 1);
        group->confirmed = (uint32_t)db_column_int(r->db, signers, 2);
    }
    db_finish(r->db, signers);
    if (result == DB_NO_ROW && r->count == r->cap)
        return DB_OK;
    if (result >= 0)
        log_error("database: signatures are not as many as their sum");
    return result < 0 ? result : DB_BROKEN;
}

static bool is_before(const struct group *a, const struct group *b)
{
    return memcmp(a->number, b->number, GROUP_LEN) < 0;
}

static void swap_groups(struct group *a, struct group *b)
{
    struct group kept = *a;

    *a = *b;
    *b = kept;
}

/* Moves the group down to its place in a heap with the greatest at the top. */
static void sift_down(struct group *heap, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_before(&heap[child], &heap[child + 1]))
            child++;
        if (!is_before(&heap[at], &heap[child]))
            return;
        swap_groups(&heap[at], &heap[child]);
    }
}

/* In place: qsort takes the same memory once more. */
static void sort_groups(struct group *groups, size_t count)
{
    for (size_t at = count / 2; at > 0; at--)
        sift_down(groups, at - 1, count);
    for (size_t end = count; end > 1; end--) {
        swap_groups(&groups[0], &groups[end - 1]);
        sift_down(groups, 0, end - 1);
    }
}

static int replace_signers(struct regrouping *r)
{
    int result = read_signers(r);

    if (result == DB_OK)
        result = db_exec(r->db, SQL_CLOSE_CLEAR);
    sort_groups(r->groups, r->count);
    for (size_t i = 0; i < r->count && result == DB_OK; i++) {
        db_bind_blob(r->db, SQL_CLOSE_SIGNER, 1, r->groups[i].number, GROUP_LEN);
        db_bind_int(r->db, SQL_CLOSE_SIGNER, 2, r->groups[i].live);
        db_bind_int(r->db, SQL_CLOSE_SIGNER, 3, r->groups[i].confirmed);
        result = db_exec(r->db, SQL_CLOSE_SIGNER);
    }
    return result;
}

/* ---- closing */

static int regroup(struct db *db, uint64_t signatures)
{
    struct regrouping r = {.db = db,
                           .key = sodium_malloc(crypto_generichash_KEYBYTES),
                           .groups = xcalloc(signatures + 1, sizeof *r.groups),
                           .cap = signatures};
    int result;

    if (!r.key)
        abort();
    crypto_generichash_keygen(r.key);
    result = db_signers_write_all(db);
    if (result == DB_OK)
        result = replace_tags(&r);
    if (result == DB_OK)
        result = replace_signers(&r);
    sodium_free(r.key); /* wipes it */
    free(r.groups);
    return result;
}

static int append_entry(struct db *db, const struct totals *t, struct closing_figures *figures,
                        int64_t *index)
{
    struct buf entry;
    int result;

    *figures = (struct closing_figures){.sign = t->live + t->withdrawn,
                                        .withdrawn = t->withdrawn,
                                        .repeats = t->live - t->signatures};
    for (int why = 0; why < VOID__MAX; why++)
        figures->removed += t->removed[why];
    figures->sign += figures->removed;
    buf_init(&entry, BUF_UNLIMITED);
    entry_close(&entry, figures);
    result = db_log_append(db, &entry, index);
    buf_release(&entry);
    return result;
}

int db_close_petition(struct db *db, struct closing_figures *figures, int64_t *index)
{
    struct totals t;
    int result = db_totals(db, &t);

    assert(db_close_index(db) == 0);
    if (result == DB_OK)
        result = append_entry(db, &t, figures, index);
    if (result == DB_OK)
        result = regroup(db, t.signatures);
    if (result == DB_OK)
        db_set_closed(db, *index);
    return result;
}
