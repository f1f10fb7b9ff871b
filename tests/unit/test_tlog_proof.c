/*
 * test_tlog_proof: checkpoints and proof files have the published form, are read strictly, and none
 * that was changed is accepted.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support.h"
#include "tlog_fixture.h"
#include "tlog_proof.h"

#include <sodium.h>

#define EMPTY_ROOT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static char folder[FOLDER_BYTES];
static struct note_key *key, *other_key;
static struct tlog_fixture *fixture;

static struct note_key *new_key(const char *file, const char *name)
{
    char *path = files_join(folder, file);
    const char *why;
    struct note_key *made;

    assert_int_equal(note_key_create(path, name), 0);
    made = note_key_open(path, &why);
    assert_non_null(made);
    free(path);
    return made;
}

static int open_all(void **state)
{
    (void)state;
    make_folder(folder);
    key = new_key("a", "petition.example/log");
    other_key = new_key("b", "petition.example/log");
    fixture = fixture_new();
    fixture_grow(fixture, 1000);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    fixture_free(fixture);
    note_key_close(key);
    note_key_close(other_key);
    remove_folder(folder);
    return 0;
}

/* ---- checkpoints */

static void a_checkpoint_has_the_published_text(void **state)
{
    struct merkle_frontier f = {.size = 0};
    struct merkle_tree tree;
    struct buf text;

    (void)state;
    merkle_frontier_tree(&f, &tree);
    buf_init(&text, 1024);
    checkpoint_text(&text, "petition.example/log", &tree);
    assert_string_equal(text.data, "petition.example/log\n0\n" EMPTY_ROOT "\n");
    buf_release(&text);
}

static void a_checkpoint_is_read_back(void **state)
{
    struct merkle_tree tree;
    struct checkpoint c;
    struct buf note;

    (void)state;
    merkle_frontier_tree(&fixture->frontier, &tree);
    buf_init(&note, 4096);
    checkpoint_sign(&note, key, &tree);
    assert_null(checkpoint_open(&c, note_key_verifier(key), note.data, note.len));
    assert_string_equal(c.origin, "petition.example/log");
    assert_int_equal(c.tree.size, 1000);
    assert_memory_equal(c.tree.root, tree.root, HASH_LEN);
    assert_string_equal(checkpoint_open(&c, note_key_verifier(other_key), note.data, note.len),
                        "the checkpoint is not signed with the log's key");
    buf_release(&note);
}

static void a_checkpoint_of_another_origin_is_refused(void **state)
{
    static const char text[] = "petition.example/other\n0\n" EMPTY_ROOT "\n";
    struct checkpoint c;
    struct buf note;

    (void)state;
    buf_init(&note, 4096);
    note_sign(key, &note, text, strlen(text));
    assert_string_equal(checkpoint_open(&c, note_key_verifier(key), note.data, note.len),
                        "the checkpoint is of another log");
    buf_release(&note);
}

static void texts_are_read_strictly(void **state)
{
    static const char *const good[] = {"a\n0\n" EMPTY_ROOT "\n", "a\n17\n" EMPTY_ROOT "\nmore\n",
                                       "a\n9007199254740992\n" EMPTY_ROOT "\n"};
    static const char *const bad[] = {
        "",
        "a\n0\n" EMPTY_ROOT,
        "\n0\n" EMPTY_ROOT "\n",
        "a\n\n" EMPTY_ROOT "\n",
        "a\n00\n" EMPTY_ROOT "\n",
        "a\n01\n" EMPTY_ROOT "\n",
        "a\n+1\n" EMPTY_ROOT "\n",
        "a\n-1\n" EMPTY_ROOT "\n",
        "a\n 1\n" EMPTY_ROOT "\n",
        "a\n9007199254740993\n" EMPTY_ROOT "\n",
        "a\n99999999999999999999\n" EMPTY_ROOT "\n",
        "a\n1\n" EMPTY_ROOT "=\n",
        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n", /* spare bits set */
        "a\n1\n47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "a\n1\n" EMPTY_ROOT "\n\n",
        "a\n1\n" EMPTY_ROOT "\n\nmore\n",
        "a\n1\n" EMPTY_ROOT "\nmore",
    };
    struct checkpoint c;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(checkpoint_parse(&c, good[i], strlen(good[i])), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (checkpoint_parse(&c, bad[i], strlen(bad[i])) == 0)
            fail_msg("case %zu is accepted", i);
}

/* ---- proofs */

#define AT 777

static void make_proof(struct tlog_proof *p)
{
    struct merkle_tree tree;
    enum tlog_result result;
    struct tlog_reader *r;
    char entry[32];

    tlog_proof_init(p);
    p->index = AT;
    merkle_frontier_tree(&fixture->frontier, &tree);
    r = tlog_reader_open(&tree, fixture_fetch, fixture, &result);
    assert_non_null(r);
    assert_int_equal(tlog_inclusion(r, AT, &p->path), TLOG_OK);
    tlog_reader_close(r);
    buf_add(&p->extra, entry, fixture_entry(entry, AT));
    checkpoint_sign(&p->checkpoint, key, &tree);
}

static void make_file(struct buf *file)
{
    struct tlog_proof p;

    make_proof(&p);
    buf_init(file, TLOG_PROOF_MAX_BYTES);
    tlog_proof_write(file, &p);
    tlog_proof_release(&p);
}

/* Whether a file is accepted as the proof of that entry. */
static bool accepted(const char *file, size_t len)
{
    struct tlog_proof p;
    struct checkpoint c;
    char entry[32];
    size_t entry_len = fixture_entry(entry, AT);
    bool good;

    tlog_proof_init(&p);
    good = tlog_proof_parse(&p, file, len) == 0 &&
           tlog_proof_verify(&p, note_key_verifier(key), &c) == NULL && p.extra.len == entry_len &&
           memcmp(p.extra.data, entry, entry_len) == 0 && p.index == AT;
    tlog_proof_release(&p);
    return good;
}

static void a_proof_has_the_published_form(void **state)
{
    struct tlog_proof p;
    struct buf file, expected;

    (void)state;
    make_proof(&p);
    make_file(&file);
    buf_init(&expected, TLOG_PROOF_MAX_BYTES);
    buf_adds(&expected, "c2sp.org/tlog-proof@v1\nextra ZW50cnkgNzc3\nindex 777\n");
    for (size_t i = 0; i < p.path.count; i++) {
        buf_base64(&expected, p.path.hashes[i], HASH_LEN);
        buf_addc(&expected, '\n');
    }
    buf_printf(&expected, "\n%s", p.checkpoint.data);
    assert_string_equal(file.data, expected.data);
    assert_true(accepted(file.data, file.len));
    buf_release(&file);
    buf_release(&expected);
    tlog_proof_release(&p);
}

static void no_changed_proof_is_accepted(void **state)
{
    struct buf file;

    (void)state;
    make_file(&file);
    for (size_t bit = 0; bit < 8 * file.len; bit++) {
        file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
        if (accepted(file.data, file.len))
            fail_msg("bit %zu", bit);
        file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t cut = 0; cut < file.len; cut++)
        assert_false(accepted(file.data, cut));
    buf_addc(&file, '\n');
    assert_false(accepted(file.data, file.len));
    buf_release(&file);
}

static void what_is_wrong_with_a_proof_is_said(void **state)
{
    struct tlog_proof p;
    struct checkpoint c;

    (void)state;
    make_proof(&p);
    assert_string_equal(tlog_proof_verify(&p, note_key_verifier(other_key), &c),
                        "the checkpoint is not signed with the log's key");
    p.index++;
    assert_string_equal(tlog_proof_verify(&p, note_key_verifier(key), &c),
                        "the entry is not in the log at that index");
    buf_clear(&p.extra);
    assert_string_equal(tlog_proof_verify(&p, note_key_verifier(key), &c),
                        "the proof does not hold its entry");
    tlog_proof_release(&p);
}

static void other_files_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v2\nindex 1\n\nx",
        "c2sp.org/tlog-proof@v1\r\nindex 1\n\nx",
        "c2sp.org/tlog-proof@v1\nindex 01\n\nx",
        "c2sp.org/tlog-proof@v1\nindex -1\n\nx",
        "c2sp.org/tlog-proof@v1\nindex 1\n",
        "c2sp.org/tlog-proof@v1\nindex 1\nabc=\n\nx",
        "c2sp.org/tlog-proof@v1\nextra \nindex 1\n\nx",
        "c2sp.org/tlog-proof@v1\nextra YQ\nindex 1\n\nx",
        "c2sp.org/tlog-proof@v1\nextra YR==\nindex 1\n\nx",
        "c2sp.org/tlog-proof@v1\nindex 1\nextra YQ==\n\nx",
        "c2sp.org/tlog-proof@v1\nextra YQ==\nextra YQ==\nindex 1\n\nx",
        "c2sp.org/tlog-proof@v1\n\nindex 1\n\nx",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tlog_proof p;

        tlog_proof_init(&p);
        if (tlog_proof_parse(&p, bad[i], strlen(bad[i])) == 0)
            fail_msg("case %zu is accepted", i);
        tlog_proof_release(&p);
    }
}

static void a_huge_file_is_refused(void **state)
{
    struct tlog_proof p;
    struct buf file;

    (void)state;
    buf_init(&file, BUF_UNLIMITED);
    buf_adds(&file, "c2sp.org/tlog-proof@v1\nindex 1\n");
    for (int i = 0; i < 65; i++)
        buf_adds(&file, EMPTY_ROOT "\n");
    buf_adds(&file, "\nx");
    tlog_proof_init(&p);
    assert_int_equal(tlog_proof_parse(&p, file.data, file.len), -1);
    while (file.len < 10000000)
        buf_adds(&file, EMPTY_ROOT "\n");
    tlog_proof_release(&p);
    assert_int_equal(tlog_proof_parse(&p, file.data, file.len), -1);
    tlog_proof_release(&p);
    buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checkpoint_has_the_published_text),
        cmocka_unit_test(a_checkpoint_is_read_back),
        cmocka_unit_test(a_checkpoint_of_another_origin_is_refused),
        cmocka_unit_test(texts_are_read_strictly),
        cmocka_unit_test(a_proof_has_the_published_form),
        cmocka_unit_test(no_changed_proof_is_accepted),
        cmocka_unit_test(what_is_wrong_with_a_proof_is_said),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(a_huge_file_is_refused),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, open_all, close_all);
}
