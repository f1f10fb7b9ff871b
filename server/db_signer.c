/*
 * db_signer: who has signed: a row for each contact with a live submission (see db_internal.h).
 *
 * A tag is random, so a new contact's row lies on a page that the other rows of its batch do not
 * share: written at once it would cost 4 KiB of the WAL, and again of the database. So what the
 * submissions change is summed up in memory, by slices of the tags' range; when there is as much as
 * may be kept, the slice whose turn it is is written. Only the writer does this.
 *
 * Whether a contact is new is not looked up in its row, but in a set in memory (signer_set.h),
 * where one that has signed and one that has not cost the same (DESIGN, rule 2). It holds the
 * contacts of all rows and changes.
 *
 * Always true: `signer_row` counts the live submissions whose index is below their slice's `upto`,
 * and the changes in memory count the others. `upto` is in the database, in the transaction that
 * writes the slice; so whenever the process dies the changes can be summed up again from
 * `submission`, and an erasure knows which of the two has counted what it erases.
 */
#include "db_internal.h"

#include "log.h"
#include "signer_set.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 16

/* How many changes are kept: one for 16 signatures, within these. */
#define KEPT_LEAST 16384
#define KEPT_MOST  262144

_Static_assert(SIGNER_SLICES == 1024, "a slice is ten bits of the tag");
_Static_assert(SIGNER_HEAD_LEN >= SIGNER_SET_HEAD_LEN, "the set goes by the first bytes of a head");

static unsigned slice_of(const uint8_t head[SIGNER_HEAD_LEN])
{
    return (unsigned)head[0] << 2 | head[1] >> 6;
}

/* ---- changes in memory */

/* Where the head's change is, or would be; true if it is there. */
static bool find(const struct signer_slice *s, const uint8_t head[SIGNER_HEAD_LEN], size_t *at)
{
    size_t from = 0, to = s->count;

    while (from < to) {
        size_t middle = (from + to) / 2;
        int order = memcmp(s->changes[middle].head, head, SIGNER_HEAD_LEN);

        if (order == 0) {
            *at = middle;
            return true;
        }
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *at = from;
    return false;
}

static void free_changes(struct signer_slice *s)
{
    if (s->changes)
        sodium_memzero(s->changes, s->room * sizeof *s->changes);
    free(s->changes);
    s->changes = NULL;
    s->count = s->room = 0;
}

static void grow(struct signer_slice *s)
{
    struct signer_slice grown = {.count = s->count, .room = s->room ? 2 * s->room : FIRST_ROOM};

    grown.changes = xcalloc(grown.room, sizeof *grown.changes);
    if (s->count > 0)
        memcpy(grown.changes, s->changes, s->count * sizeof *s->changes);
    free_changes(s);
    s->changes = grown.changes;
    s->count = grown.count;
    s->room = grown.room;
}

/* Adds to the head's change. One that comes to nothing goes, and nothing of its head stays. */
static void add(struct db_signers *signers, const struct signer_change *c)
{
    struct signer_slice *s = &signers->slices[slice_of(c->head)];
    struct signer_change *change;
    size_t at;

    if (!find(s, c->head, &at)) {
        if (s->count == s->room)
            grow(s);
        memmove(&s->changes[at + 1], &s->changes[at], (s->count - at) * sizeof *s->changes);
        s->changes[at] = *c;
        s->count++;
        signers->kept++;
        return;
    }
    change = &s->changes[at];
    change->live += c->live;
    change->confirmed += c->confirmed;
    if (change->live != 0 || change->confirmed != 0)
        return;
    s->count--;
    signers->kept--;
    memmove(change, change + 1, (s->count - at) * sizeof *change);
    sodium_memzero(&s->changes[s->count], sizeof *change);
}

static struct signer_undo *new_undo(struct db_signers *signers, enum signer_step step)
{
    struct signer_undo *undo;

    if (signers->undo_count == signers->undo_room) {
        size_t room = signers->undo_room ? 2 * signers->undo_room : FIRST_ROOM;
        struct signer_undo *grown = xcalloc(room, sizeof *grown);

        if (signers->undo_count > 0)
            memcpy(grown, signers->undo, signers->undo_count * sizeof *grown);
        if (signers->undo)
            sodium_memzero(signers->undo, signers->undo_room * sizeof *signers->undo);
        free(signers->undo);
        signers->undo = grown;
        signers->undo_room = room;
    }
    undo = &signers->undo[signers->undo_count++];
    *undo = (struct signer_undo){.step = step};
    return undo;
}

/* As add, in the open transaction. */
static void change_by(struct db_signers *signers, const uint8_t tag[TAG_LEN], int32_t live,
                      int32_t confirmed)
{
    struct signer_undo *undo = new_undo(signers, SIGNER_CHANGED);
    struct signer_change c = {.live = live, .confirmed = confirmed};

    memcpy(c.head, tag, SIGNER_HEAD_LEN);
    add(signers, &c);
    c.live = -live;
    c.confirmed = -confirmed;
    undo->change = c;
}

/* Puts a contact into the set, in the open transaction; true if it is new. */
static bool come(struct db_signers *signers, const uint8_t tag[TAG_LEN])
{
    bool is_new = signer_set_add(signers->set, tag);

    if (is_new)
        memcpy(new_undo(signers, SIGNER_CAME)->change.head, tag, SIGNER_HEAD_LEN);
    return is_new;
}

/* Takes it out; after the close nobody asks any more. */
static void go(struct db_signers *signers, const uint8_t tag[TAG_LEN])
{
    if (!signers->set)
        return;
    signer_set_remove(signers->set, tag);
    memcpy(new_undo(signers, SIGNER_WENT)->change.head, tag, SIGNER_HEAD_LEN);
}

/* ---- life */

static int load_slices(struct db *db, struct db_signers *signers)
{
    int result;

    while ((result = db_step(db, SQL_SLICES)) == DB_OK) {
        int64_t slice = db_column_int(db, SQL_SLICES, 0);

        if (slice < 0 || slice >= SIGNER_SLICES) { /* of a file that is not ours */
            result = DB_BROKEN;
            break;
        }
        signers->slices[slice].upto = db_column_int(db, SQL_SLICES, 1);
    }
    db_finish(db, SQL_SLICES);
    signers->next = 0;
    for (unsigned i = 1; i < SIGNER_SLICES; i++)
        if (signers->slices[i].upto < signers->slices[signers->next].upto)
            signers->next = i;
    return result == DB_NO_ROW ? DB_OK : result;
}

static int load_changes(struct db *db, struct db_signers *signers)
{
    const enum sql tags = SQL_SUBMISSION_TAGS;
    int result;
    size_t len;

    db_bind_int(db, tags, 1, signers->slices[signers->next].upto);
    while ((result = db_step(db, tags)) == DB_OK) {
        const uint8_t *tag = db_column_blob(db, tags, 1, &len);
        struct signer_change c = {.live = 1};

        if (len != TAG_LEN) {
            log_error("database: a tag has another length");
            result = DB_BROKEN;
            break;
        }
        if (db_column_int(db, tags, 0) < signers->slices[slice_of(tag)].upto)
            continue;
        memcpy(c.head, tag, SIGNER_HEAD_LEN);
        c.confirmed = db_column_int(db, tags, 2) == TIER_CONFIRMED;
        add(signers, &c);
    }
    db_finish(db, tags);
    return result == DB_NO_ROW ? DB_OK : result;
}

int db_signers_load(struct db *db)
{
    struct db_signers *signers = db_signers(db);
    int result;

    assert(!signers->slices);
    signers->slices = xcalloc(SIGNER_SLICES, sizeof *signers->slices);
    result = load_slices(db, signers);
    return result == DB_OK ? load_changes(db, signers) : result;
}

int db_signers_load_set(struct db *db)
{
    struct db_signers *signers = db_signers(db);
    uint64_t expected = (uint64_t)db_log_size(db);
    struct totals t;
    int result = db_totals(db, &t);
    size_t len;

    if (db_close_index(db) > 0 || result != DB_OK)
        return result;
    if (t.signatures < expected) /* which a damaged file may say otherwise */
        expected = t.signatures;
    signers->set = signer_set_new(expected);
    while ((result = db_step(db, SQL_SIGNER_HEADS)) == DB_OK) {
        const uint8_t *head = db_column_blob(db, SQL_SIGNER_HEADS, 0, &len);

        if (len != SIGNER_HEAD_LEN) {
            result = DB_BROKEN;
            break;
        }
        signer_set_add(signers->set, head);
    }
    db_finish(db, SQL_SIGNER_HEADS);
    for (unsigned i = 0; i < SIGNER_SLICES; i++)
        for (size_t at = 0; at < signers->slices[i].count; at++)
            signer_set_add(signers->set, signers->slices[i].changes[at].head);
    return result == DB_NO_ROW ? DB_OK : result;
}

void db_signers_free(struct db *db)
{
    struct db_signers *signers = db_signers(db);

    db_signers_rollback(db);
    signer_set_free(signers->set);
    for (unsigned i = 0; signers->slices && i < SIGNER_SLICES; i++)
        free_changes(&signers->slices[i]);
    free(signers->slices);
    free(signers->undo);
    *signers = (struct db_signers){0};
}

void db_signers_commit(struct db *db)
{
    struct db_signers *signers = db_signers(db);

    for (size_t i = 0; i < signers->undo_count; i++)
        if (signers->undo[i].step == SIGNER_WRITTEN)
            free_changes(&signers->undo[i].slice);
    if (signers->undo_count > 0)
        sodium_memzero(signers->undo, signers->undo_count * sizeof *signers->undo);
    signers->undo_count = 0;
    if (db_close_index(db) > 0) {
        signer_set_free(signers->set); /* nothing of a tag is left after the close */
        signers->set = NULL;
    }
}

static void take_back(struct db_signers *signers, const struct signer_undo *undo)
{
    struct signer_slice *s = &signers->slices[slice_of(undo->change.head)];

    switch (undo->step) {
    case SIGNER_CHANGED:
        add(signers, &undo->change);
        break;
    case SIGNER_CAME:
        signer_set_remove(signers->set, undo->change.head);
        break;
    case SIGNER_WENT:
        signer_set_add(signers->set, undo->change.head);
        break;
    case SIGNER_WRITTEN:
        signers->kept += undo->slice.count;
        signers->kept -= s->count;
        free_changes(s);
        *s = undo->slice;
        break;
    }
}

void db_signers_rollback(struct db *db)
{
    struct db_signers *signers = db_signers(db);

    while (signers->undo_count > 0) {
        struct signer_undo *undo = &signers->undo[--signers->undo_count];

        take_back(signers, undo);
        sodium_memzero(undo, sizeof *undo);
    }
}

/* ---- rows */

/* What the head's row counts; zeros if it has none. */
static int read_row(struct db *db, const uint8_t head[SIGNER_HEAD_LEN], struct signer_change *row)
{
    int result;

    *row = (struct signer_change){0};
    db_bind_blob(db, SQL_SIGNER_GET, 1, head, SIGNER_HEAD_LEN);
    result = db_step(db, SQL_SIGNER_GET);
    if (result == DB_OK) {
        row->live = (int32_t)db_column_int(db, SQL_SIGNER_GET, 0);
        row->confirmed = (int32_t)db_column_int(db, SQL_SIGNER_GET, 1);
    }
    db_finish(db, SQL_SIGNER_GET);
    return result == DB_NO_ROW ? DB_OK : result;
}

/* The tag's row and its change, together. */
static int read_signer(struct db *db, const uint8_t tag[TAG_LEN], struct signer_change *row,
                       struct signer_change *sum)
{
    const struct signer_slice *s = &db_signers(db)->slices[slice_of(tag)];
    int result = read_row(db, tag, row);
    size_t at;

    *sum = *row;
    if (find(s, tag, &at)) {
        sum->live += s->changes[at].live;
        sum->confirmed += s->changes[at].confirmed;
    }
    return result;
}

static int write_slice(struct db *db, unsigned which)
{
    struct db_signers *signers = db_signers(db);
    struct signer_slice *s = &signers->slices[which];
    struct signer_undo *undo;
    int result = DB_OK;

    for (size_t i = 0; i < s->count && result == DB_OK; i++) {
        db_bind_blob(db, SQL_SIGNER_ADD, 1, s->changes[i].head, SIGNER_HEAD_LEN);
        db_bind_int(db, SQL_SIGNER_ADD, 2, s->changes[i].live);
        db_bind_int(db, SQL_SIGNER_ADD, 3, s->changes[i].confirmed);
        result = db_exec(db, SQL_SIGNER_ADD);
    }
    db_bind_int(db, SQL_SLICE_SET, 1, which);
    db_bind_int(db, SQL_SLICE_SET, 2, db_log_size(db));
    if (result == DB_OK)
        result = db_exec(db, SQL_SLICE_SET);
    if (result != DB_OK)
        return result;
    undo = new_undo(signers, SIGNER_WRITTEN);
    undo->slice = *s;
    undo->change.head[0] = (uint8_t)(which >> 2);
    undo->change.head[1] = (uint8_t)(which << 6);
    signers->kept -= s->count;
    *s = (struct signer_slice){.upto = db_log_size(db)};
    return DB_OK;
}

int db_signers_write(struct db *db, uint64_t signatures)
{
    struct db_signers *signers = db_signers(db);
    uint64_t most = signatures / 16;
    int result = DB_OK;

    most = most < KEPT_LEAST ? KEPT_LEAST : most > KEPT_MOST ? KEPT_MOST : most;
    while (signers->kept > most && result == DB_OK) {
        result = write_slice(db, signers->next);
        signers->next = (signers->next + 1) % SIGNER_SLICES;
    }
    return result;
}

int db_signers_write_all(struct db *db)
{
    int result = DB_OK;

    for (unsigned i = 0; i < SIGNER_SLICES && result == DB_OK; i++)
        result = write_slice(db, i);
    return result;
}

/* ---- counting */

int db_signer_raise(struct db *db, const uint8_t tag[TAG_LEN], bool confirmed, struct totals *t)
{
    struct signer_change row, sum = {0};
    int result = confirmed ? read_signer(db, tag, &row, &sum) : DB_OK;

    if (result != DB_OK)
        return result;
    t->signatures += come(db_signers(db), tag);
    t->confirmed += confirmed && sum.confirmed == 0;
    change_by(db_signers(db), tag, 1, confirmed);
    return DB_OK;
}

int db_signer_lower(struct db *db, int64_t index, const uint8_t tag[TAG_LEN], bool confirmed,
                    struct totals *t)
{
    const struct signer_slice *s = &db_signers(db)->slices[slice_of(tag)];
    struct signer_change row, sum;
    enum sql change = SQL_SIGNER_LOWER;
    int result = read_signer(db, tag, &row, &sum);

    if (result == DB_OK && (index < s->upto ? row.live : sum.live - row.live) < 1) {
        log_error("database: a live submission is not counted");
        result = DB_BROKEN;
    }
    if (result != DB_OK)
        return result;
    t->signatures -= sum.live == 1;
    t->confirmed -= confirmed && sum.confirmed == 1;
    if (sum.live == 1)
        go(db_signers(db), tag);
    if (index >= s->upto) {
        change_by(db_signers(db), tag, -1, -(int32_t)confirmed);
        return DB_OK;
    }
    if (row.live == 1)
        change = SQL_SIGNER_DELETE;
    else
        db_bind_int(db, change, 2, confirmed);
    db_bind_blob(db, change, 1, tag, SIGNER_HEAD_LEN);
    return db_exec(db, change);
}

int db_signer_live(struct db *db, const uint8_t tag[TAG_LEN], int64_t *live)
{
    struct signer_change row, sum;
    int result = read_signer(db, tag, &row, &sum);

    *live = sum.live;
    return result;
}

int db_signers_each(struct db *db, db_signer_each *each, void *ctx)
{
    const struct db_signers *signers = db_signers(db);
    int result = DB_OK;

    for (unsigned i = 0; i < SIGNER_SLICES && result == DB_OK; i++) {
        const struct signer_slice *s = &signers->slices[i];

        for (size_t at = 0; at < s->count && result == DB_OK; at++) {
            struct signer_change row;

            result = read_row(db, s->changes[at].head, &row);
            if (result == DB_OK)
                each(ctx, &s->changes[at], &row);
        }
    }
    return result;
}
