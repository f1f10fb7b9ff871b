/*
 * test_note: the log's key file is that of golang.org/x/mod/sumdb/note, and any change to it is
 * seen. The vector is the key of that package's examples.
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
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
