/*
 * test_note: the log's key file is that of golang.org/x/mod/sumdb/note, and any change to it is
 * seen; notes are signed byte for byte as there, and no changed one is accepted. The vectors are
 * those of that package's documentation and of C2SP signed-note.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "note.h"
#include "support.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#define EXAMPLE "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"

#define TEXT                                                                                       \
    "If you think cryptography is the answer to your problem,\n"                                   \
    "then you don't know what your problem is.\n"
#define LINE                                                                                       \
    "\xe2\x80\x94 PeterNeumann "                                                                   \
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=" \
    "\n"
#define SECOND_LINE                                                                                \
    "\xe2\x80\x94 EnochRoot "                                                                      \
    "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=" \
    "\n"
#define VKEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

#define C2SP_VKEY "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define C2SP_NOTE                                                                                  \
    "This is an example message.\n\n\xe2\x80\x94 example.com/foo "                                 \
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=" \
    "\n"

static char folder[FOLDER_BYTES];
static char path[64];

static int open_folder(void **state)
{
    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/log.key", folder);
    return 0;
}

static int close_folder(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

/* The name in a file with that content, or NULL; *why as the call says. */
static const char *name_in(const char *content, const char **why)
{
    static char name[NOTE_NAME_MAX + 1];

    assert_int_equal(files_replace(path, content, strlen(content)), 0);
    return note_key_name(path, name, why) == 0 ? name : NULL;
}

static void a_name_is_printable_and_has_no_space_nor_plus(void **state)
{
    char name[NOTE_NAME_MAX + 2];

    (void)state;
    assert_true(note_is_name("petition.example"));
    assert_true(note_is_name("petition.example/log:1_~"));
    assert_false(note_is_name(""));
    assert_false(note_is_name("petition example"));
    assert_false(note_is_name("petition+example"));
    assert_false(note_is_name("petition\nexample"));
    assert_false(note_is_name("petition\x7f"));
    assert_false(note_is_name("pétition"));
    assert_false(note_is_name("\"petition\""));
    assert_false(note_is_name("petition\\"));
    memset(name, 'x', sizeof name);
    name[NOTE_NAME_MAX] = '\0';
    assert_true(note_is_name(name));
    name[NOTE_NAME_MAX] = 'x';
    name[NOTE_NAME_MAX + 1] = '\0';
    assert_false(note_is_name(name));
}

static void the_published_example_is_read(void **state)
{
    const char *why = NULL;

    (void)state;
    assert_string_equal(name_in(EXAMPLE, &why), "PeterNeumann");
    assert_string_equal(name_in(EXAMPLE "\n", &why), "PeterNeumann");
    assert_string_equal(name_in(EXAMPLE "\r\n", &why), "PeterNeumann");
}

static void a_change_anywhere_is_refused(void **state)
{
    char changed[sizeof EXAMPLE];
    const char *why;

    (void)state;
    for (size_t at = 0; at < sizeof EXAMPLE - 1; at++) {
        memcpy(changed, EXAMPLE, sizeof changed);
        changed[at] = changed[at] == 'b' ? 'd' : 'b';
        why = NULL;
        assert_null(name_in(changed, &why));
        assert_string_equal(why, "is not a log key");
        changed[at] = '\0';
        assert_null(name_in(changed, &why));
    }
}

static void a_new_key_carries_its_name_and_is_its_owners(void **state)
{
    char name[NOTE_NAME_MAX + 1];
    const char *why = NULL;
    struct stat st;

    (void)state;
    assert_int_equal(note_key_create(path, "petition.example/log"), 0);
    assert_int_equal(note_key_name(path, name, &why), 0);
    assert_string_equal(name, "petition.example/log");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void the_longest_name_fits(void **state)
{
    char longest[NOTE_NAME_MAX + 1], name[NOTE_NAME_MAX + 1];
    const char *why = NULL;

    (void)state;
    memset(longest, 'x', NOTE_NAME_MAX);
    longest[NOTE_NAME_MAX] = '\0';
    assert_int_equal(note_key_create(path, longest), 0);
    assert_int_equal(note_key_name(path, name, &why), 0);
    assert_string_equal(name, longest);
}

static void a_key_is_never_replaced_and_no_two_are_alike(void **state)
{
    struct buf first, second;

    (void)state;
    assert_int_equal(note_key_create(path, "petition.example"), 0);
    read_whole(&first, path);
    assert_int_equal(note_key_create(path, "petition.example"), -1);
    assert_int_equal(errno, EEXIST);
    read_whole(&second, path);
    assert_string_equal(first.data, second.data);
    buf_release(&second);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(note_key_create(path, "petition.example"), 0);
    read_whole(&second, path);
    assert_string_not_equal(first.data, second.data);
    buf_release(&first);
    buf_release(&second);
}

static void a_missing_or_unreadable_file_is_said_to_be_so(void **state)
{
    char name[NOTE_NAME_MAX + 1], huge[2000];
    const char *why = NULL;

    (void)state;
    assert_int_equal(note_key_name(path, name, &why), -1);
    assert_string_equal(why, "is missing");
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_null(name_in(huge, &why));
    assert_string_equal(why, "cannot be read");
    assert_null(name_in("", &why));
    assert_string_equal(why, "is not a log key");
}

static struct note_key *example_key(void)
{
    const char *why = NULL;
    struct note_key *key;

    assert_int_equal(files_replace(path, EXAMPLE, strlen(EXAMPLE)), 0);
    key = note_key_open(path, &why);
    assert_non_null(key);
    return key;
}

static enum note_result verify(const char *vkey, const char *note, size_t *text_len)
{
    struct note_verifier v;

    assert_int_equal(note_parse_vkey(&v, vkey), 0);
    return note_verify(&v, note, strlen(note), text_len);
}

static void the_published_text_is_signed_byte_for_byte(void **state)
{
    struct note_key *key = example_key();
    struct buf note;

    (void)state;
    buf_init(&note, 4096);
    note_sign(key, &note, TEXT, strlen(TEXT));
    assert_string_equal(note.data, TEXT "\n" LINE);
    buf_clear(&note);
    note_print_vkey(&note, note_key_verifier(key));
    assert_string_equal(note.data, VKEY);
    buf_release(&note);
    note_key_close(key);
}

static void the_published_notes_are_accepted(void **state)
{
    size_t len;

    (void)state;
    assert_int_equal(verify(VKEY, TEXT "\n" LINE, &len), NOTE_OK);
    assert_int_equal(len, strlen(TEXT));
    assert_int_equal(verify(C2SP_VKEY, C2SP_NOTE, &len), NOTE_OK);
    assert_int_equal(len, strlen("This is an example message.\n"));
}

static void signatures_by_other_keys_are_ignored(void **state)
{
    size_t len;

    (void)state;
    assert_int_equal(verify(VKEY, TEXT "\n" LINE SECOND_LINE, &len), NOTE_OK);
    assert_int_equal(verify(VKEY, TEXT "\n" SECOND_LINE LINE, &len), NOTE_OK);
    assert_int_equal(verify(VKEY, TEXT "\n" SECOND_LINE, &len), NOTE_UNSIGNED);
    assert_int_equal(verify(C2SP_VKEY, TEXT "\n" LINE, &len), NOTE_UNSIGNED);
}

static void a_text_with_empty_lines_ends_at_the_last(void **state)
{
    static const char text[] = "a\n\n\xe2\x80\x94 b YWJjZGVm\n\n\n";
    struct note_key *key = example_key();
    struct buf note;
    size_t len;

    (void)state;
    buf_init(&note, 4096);
    note_sign(key, &note, text, strlen(text));
    assert_int_equal(verify(VKEY, note.data, &len), NOTE_OK);
    assert_int_equal(len, strlen(text));
    buf_release(&note);
    note_key_close(key);
}

/* Each bit of the note, and each of its beginnings. */
static void no_changed_note_is_accepted(void **state)
{
    static const char note[] = TEXT "\n" LINE;
    char changed[sizeof note];
    struct note_verifier v;
    size_t len;

    (void)state;
    assert_int_equal(note_parse_vkey(&v, VKEY), 0);
    memcpy(changed, note, sizeof note);
    for (size_t bit = 0; bit < 8 * (sizeof note - 1); bit++) {
        changed[bit / 8] = (char)(note[bit / 8] ^ 1 << bit % 8);
        assert_int_not_equal(note_verify(&v, changed, sizeof note - 1, &len), NOTE_OK);
        changed[bit / 8] = note[bit / 8];
    }
    for (size_t cut = 0; cut < sizeof note - 1; cut++)
        assert_int_not_equal(note_verify(&v, note, cut, &len), NOTE_OK);
}

static void what_is_no_note_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "\n\n",
        TEXT,
        TEXT "\n",
        TEXT LINE,
        "\n" LINE,
        TEXT "\n" LINE "\n",
        TEXT "\n" LINE "x\n",
        TEXT "\n" LINE " " LINE,
        TEXT "\r\n\r\n" LINE,
        TEXT "\t\n\n" LINE,
        TEXT "\xff\n\n" LINE,
        TEXT "\n\xe2\x80\x94 PeterNeumann \n" LINE,
        TEXT "\n\xe2\x80\x94  x08go/ZJ\n" LINE,
        TEXT "\n\xe2\x80\x94 a+b x08go/ZJ\n" LINE,
        TEXT "\n\xe2\x80\x94 a x08go/Z\n" LINE,
        TEXT "\n\xe2\x80\x94 a x08g\n" LINE,
        TEXT "\n- a x08go/ZJ\n" LINE,
    };
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (verify(VKEY, bad[i], &len) != NOTE_MALFORMED)
            fail_msg("case %zu is not refused", i);
    assert_int_equal(verify(VKEY, TEXT "\n\xe2\x80\x94 PeterNeumann x08go/ZJ\n", &len),
                     NOTE_FORGED);
}

static void a_hundred_signatures_are_read_and_no_more(void **state)
{
    struct buf note;
    size_t len;

    (void)state;
    buf_init(&note, NOTE_MAX_BYTES);
    buf_adds(&note, TEXT "\n");
    for (int i = 1; i < NOTE_LINES_MAX; i++)
        buf_adds(&note, SECOND_LINE);
    buf_adds(&note, LINE);
    assert_int_equal(verify(VKEY, note.data, &len), NOTE_OK);
    buf_adds(&note, SECOND_LINE);
    assert_int_equal(verify(VKEY, note.data, &len), NOTE_MALFORMED);
    buf_release(&note);
}

static void a_public_key_is_read_strictly(void **state)
{
    struct note_verifier v;
    char changed[sizeof VKEY];

    (void)state;
    for (size_t i = 0; i < sizeof VKEY - 1; i++) {
        memcpy(changed, VKEY, sizeof VKEY);
        changed[i] = changed[i] == 'b' ? 'd' : 'b';
        assert_int_equal(note_parse_vkey(&v, changed), -1);
        changed[i] = '\0';
        assert_int_equal(note_parse_vkey(&v, changed), -1);
    }
    assert_int_equal(note_parse_vkey(&v, VKEY "\n"), -1);
    assert_int_equal(note_parse_vkey(&v, EXAMPLE), -1);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_name_is_printable_and_has_no_space_nor_plus),
        CLAIM(the_published_example_is_read),
        CLAIM(a_change_anywhere_is_refused),
        CLAIM(a_new_key_carries_its_name_and_is_its_owners),
        CLAIM(the_longest_name_fits),
        CLAIM(a_key_is_never_replaced_and_no_two_are_alike),
        CLAIM(a_missing_or_unreadable_file_is_said_to_be_so),
        CLAIM(the_published_text_is_signed_byte_for_byte),
        CLAIM(the_published_notes_are_accepted),
        CLAIM(signatures_by_other_keys_are_ignored),
        CLAIM(a_text_with_empty_lines_ends_at_the_last),
        CLAIM(no_changed_note_is_accepted),
        CLAIM(what_is_no_note_is_refused),
        CLAIM(a_hundred_signatures_are_read_and_no_more),
        CLAIM(a_public_key_is_read_strictly),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
