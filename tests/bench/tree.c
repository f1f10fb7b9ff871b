/*
 * tree: what the log's tree costs, on the database of a stopped server.
 *
 *     tree DIR PROOFS
 *
 * Reads every entry, hashes it and builds all tiles and the root in memory, as a start does of a
 * database without tiles but for the writing; then proves PROOFS entries chosen at random, each
 * with a new reader that checks every tile it takes from the database. The root must be that of the
 * tiles, and each proof must hold.
 *
 * Prints one line: `ENTRIES SECONDS PROOF_MEDIAN_US PROOF_P99_US`.
 */
#include "db.h"
#include "files.h"
#include "log.h"
#include "tlog_reader.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct source {
    struct db *db;
    struct tlog_edge edge;
};

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int forget(void *ctx, const struct tile *t, const uint8_t hashes[TILE_BYTES])
{
    (void)ctx;
    (void)t;
    (void)hashes;
    return 0;
}

static int append(void *ctx, const void *body, size_t len)
{
    uint8_t leaf[HASH_LEN];

    merkle_leaf(leaf, body, len);
    return tlog_append(ctx, leaf, forget, NULL);
}

static enum tlog_result fetch(void *ctx, const struct tile *t, uint8_t hashes[TILE_BYTES])
{
    struct source *s = ctx;

    if (t->n == s->edge.size >> TILE_BITS * (t->level + 1)) {
        memcpy(hashes, s->edge.hashes[t->level], (size_t)t->width * HASH_LEN);
        return TLOG_OK;
    }
    return db_log_tile(s->db, t->level, t->n, hashes) == DB_OK ? TLOG_OK : TLOG_MISSING;
}

static double prove_one(struct source *s, const struct merkle_tree *tree)
{
    int64_t index = (int64_t)randombytes_uniform((uint32_t)tree->size);
    struct merkle_path path = {.count = 0};
    enum tlog_result result;
    uint8_t leaf[HASH_LEN];
    double began = now_us(), ended;
    struct tlog_reader *r = tlog_reader_open(tree, fetch, s, &result);

    if (!r || tlog_inclusion(r, index, &path) != TLOG_OK || tlog_leaf(r, index, leaf) != TLOG_OK)
        log_fatal(1, "entry %" PRId64 " cannot be proven", index);
    tlog_reader_close(r);
    ended = now_us();
    if (!merkle_verify_inclusion(tree, index, leaf, &path))
        log_fatal(1, "the proof of entry %" PRId64 " does not hold", index);
    return ended - began;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    struct source s = {.db = NULL};
    struct merkle_tree tree;
    struct buf err;
    double began, seconds, *times;
    size_t proofs = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    if (sodium_init() < 0 || proofs == 0)
        log_fatal(2, "usage: tree DIR PROOFS");
    buf_init(&err, BUF_UNLIMITED);
    s.db = db_open(files_join(argv[1], "petition.db"), DB_READER, &err);
    if (!s.db)
        log_fatal(1, "%s", err.data);
    tlog_edge_init(&s.edge);
    began = now_us();
    if (db_log_read(s.db, 0, append, &s.edge) != DB_OK)
        log_fatal(1, "the log cannot be read");
    tlog_edge_tree(&s.edge, &tree);
    seconds = (now_us() - began) / 1e6;
    times = xcalloc(proofs, sizeof *times);
    for (size_t i = 0; i < proofs; i++)
        times[i] = prove_one(&s, &tree);
    qsort(times, proofs, sizeof *times, by_size);
    printf("%" PRId64 " %.3f %.0f %.0f\n", tree.size, seconds, times[proofs / 2],
           times[proofs * 99 / 100]);
    free(times);
    db_close(s.db);
    return 0;
}
