/*
 * lookup: reading what is published of one entry (see lookup.h).
 *
 * Any thread: `lock` guards the connection, which is held for a few rows, never while somebody is
 * answered. The database may be ahead of what is published: `size`, read first, is the limit of
 * every answer. Proofs are made from tiles, which are checked on their way (tlog_reader.h).
 */
#include "lookup.h"

#include "log.h"
#include "tlog_proof.h"

#include <pthread.h>
#include <string.h>

struct lookup {
    struct head *head;
    struct tiles *tiles;
    pthread_mutex_t lock;
    struct db *db;
};

struct lookup *lookup_open(const char *database, struct head *head, struct tiles *tiles,
                           struct buf *err)
{
    struct db *db = db_open(database, DB_READER, err);
    struct lookup *l;

    if (!db)
        return NULL;
    l = xcalloc(1, sizeof *l);
    *l = (struct lookup){.head = head, .tiles = tiles, .db = db};
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void lookup_close(struct lookup *l)
{
    if (!l)
        return;
    db_close(l->db);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

int64_t lookup_size(struct lookup *l)
{
    return head_size(l->head);
}

const struct note_verifier *lookup_verifier(const struct lookup *l)
{
    return head_verifier(l->head);
}

/* ---- one entry */

static int read_body(struct lookup *l, int64_t index, struct buf *body)
{
    int result;

    pthread_mutex_lock(&l->lock);
    result = db_log_entry(l->db, index, body);
    pthread_mutex_unlock(&l->lock);
    return result;
}

static int read_end(struct lookup *l, int64_t index, int64_t size, struct lookup_entry *out)
{
    int result = db_submission_end(l->db, index, &out->end, &out->why);

    if (result == DB_NO_ROW || (result == DB_OK && out->end >= size))
        out->end = -1;
    return result < 0 ? result : DB_OK;
}

/* It was in a delivery that was frozen after it came and before it ended. The first one that cannot
 * be named is the last one read. */
static int read_deliveries(struct lookup *l, int64_t index, int64_t size, struct lookup_entry *out)
{
    int64_t n = 0, frozen = 0;
    int result = DB_OK;

    while (!out->more_deliveries && (result = db_log_delivery(l->db, size, &n, &frozen)) == DB_OK) {
        if (frozen <= index || (out->end >= 0 && out->end < frozen))
            continue;
        if (out->delivery_count < LOOKUP_DELIVERIES_MAX)
            out->deliveries[out->delivery_count++] = n;
        else
            out->more_deliveries = true;
    }
    return result < 0 ? result : DB_OK;
}

int lookup_entry(struct lookup *l, int64_t index, struct lookup_entry *out)
{
    int64_t size = head_size(l->head);
    uint8_t w[HASH_LEN];
    struct buf body;
    int result;

    *out = (struct lookup_entry){.end = -1, .why = VOID__MAX};
    if (index < 0 || index >= size)
        return DB_NO_ROW;
    buf_init(&body, ENTRY_MAX_BYTES);
    pthread_mutex_lock(&l->lock);
    result = db_log_entry(l->db, index, &body);
    if (result == DB_OK)
        result = db_checkpoint_covering(l->db, index, &out->since);
    if (result == DB_OK)
        result = read_end(l, index, size, out);
    if (result == DB_OK)
        result = read_deliveries(l, index, size, out);
    pthread_mutex_unlock(&l->lock);
    merkle_leaf(out->leaf, body.data, body.len);
    if (result == DB_OK && entry_sign_w(w, body.data, body.len) != 0)
        result = DB_NO_ROW;
    buf_release(&body);
    return result;
}

/* ---- proofs */

/* A reader of the published tree, whose signed note is given, too. */
static struct tlog_reader *open_reader(struct lookup *l, struct buf *note, struct checkpoint *c)
{
    enum tlog_result why = TLOG_OK;
    struct tlog_reader *reader = NULL;

    head_note(l->head, note);
    if (!checkpoint_open(c, head_verifier(l->head), note->data, note->len))
        reader = tlog_reader_open(&c->tree, tiles_fetch, l->tiles, &why);
    if (!reader)
        log_error("the published log cannot be read: %s",
                  why == TLOG_FORGED ? "a tile is not of it" : "a tile is missing");
    return reader;
}

int lookup_proof(struct lookup *l, int64_t index, struct buf *file)
{
    struct tlog_reader *reader;
    struct tlog_proof proof;
    struct checkpoint c;
    int result = DB_BROKEN;

    tlog_proof_init(&proof);
    proof.index = index;
    reader = open_reader(l, &proof.checkpoint, &c);
    if (reader && index >= c.tree.size)
        result = DB_NO_ROW;
    else if (reader && tlog_inclusion(reader, index, &proof.path) == TLOG_OK)
        result = read_body(l, index, &proof.extra);
    if (result == DB_OK)
        tlog_proof_write(file, &proof);
    tlog_reader_close(reader);
    tlog_proof_release(&proof);
    return result;
}

int lookup_begins_with(struct lookup *l, const struct merkle_tree *tree)
{
    struct merkle_path path;
    uint8_t root[HASH_LEN];
    struct tlog_reader *reader;
    struct checkpoint c;
    struct buf note;
    int result = DB_BROKEN;

    buf_init(&note, NOTE_MAX_BYTES);
    reader = open_reader(l, &note, &c);
    if (reader && (tree->size < 1 || tree->size > c.tree.size))
        result = DB_NO_ROW;
    else if (reader && tlog_consistency(reader, tree->size, &path, root) == TLOG_OK)
        result = memcmp(root, tree->root, HASH_LEN) == 0 ? DB_OK : DB_NO_ROW;
    tlog_reader_close(reader);
    buf_release(&note);
    return result;
}
