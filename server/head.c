/*
 * head: signing checkpoints, and what they are checked against at start (see head.h).
 *
 * `lock` guards what is published; `signing` is held while something is being published, so that
 * two threads cannot sign different logs of one size. log.head is written under it, by nobody else.
 */
#include "head.h"

#include "files.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

struct head {
    char *path; /* DIR/log.head */
    struct note_key *key;
    pthread_mutex_t signing;
    pthread_rwlock_t lock;
    struct merkle_tree tree; /* under lock; size 0: nothing is published */
    struct buf note;         /* under lock */
    struct tlog_edge edge;   /* under lock */
};

/* ---- opening */

/* The note in log.head; DB_NO_ROW if there is no such file. */
static int read_file(struct head *h, struct buf *err)
{
    if (buf_read_file(&h->note, h->path) == 0)
        return DB_OK;
    if (errno == ENOENT)
        return DB_NO_ROW;
    buf_printf(err, "%s: %s", h->path, strerror(errno));
    return DB_BROKEN;
}

static int check_note(struct head *h, const char *where, struct buf *err)
{
    struct checkpoint c;
    const char *wrong = checkpoint_open(&c, note_key_verifier(h->key), h->note.data, h->note.len);

    if (wrong) {
        buf_printf(err, "%s: %s", where, wrong);
        return -1;
    }
    h->tree = c.tree;
    return 0;
}

/* The database must begin with what was published. */
static int check_tree(struct head *h, struct db *db, struct buf *err)
{
    struct merkle_tree own;

    if (h->tree.size > db_log_size(db)) {
        buf_printf(err,
                   "%s: %" PRId64 " entries of the log have been published, and the database has "
                   "only %" PRId64 ": it is older than its log",
                   h->path, h->tree.size, db_log_size(db));
        return -1;
    }
    if (db_log_edge(db, h->tree.size, &h->edge) != DB_OK) {
        buf_printf(err, "%s: the database lacks tiles of its log", h->path);
        return -1;
    }
    tlog_edge_tree(&h->edge, &own);
    if (memcmp(own.root, h->tree.root, HASH_LEN) == 0)
        return 0;
    buf_printf(err,
               "%s: the database is not the log that was published: its first %" PRId64
               " entries have another root",
               h->path, h->tree.size);
    return -1;
}

/* Says in the database what log.head says, if the process died in between. */
static int add_row(struct head *h, struct db *db, struct buf *err)
{
    int result = db_begin(db);

    if (result == DB_OK)
        result = db_checkpoint_add(db, h->tree.size, h->note.data);
    if (result == DB_OK)
        result = db_commit(db);
    else
        db_rollback(db);
    if (result != DB_OK)
        buf_printf(err, "%s: the database cannot be written", h->path);
    return result == DB_OK ? 0 : -1;
}

static int write_file(const struct head *h, const struct buf *note)
{
    if (files_replace(h->path, note->data, note->len) == 0)
        return 0;
    log_error("%s: %s", h->path, strerror(errno));
    return -1;
}

/* Takes the note of the newest row, which was published after log.head's, or log.head is lost. */
static int take_row(struct head *h, const struct buf *note, struct buf *err)
{
    buf_clear(&h->note);
    buf_add(&h->note, note->data, note->len);
    if (check_note(h, "the newest checkpoint in the database", err) != 0)
        return -1;
    if (write_file(h, &h->note) == 0)
        return 0;
    buf_printf(err, "%s cannot be written", h->path);
    return -1;
}

static int load(struct head *h, struct db *db, struct buf *err)
{
    int64_t row_size = 0;
    struct buf row;
    int result = -1, file = read_file(h, err), found;

    buf_init(&row, NOTE_MAX_BYTES);
    found = db_checkpoint_last(db, &row_size, &row);
    if (found < 0 || file < 0 || (file == DB_OK && check_note(h, h->path, err) != 0))
        goto out;
    if (row_size > h->tree.size && take_row(h, &row, err) != 0)
        goto out;
    if (h->tree.size > 0 && check_tree(h, db, err) != 0)
        goto out;
    result = row_size < h->tree.size ? add_row(h, db, err) : 0;
out:
    if (found < 0)
        buf_printf(err, "%s: the database cannot be read", h->path);
    buf_release(&row);
    return result;
}

static struct head *head_new(const char *dir, struct note_key *key)
{
    struct head *h = xcalloc(1, sizeof *h);

    h->path = files_join(dir, "log.head");
    h->key = key;
    buf_init(&h->note, NOTE_MAX_BYTES);
    pthread_mutex_init(&h->signing, NULL);
    pthread_rwlock_init(&h->lock, NULL);
    return h;
}

/* Leaves the key to the caller. */
static void head_free(struct head *h)
{
    h->key = NULL;
    head_close(h);
}

struct head *head_open(const char *dir, struct note_key *key, struct db *db, struct buf *err)
{
    struct head *h = head_new(dir, key);

    if (load(h, db, err) == 0)
        return h;
    head_free(h);
    return NULL;
}

int head_check(const char *dir, struct note_key *key, struct db *db, int64_t *size, struct buf *err)
{
    struct head *h = head_new(dir, key);
    int result = read_file(h, err);

    if (result == DB_OK && (check_note(h, h->path, err) != 0 || check_tree(h, db, err) != 0))
        result = DB_BROKEN;
    *size = h->tree.size;
    head_free(h);
    return result < 0 ? -1 : 0;
}

void head_close(struct head *h)
{
    if (!h)
        return;
    if (h->key)
        note_key_close(h->key);
    pthread_mutex_destroy(&h->signing);
    pthread_rwlock_destroy(&h->lock);
    buf_release(&h->note);
    free(h->path);
    free(h);
}

const struct note_verifier *head_verifier(const struct head *h)
{
    return note_key_verifier(h->key);
}

/* ---- publishing */

struct row_job {
    struct job job;
    int64_t size;
    const char *note;
};

static int apply_row(struct job *job, struct db *db)
{
    struct row_job *j = (struct row_job *)job;
    struct buf last;
    int64_t size = 0;
    int result;

    buf_init(&last, NOTE_MAX_BYTES);
    result = db_checkpoint_last(db, &size, &last);
    buf_release(&last);
    if (result < 0 || size >= j->size)
        return result < 0 ? result : DB_OK;
    return db_checkpoint_add(db, j->size, j->note);
}

/* The checkpoint of the edge, and its tree. */
static void sign_edge(const struct head *h, const struct tlog_edge *edge, struct merkle_tree *tree,
                      struct buf *note)
{
    struct tlog_edge *copy = xcalloc(1, sizeof *copy);

    tlog_edge_copy(copy, edge);
    tlog_edge_tree(copy, tree);
    checkpoint_sign(note, h->key, tree);
    free(copy);
}

void head_sign(const struct head *h, const struct tlog_edge *edge, struct buf *note)
{
    struct merkle_tree tree;

    sign_edge(h, edge, &tree, note);
}

/* Signs, and makes it last; then it is what is published. */
static int sign(struct head *h, struct writer *writer, const struct tlog_edge *edge,
                struct buf *note)
{
    struct row_job row = {.job = {.apply = apply_row}, .size = edge->size};
    struct merkle_tree tree;
    int result;

    sign_edge(h, edge, &tree, note);
    row.note = note->data;
    result = write_file(h, note);
    if (result == 0 && writer_run(writer, &row.job) != JOB_COMMITTED)
        result = -1;
    if (result == 0) {
        pthread_rwlock_wrlock(&h->lock);
        h->tree = tree;
        buf_clear(&h->note);
        buf_add(&h->note, note->data, note->len);
        tlog_edge_copy(&h->edge, edge);
        pthread_rwlock_unlock(&h->lock);
    }
    return result;
}

int head_publish(struct head *h, struct writer *writer, const struct tlog_edge *edge)
{
    struct buf note;
    int result = 0;

    buf_init(&note, NOTE_MAX_BYTES);
    pthread_mutex_lock(&h->signing);
    if (edge->size > h->tree.size)
        result = sign(h, writer, edge, &note);
    pthread_mutex_unlock(&h->signing);
    buf_release(&note);
    return result;
}

/* ---- reading */

int64_t head_size(struct head *h)
{
    struct merkle_tree tree;

    head_tree(h, &tree);
    return tree.size;
}

void head_tree(struct head *h, struct merkle_tree *out)
{
    pthread_rwlock_rdlock(&h->lock);
    *out = h->tree;
    pthread_rwlock_unlock(&h->lock);
}

void head_note(struct head *h, struct buf *out)
{
    pthread_rwlock_rdlock(&h->lock);
    buf_add(out, h->note.data, h->note.len);
    pthread_rwlock_unlock(&h->lock);
}

int head_tile(struct head *h, int level, int64_t n, uint8_t *hashes, bool *edge)
{
    int width;

    pthread_rwlock_rdlock(&h->lock);
    width = tile_width(level, n, h->tree.size);
    *edge = level != TILE_ENTRIES && width > 0 && width < TILE_WIDTH;
    if (*edge && hashes)
        memcpy(hashes, h->edge.hashes[level], (size_t)width * HASH_LEN);
    pthread_rwlock_unlock(&h->lock);
    return width;
}
