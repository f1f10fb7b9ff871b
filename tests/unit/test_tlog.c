/*
 * test_tlog: tiles have the paths, widths and hashes that C2SP tlog-tiles gives them; and out of
 * forged tiles no reader takes a hash, at sizes where other implementations did.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tlog_fixture.h"

#include <sodium.h>

/* ---- paths */

static const struct {
    const char *path;
    struct tile tile;
} paths[] = {
    {"0/000", {0, 0, 256}},
    {"0/067", {0, 67, 256}},
    {"0/x001/067", {0, 1067, 256}},
    {"0/x001/067.p/17", {0, 1067, 17}},
    {"0/x001/x234/067", {0, 1234067, 256}}, /* tlog-tiles.md */
    {"1/x003/999.p/255", {1, 3999, 255}},
    {"2/000.p/1", {2, 0, 1}},
    {"6/000", {6, 0, 256}},
    {"0/x001/000", {0, 1000, 256}},
    {"0/x009/x007/x199/x254/x740/991", {0, INT64_C(9007199254740991), 256}},
    {"entries/000", {TILE_ENTRIES, 0, 256}},
    {"entries/x001/067.p/17", {TILE_ENTRIES, 1067, 17}},
};

static void paths_are_spelled_and_read_as_specified(void **state)
{
    char path[TILE_PATH_MAX];
    struct tile t;

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        tile_path(&paths[i].tile, path);
        assert_string_equal(path, paths[i].path);
        assert_int_equal(tile_parse(&t, path), 0);
        assert_int_equal(t.level, paths[i].tile.level);
        assert_int_equal(t.n, paths[i].tile.n);
        assert_int_equal(t.width, paths[i].tile.width);
    }
}

static void other_spellings_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "0",
                                      "0/",
                                      "/0/000",
                                      "0/0",
                                      "0/00",
                                      "0/0000",
                                      "0/1000",
                                      "00/000",
                                      "01/000",
                                      "-1/000",
                                      "7/000",
                                      "63/000",
                                      "64/000",
                                      "8/001/067",
                                      "0/x000/067",
                                      "0/x001",
                                      "0/x001/",
                                      "0/x01/067",
                                      "0/x1067",
                                      "0/001/067",
                                      "0/000.p/0",
                                      "0/000.p/256",
                                      "0/000.p/",
                                      "0/000.p/01",
                                      "0/000.p/1/",
                                      "0/000.p",
                                      "0/000.p/-1",
                                      "0/000.p/+1",
                                      "0/000/",
                                      "0/000 ",
                                      " 0/000",
                                      "0//000",
                                      "0/x001//067",
                                      "0/X001/067",
                                      "entries",
                                      "entries/",
                                      "entries/0",
                                      "data/000",
                                      "0/0x0",
                                      "0/\xd9\xa0",
                                      "+0/000",
                                      "0/x999/x999/x999/x999/x999/x999/x999/x999/999",
                                      "0/x010/x000/x000/x000/x000/000",
                                      "0/000.p/1.p/1",
                                      "0/000.P/1",
                                      "0/000%2ep/1"};
    struct tile t;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (tile_parse(&t, bad[i]) == 0)
            fail_msg("\"%s\" is accepted", bad[i]);
}

static void widths_follow_the_size(void **state)
{
    (void)state;
    /* The example of tlog-tiles.md: 70,000 entries. */
    assert_int_equal(tile_width(0, 272, 70000), 256);
    assert_int_equal(tile_width(0, 273, 70000), 112);
    assert_int_equal(tile_width(0, 274, 70000), 0);
    assert_int_equal(tile_width(1, 0, 70000), 256);
    assert_int_equal(tile_width(1, 1, 70000), 17);
    assert_int_equal(tile_width(1, 2, 70000), 0);
    assert_int_equal(tile_width(2, 0, 70000), 1);
    assert_int_equal(tile_width(3, 0, 70000), 0);
    assert_int_equal(tile_width(TILE_ENTRIES, 273, 70000), 112);
    assert_int_equal(tile_width(0, 0, 0), 0);
    assert_int_equal(tile_width(0, 0, 255), 255);
    assert_int_equal(tile_width(0, 0, 256), 256);
    assert_int_equal(tile_width(0, 1, 256), 0);
    assert_int_equal(tile_width(1, 0, 255), 0);
    assert_int_equal(tile_width(1, 0, 256), 1);
    assert_int_equal(tile_width(0, MERKLE_SIZE_MAX, MERKLE_SIZE_MAX), 0);
}

/* ---- hashes */

static const int64_t sizes[] = {0,   1,    2,     3,     255,   256,   257,  300,
                                515, 1000, 65535, 65536, 65537, 66000, 70000};
#define SIZES (sizeof sizes / sizeof *sizes)

static void the_edge_gives_the_root_of_every_size(void **state)
{
    struct tlog_fixture *f = fixture_new();
    struct merkle_tree from_edge, from_frontier;
    struct tlog_edge *copy = xcalloc(1, sizeof *copy);

    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        fixture_grow(f, sizes[i]);
        tlog_edge_copy(copy, &f->edge);
        tlog_edge_tree(copy, &from_edge);
        merkle_frontier_tree(&f->frontier, &from_frontier);
        assert_int_equal(from_edge.size, sizes[i]);
        assert_memory_equal(from_edge.root, from_frontier.root, HASH_LEN);
    }
    assert_int_equal(f->count, 273 + 1); /* full tiles of 70,000 entries */
    free(copy);
    fixture_free(f);
}

static int refuse(void *ctx, const struct tile *t, const uint8_t hashes[TILE_BYTES])
{
    (void)t;
    (void)hashes;
    return *(const int *)ctx;
}

static void what_refuses_a_full_tile_ends_the_append(void **state)
{
    struct tlog_edge *e = xcalloc(1, sizeof *e);
    uint8_t leaf[HASH_LEN] = {0};
    int code = -3;

    (void)state;
    for (int i = 0; i < 255; i++)
        assert_int_equal(tlog_append(e, leaf, refuse, &code), 0);
    assert_int_equal(tlog_append(e, leaf, refuse, &code), -3);
    free(e);
}

static struct tlog_reader *open_reader(struct tlog_fixture *f, enum tlog_result *result)
{
    struct merkle_tree t;

    merkle_frontier_tree(&f->frontier, &t);
    return tlog_reader_open(&t, fixture_fetch, f, result);
}

/* Some indices of a log: all of a small one, else steps, the borders of some tiles, and the end. */
static int64_t next_index(int64_t i, int64_t size)
{
    bool border = i / 256 % 32 == 0 && (i % 256 > 253 || i % 256 < 2);

    if (size < 600 || border || size - i <= 3)
        return i + 1;
    return i + 211 < size - 3 ? i + 211 : size - 3;
}

static void readers_prove_every_entry_and_every_older_size(void **state)
{
    struct tlog_fixture *f = fixture_new();
    struct merkle_frontier older = {.size = 0};

    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        enum tlog_result result;
        struct tlog_reader *r;
        struct merkle_tree tree;

        fixture_grow(f, sizes[s]);
        r = open_reader(f, &result);
        assert_non_null(r);
        merkle_frontier_tree(&f->frontier, &tree);
        for (int64_t i = 0; i < sizes[s]; i = next_index(i, sizes[s])) {
            uint8_t leaf[HASH_LEN], got[HASH_LEN];
            struct merkle_path path;

            fixture_leaf(leaf, i);
            assert_int_equal(tlog_leaf(r, i, got), TLOG_OK);
            assert_memory_equal(got, leaf, HASH_LEN);
            assert_int_equal(tlog_inclusion(r, i, &path), TLOG_OK);
            assert_true(merkle_verify_inclusion(&tree, i, leaf, &path));
        }
        memset(&older, 0, sizeof older);
        for (int64_t i = 1; i <= sizes[s]; i++) {
            uint8_t leaf[HASH_LEN];
            struct merkle_tree before;
            struct merkle_path path;

            fixture_leaf(leaf, i - 1);
            merkle_append(&older, leaf);
            if (next_index(i - 1, sizes[s]) != i && i % 331 != 0)
                continue;
            merkle_frontier_tree(&older, &before);
            assert_int_equal(tlog_consistency(r, i, &path, leaf), TLOG_OK);
            assert_memory_equal(leaf, before.root, HASH_LEN);
            assert_true(merkle_verify_consistency(&before, &tree, &path));
        }
        tlog_reader_close(r);
    }
    fixture_free(f);
}

/* Every leaf that is read through the forged tile, with a new reader. */
static size_t accepted_leaves(struct tlog_fixture *f)
{
    int64_t span = INT64_C(1) << TILE_BITS * f->forged_level;
    int64_t index = (f->forged_n * TILE_WIDTH + f->forged_at) * span;
    const int64_t asked[] = {index, index + span - 1, f->forged_n * TILE_WIDTH * span};
    size_t accepted = 0;

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        enum tlog_result result;
        struct tlog_reader *r = open_reader(f, &result);
        struct merkle_path path;
        uint8_t leaf[HASH_LEN];

        assert_int_equal(result, r ? TLOG_OK : TLOG_FORGED);
        if (!r)
            continue;
        accepted += tlog_leaf(r, asked[i], leaf) != TLOG_FORGED;
        accepted += tlog_inclusion(r, asked[i], &path) != TLOG_FORGED;
        tlog_reader_close(r);
    }
    return accepted;
}

static void forged_tiles_are_refused(void **state)
{
    static const int64_t forged_sizes[] = {300, 515, 1000, 66000};
    size_t forgeries = 0;

    (void)state;
    for (size_t s = 0; s < sizeof forged_sizes / sizeof *forged_sizes; s++) {
        struct tlog_fixture *f = fixture_new();
        int64_t size = forged_sizes[s];

        fixture_grow(f, size);
        for (int level = 0; level < TILE_LEVELS; level++) {
            int64_t n = 0;
            int width;

            while ((width = tile_width(level, n, size)) > 0) {
                f->forged_level = level;
                f->forged_n = n;
                for (int at = 0; at<width; at += size> 2000 ? 85 : 17, forgeries++) {
                    f->forged_at = at;
                    assert_int_equal(accepted_leaves(f), 0);
                }
                n += size > 2000 && n > 2 && n < 250 ? 17 : 1;
            }
        }
        fixture_free(f);
    }
    assert_true(forgeries > 100);
}

static void a_missing_tile_is_said_to_be_missing(void **state)
{
    struct tlog_fixture *f = fixture_new();
    enum tlog_result result;
    struct tlog_reader *r;
    uint8_t leaf[HASH_LEN];

    (void)state;
    fixture_grow(f, 1000);
    f->missing = true;
    f->forged_level = 0;
    f->forged_n = 1;
    r = open_reader(f, &result);
    assert_non_null(r);
    assert_int_equal(tlog_leaf(r, 300, leaf), TLOG_MISSING);
    assert_int_equal(tlog_leaf(r, 600, leaf), TLOG_OK);
    tlog_reader_close(r);
    f->forged_n = 3;
    assert_null(open_reader(f, &result));
    assert_int_equal(result, TLOG_MISSING);
    fixture_free(f);
}

/* ---- bundles */

static void bundles_give_back_their_entries(void **state)
{
    struct buf bundle;
    struct tlog_entry e;
    size_t at = 0;
    char *longest = xcalloc(1, ENTRY_MAX_BYTES);

    (void)state;
    buf_init(&bundle, 1 << 20);
    tlog_add_entry(&bundle, "ab", 2);
    assert_memory_equal(bundle.data, "\0\2ab", 4);
    tlog_add_entry(&bundle, longest, ENTRY_MAX_BYTES);
    assert_int_equal(tlog_next_entry(&bundle, &at, &e), 1);
    assert_int_equal(e.len, 2);
    assert_memory_equal(e.body, "ab", 2);
    assert_int_equal(tlog_next_entry(&bundle, &at, &e), 1);
    assert_int_equal(e.len, ENTRY_MAX_BYTES);
    assert_int_equal(tlog_next_entry(&bundle, &at, &e), 0);
    buf_release(&bundle);
    free(longest);
}

static void a_cut_bundle_is_refused(void **state)
{
    struct buf bundle;
    struct tlog_entry e;

    (void)state;
    buf_init(&bundle, 100);
    tlog_add_entry(&bundle, "abc", 3);
    for (bundle.len = 1; bundle.len < 5; bundle.len++) {
        size_t at = 0;

        assert_int_equal(tlog_next_entry(&bundle, &at, &e), -1);
    }
    buf_clear(&bundle);
    buf_add(&bundle, "\0\0", 2);
    assert_int_equal(tlog_next_entry(&bundle, &(size_t){0}, &e), -1);
    buf_release(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_spelled_and_read_as_specified),
        cmocka_unit_test(other_spellings_are_refused),
        cmocka_unit_test(widths_follow_the_size),
        cmocka_unit_test(the_edge_gives_the_root_of_every_size),
        cmocka_unit_test(what_refuses_a_full_tile_ends_the_append),
        cmocka_unit_test(readers_prove_every_entry_and_every_older_size),
        cmocka_unit_test(forged_tiles_are_refused),
        cmocka_unit_test(a_missing_tile_is_said_to_be_missing),
        cmocka_unit_test(bundles_give_back_their_entries),
        cmocka_unit_test(a_cut_bundle_is_refused),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
