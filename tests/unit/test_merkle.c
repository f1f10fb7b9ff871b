/*
 * test_merkle: hashes, roots and proofs are those of RFC 6962, by the eight published leaves and
 * the published right and wrong proofs, and every proof made is accepted, every changed one
 * refused.
 */
#include "vectors.h"

#include "merkle.h"

#include <stdlib.h>

#define LEAVES 8

static const char *const leaves_hex[LEAVES] = {"",
                                               "00",
                                               "10",
                                               "2021",
                                               "3031",
                                               "40414243",
                                               "5051525354555657",
                                               "606162636465666768696a6b6c6d6e6f"};
/* Source: github.com/transparency-dev/merkle, testonly/constants.go. */
static const char *const roots_hex[LEAVES + 1] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

static void hash_of_hex(uint8_t hash[HASH_LEN], const char *hex)
{
    assert_int_equal(sodium_hex2bin(hash, HASH_LEN, hex, strlen(hex), NULL, NULL, NULL), 0);
}

/* ---- a log in memory, hashed without the module: every perfect subtree anew */

#define LOG_MAX 300

static uint8_t leaf_hashes[LOG_MAX][HASH_LEN];

static void sha256_of(uint8_t out[HASH_LEN], uint8_t prefix, const void *data, size_t len)
{
    uint8_t all[1 + 2 * HASH_LEN] = {prefix};

    assert_true(len < sizeof all);
    if (len > 0)
        memcpy(all + 1, data, len);
    crypto_hash_sha256(out, all, 1 + len);
}

/* MTH(D[first : first + count]) as the RFC defines it. */
static void mth(uint8_t out[HASH_LEN], int64_t first, int64_t count)
{
    uint8_t both[2 * HASH_LEN];
    int64_t k = 1;

    if (count == 1) {
        memcpy(out, leaf_hashes[first], HASH_LEN);
        return;
    }
    while (2 * k < count)
        k *= 2;
    mth(both, first, k);
    mth(both + HASH_LEN, first + k, count - k);
    sha256_of(out, 1, both, sizeof both);
}

static int get(void *ctx, int level, int64_t index, uint8_t hash[HASH_LEN])
{
    int64_t size = *(const int64_t *)ctx;

    assert_true((index + 1) << level <= size); /* never beyond the tree */
    mth(hash, index << level, INT64_C(1) << level);
    return 0;
}

static void make_leaves(void)
{
    for (uint16_t i = 0; i < LOG_MAX; i++)
        sha256_of(leaf_hashes[i], 0, &i, sizeof i);
}

static void tree_of(struct merkle_tree *t, int64_t size)
{
    t->size = size;
    mth(t->root, 0, size);
}

/* ---- claims */

static void the_published_leaves_have_the_published_roots(void **state)
{
    struct merkle_frontier f = {.size = 0};
    struct merkle_tree t;

    (void)state;
    for (size_t i = 0; i <= LEAVES; i++) {
        uint8_t expected[HASH_LEN], entry[16], leaf[HASH_LEN];
        size_t len;

        merkle_frontier_tree(&f, &t);
        hash_of_hex(expected, roots_hex[i]);
        assert_int_equal(t.size, i);
        assert_memory_equal(t.root, expected, HASH_LEN);
        if (i == LEAVES)
            break;
        assert_int_equal(sodium_hex2bin(entry, sizeof entry, leaves_hex[i], strlen(leaves_hex[i]),
                                        NULL, &len, NULL),
                         0);
        merkle_leaf(leaf, entry, len);
        merkle_append(&f, leaf);
    }
}

static void roots_of_every_size_follow_the_definition(void **state)
{
    struct merkle_frontier f = {.size = 0};

    (void)state;
    for (int64_t size = 1; size <= LOG_MAX; size++) {
        const struct merkle_source s = {get, &size};
        uint8_t expected[HASH_LEN], root[HASH_LEN];
        struct merkle_tree t;

        merkle_append(&f, leaf_hashes[size - 1]);
        merkle_frontier_tree(&f, &t);
        mth(expected, 0, size);
        assert_memory_equal(t.root, expected, HASH_LEN);
        assert_int_equal(merkle_root(&s, size, root), 0);
        assert_memory_equal(root, expected, HASH_LEN);
        if ((size & (size - 1)) == 0 && size <= 256) {
            merkle_perfect(root, leaf_hashes[0], (size_t)size);
            assert_memory_equal(root, expected, HASH_LEN);
        }
    }
}

/* Reads base64 of the cases; some have roots of 12 bytes, which no hash is: false. */
static bool base64_member(uint8_t hash[HASH_LEN], const cJSON *v, const char *key)
{
    return base64_decode(hash, HASH_LEN, vec_text(v, key)) == 0;
}

static bool path_member(struct merkle_path *path, const cJSON *v)
{
    const cJSON *hash;

    path->count = 0;
    cJSON_ArrayForEach(hash, vec_member(v, "proof"))
    {
        assert_true(path->count < MERKLE_PATH_MAX);
        if (base64_decode(path->hashes[path->count++], HASH_LEN, hash->valuestring) != 0)
            return false;
    }
    return true;
}

static bool inclusion_case(const cJSON *v)
{
    struct merkle_tree t = {.size = vec_int(v, "treeSize")};
    struct merkle_path path;
    uint8_t leaf[HASH_LEN];

    return base64_member(t.root, v, "root") && base64_member(leaf, v, "leafHash") &&
           path_member(&path, v) && merkle_verify_inclusion(&t, vec_int(v, "leafIdx"), leaf, &path);
}

/* Roots that are no hashes are compared only with each other: hashes of them serve as well. */
static void root_member(uint8_t root[HASH_LEN], const cJSON *v, const char *key)
{
    const char *text = vec_text(v, key);

    if (!base64_member(root, v, key))
        crypto_hash_sha256(root, (const uint8_t *)text, strlen(text));
}

static bool consistency_case(const cJSON *v)
{
    struct merkle_tree older = {.size = vec_int(v, "size1")}, newer = {.size = vec_int(v, "size2")};
    struct merkle_path path;

    root_member(older.root, v, "root1");
    root_member(newer.root, v, "root2");
    return path_member(&path, v) && merkle_verify_consistency(&older, &newer, &path);
}

static void published_proofs_are_accepted_and_the_wrong_ones_refused(void **state)
{
    size_t inclusions = 0, consistencies = 0, right = 0;
    const cJSON *v;
    struct buf text;
    cJSON *all;

    (void)state;
    buf_init(&text, 1 << 20);
    assert_int_equal(buf_read_file(&text, "tests/vectors/rfc6962/proofs.json"), 0);
    all = cJSON_ParseWithLength(text.data, text.len);
    cJSON_ArrayForEach(v, all)
    {
        bool inclusion = cJSON_HasObjectItem(v, "leafIdx");
        bool accepted = inclusion ? inclusion_case(v) : consistency_case(v);

        if (accepted == vec_bool(v, "wantErr"))
            fail_msg("%s: %s", vec_text(v, "file"), accepted ? "accepted" : "refused");
        *(inclusion ? &inclusions : &consistencies) += 1;
        right += accepted;
    }
    assert_int_equal(inclusions, 98);
    assert_int_equal(consistencies, 98);
    assert_int_equal(right, 12);
    cJSON_Delete(all);
    buf_release(&text);
}

static void every_inclusion_is_proven_and_no_other(void **state)
{
    (void)state;
    for (int64_t size = 1; size <= LOG_MAX; size += size < 40 ? 1 : 37) {
        const struct merkle_source s = {get, &size};
        struct merkle_tree t;

        tree_of(&t, size);
        for (int64_t i = 0; i < size; i++) {
            struct merkle_path path;

            assert_int_equal(merkle_inclusion(&s, size, i, &path), 0);
            assert_true(merkle_verify_inclusion(&t, i, leaf_hashes[i], &path));
            assert_false(merkle_verify_inclusion(&t, i, leaf_hashes[(i + 1) % LOG_MAX], &path));
            assert_false(merkle_verify_inclusion(&t, i + 1, leaf_hashes[i], &path));
            assert_false(merkle_verify_inclusion(&t, -1, leaf_hashes[i], &path));
            if (path.count == 0)
                continue;
            path.hashes[(size_t)i % path.count][i % HASH_LEN] ^= 1;
            assert_false(merkle_verify_inclusion(&t, i, leaf_hashes[i], &path));
            path.hashes[(size_t)i % path.count][i % HASH_LEN] ^= 1;
            path.count--;
            assert_false(merkle_verify_inclusion(&t, i, leaf_hashes[i], &path));
        }
    }
}

static void every_consistency_is_proven_and_no_fork(void **state)
{
    (void)state;
    for (int64_t size = 1; size <= LOG_MAX; size += size < 40 ? 1 : 37) {
        const struct merkle_source s = {get, &size};
        struct merkle_tree older, newer, fork;

        tree_of(&newer, size);
        for (int64_t before = 1; before <= size; before++) {
            struct merkle_path path;

            tree_of(&older, before);
            fork = older;
            fork.root[before % HASH_LEN] ^= 1;
            assert_int_equal(merkle_consistency(&s, size, before, &path), 0);
            assert_true(merkle_verify_consistency(&older, &newer, &path));
            assert_false(merkle_verify_consistency(&fork, &newer, &path));
            fork = newer;
            fork.root[0] ^= 0x80;
            assert_false(merkle_verify_consistency(&older, &fork, &path));
            fork = older;
            fork.size++;
            assert_false(merkle_verify_consistency(&fork, &newer, &path));
        }
    }
}

static int fails(void *ctx, int level, int64_t index, uint8_t hash[HASH_LEN])
{
    (void)hash;
    return level + index >= *(const int *)ctx ? 7 : (memset(hash, 0, HASH_LEN), 0);
}

static void a_hash_that_cannot_be_had_ends_the_proof(void **state)
{
    int from = 1;
    const struct merkle_source s = {fails, &from};
    struct merkle_path path;
    uint8_t root[HASH_LEN];

    (void)state;
    assert_int_equal(merkle_inclusion(&s, 7, 3, &path), 7);
    assert_int_equal(merkle_consistency(&s, 7, 3, &path), 7);
    assert_int_equal(merkle_root(&s, 7, root), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_leaves_have_the_published_roots),
        cmocka_unit_test(roots_of_every_size_follow_the_definition),
        cmocka_unit_test(published_proofs_are_accepted_and_the_wrong_ones_refused),
        cmocka_unit_test(every_inclusion_is_proven_and_no_other),
        cmocka_unit_test(every_consistency_is_proven_and_no_fork),
        cmocka_unit_test(a_hash_that_cannot_be_had_ends_the_proof),
    };

    if (sodium_init() < 0)
        return 1;
    make_leaves();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
