/*
 * test_db_log: tiles are in the database as soon as they are full, in the transaction that fills
 * them; the right edge is that of the entries after a commit, a rollback and a start, and of a
 * database whose version had no tiles.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "database_fixture.h"

#include <sodium.h>
#include <stdlib.h>

static void append_many(int64_t size)
{
    begin();
    while (db_log_size(db) < size)
        assert_true(append_entry(db, (uint64_t)db_log_size(db)) > 0);
    commit();
}

static int hash_one(void *ctx, const void *body, size_t len)
{
    uint8_t leaf[HASH_LEN];

    merkle_leaf(leaf, body, len);
    merkle_append(ctx, leaf);
    return 0;
}

/* The tree of the rows that there are. */
static void tree_of_rows(struct merkle_tree *out)
{
    struct merkle_frontier f = {.size = 0};

    assert_int_equal(db_log_read(db, 0, hash_one, &f), DB_OK);
    merkle_frontier_tree(&f, out);
}

static void tree_of_edge(const struct tlog_edge *from, struct merkle_tree *out)
{
    struct tlog_edge *copy = xcalloc(1, sizeof *copy);

    tlog_edge_copy(copy, from);
    tlog_edge_tree(copy, out);
    free(copy);
}

static void assert_edge_is_of_the_rows(void)
{
    struct merkle_tree rows, edge;

    tree_of_rows(&rows);
    tree_of_edge(db_log_right_edge(db), &edge);
    assert_int_equal(edge.size, rows.size);
    assert_int_equal(edge.size, db_log_size(db));
    assert_memory_equal(edge.root, rows.root, HASH_LEN);
}

static void the_edge_follows_commits_and_starts(void **state)
{
    static const int64_t sizes[] = {2, 255, 256, 257, 511, 512, 1000, 65535, 65536, 65537};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        append_many(sizes[i]);
        assert_edge_is_of_the_rows();
        assert_int_equal(query("SELECT count(*) FROM log_tile WHERE level = 0"), sizes[i] / 256);
        assert_int_equal(query("SELECT count(*) FROM log_tile WHERE level = 1"), sizes[i] / 65536);
        reopen();
        assert_edge_is_of_the_rows();
    }
}

static void a_rollback_restores_the_edge(void **state)
{
    (void)state;
    append_many(250);
    begin();
    for (int i = 0; i < 600; i++)
        assert_true(append_entry(db, 10000 + (uint64_t)i) > 0);
    db_rollback(db);
    assert_edge_is_of_the_rows();
    assert_int_equal(query("SELECT count(*) FROM log_tile"), 0);
    append_many(700);
    assert_edge_is_of_the_rows();
}

static void entries_of_a_version_without_tiles_are_hashed_at_the_start(void **state)
{
    (void)state;
    append_many(1000);
    assert_int_equal(try_sql("DROP TRIGGER log_tile_no_delete; DELETE FROM log_tile"), SQLITE_OK);
    reopen();
    assert_edge_is_of_the_rows();
    assert_int_equal(query("SELECT count(*) FROM log_tile"), 3);
    reopen();
    assert_edge_is_of_the_rows();
}

static void older_edges_are_read_from_tiles(void **state)
{
    struct tlog_edge *edge = xcalloc(1, sizeof *edge);
    struct merkle_frontier f = {.size = 0};
    struct merkle_tree expected, got;

    (void)state;
    append_many(900);
    for (int64_t size = 1; size <= 900; size++) {
        struct buf body;

        buf_init(&body, BUF_UNLIMITED);
        assert_int_equal(db_log_entry(db, size - 1, &body), DB_OK);
        hash_one(&f, body.data, body.len);
        buf_release(&body);
        merkle_frontier_tree(&f, &expected);
        assert_int_equal(db_log_edge(db, size, edge), DB_OK);
        tlog_edge_tree(edge, &got);
        assert_memory_equal(got.root, expected.root, HASH_LEN);
    }
    assert_int_equal(db_log_edge(db, 901, edge), DB_NO_ROW);
    free(edge);
}

static void tiles_and_checkpoints_are_append_only(void **state)
{
    static const char *const refused[] = {
        "UPDATE log_tile SET hashes = zeroblob(8192)",
        "DELETE FROM log_tile",
        "INSERT OR REPLACE INTO log_tile VALUES(0, 0, zeroblob(8192))",
        "INSERT INTO log_tile VALUES(0, 2, zeroblob(8192))",
        "INSERT INTO log_tile VALUES(0, 1, zeroblob(8191))",
        "UPDATE log_checkpoint SET note = 'x'",
        "DELETE FROM log_checkpoint",
        "INSERT OR REPLACE INTO log_checkpoint VALUES(5, 'x')",
        "INSERT INTO log_checkpoint VALUES(4, 'x')",
    };
    struct buf note;
    int64_t size = 0;

    (void)state;
    append_many(300);
    begin();
    assert_int_equal(db_checkpoint_add(db, 5, "five"), DB_OK);
    commit();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (try_sql(refused[i]) == SQLITE_OK)
            fail_msg("%s", refused[i]);
    buf_init(&note, 100);
    assert_int_equal(db_checkpoint_last(db, &size, &note), DB_OK);
    assert_int_equal(size, 5);
    assert_string_equal(note.data, "five");
    buf_release(&note);
}

static void bundles_are_cut_from_the_entries(void **state)
{
    struct buf bundle, body;
    struct tlog_entry e;
    size_t at = 0;

    (void)state;
    append_many(300);
    buf_init(&bundle, BUF_UNLIMITED);
    buf_init(&body, BUF_UNLIMITED);
    assert_int_equal(db_log_entries(db, 256, 44, &bundle), DB_OK);
    for (int64_t i = 256; i < 300; i++) {
        buf_clear(&body);
        assert_int_equal(db_log_entry(db, i, &body), DB_OK);
        assert_int_equal(tlog_next_entry(&bundle, &at, &e), 1);
        assert_int_equal(e.len, body.len);
        assert_memory_equal(e.body, body.data, body.len);
    }
    assert_int_equal(tlog_next_entry(&bundle, &at, &e), 0);
    assert_int_equal(db_log_entries(db, 256, 45, &bundle), DB_NO_ROW);
    buf_release(&bundle);
    buf_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(the_edge_follows_commits_and_starts),
        CLAIM(a_rollback_restores_the_edge),
        CLAIM(entries_of_a_version_without_tiles_are_hashed_at_the_start),
        CLAIM(older_edges_are_read_from_tiles),
        CLAIM(tiles_and_checkpoints_are_append_only),
        CLAIM(bundles_are_cut_from_the_entries),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
