/*
 * test_files: small files are replaced whole, keys are read strictly, and a folder has one holder.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LABEL "petition-test/v1"

static char folder[FOLDER_BYTES];
static char path[64], temporary[64];

static int open_folder(void **state)
{
    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(temporary, sizeof temporary, "%s/file.tmp", folder);
    return 0;
}

static int close_folder(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

static void assert_content(const char *text)
{
    struct buf b;

    read_whole(&b, path);
    assert_string_equal(b.data, text);
    buf_release(&b);
}

static void assert_mode(const char *of, unsigned mode)
{
    struct stat st;

    assert_int_equal(stat(of, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

/* ---- replacing */

static void names_are_joined_with_a_slash(void **state)
{
    char *joined = files_join("./data", "petition.db");

    (void)state;
    assert_string_equal(joined, "./data/petition.db");
    free(joined);
}

static void a_new_folder_is_its_owners_and_one_that_is_there_is_kept(void **state)
{
    (void)state;
    assert_int_equal(files_make_dir(path), 0);
    assert_mode(path, 0700);
    assert_int_equal(files_make_dir(path), 0);
    snprintf(path, sizeof path, "%s/no/such", folder);
    assert_int_equal(files_make_dir(path), -1);
    assert_int_equal(errno, ENOENT);
}

static void a_file_is_replaced_whole_and_is_its_owners(void **state)
{
    (void)state;
    assert_int_equal(files_replace(path, "first, and longer", 17), 0);
    assert_mode(path, 0600);
    assert_int_equal(files_replace(path, "second", 6), 0);
    assert_content("second");
    assert_int_equal(access(temporary, F_OK), -1);
}

static void a_copy_is_whole_and_is_its_owners(void **state)
{
    char source[80];
    static char long_content[200001];

    (void)state;
    memset(long_content, 'x', sizeof long_content - 1);
    snprintf(source, sizeof source, "%s/source", folder);
    assert_int_equal(files_replace(source, long_content, sizeof long_content - 1), 0);
    assert_int_equal(chmod(source, 0644), 0);
    assert_int_equal(files_copy(source, path), 0);
    assert_mode(path, 0600);
    assert_content(long_content);
    assert_int_equal(access(temporary, F_OK), -1);
    assert_int_equal(unlink(source), 0);
    assert_int_equal(files_copy(source, path), -1);
    assert_int_equal(errno, ENOENT);
    assert_content(long_content);
}

static void what_a_crash_has_left_is_written_over(void **state)
{
    FILE *f = fopen(temporary, "w");

    (void)state;
    assert_non_null(f);
    fputs("half of something much longer than what comes", f);
    fclose(f);
    assert_int_equal(files_replace(path, "whole", 5), 0);
    assert_content("whole");
    assert_int_equal(access(temporary, F_OK), -1);
}

static void a_failure_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(files_replace(path, "x", 1), -1);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(access(temporary, F_OK), -1);
    assert_int_equal(files_replace("/nonexistent/file", "x", 1), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(files_sync(temporary), -1);
    assert_int_equal(files_sync_dir(temporary), -1);
    assert_int_equal(files_sync_dir(folder), 0);
}

static void creating_never_replaces(void **state)
{
    (void)state;
    assert_int_equal(files_create(path, "first", 5), 0);
    assert_mode(path, 0600);
    assert_int_equal(files_create(path, "second", 6), -1);
    assert_int_equal(errno, EEXIST);
    assert_content("first");
}

static atomic_bool stop;

/* Counts the times it saw anything but one of the two contents. */
static void *read_all_the_time(void *arg)
{
    int *torn = arg;

    while (!atomic_load(&stop)) {
        struct buf b;

        buf_init(&b, BUF_UNLIMITED);
        if (buf_read_file(&b, path) != 0 || b.len != 50000 ||
            strspn(b.data, b.data[0] == 'a' ? "a" : "b") != 50000)
            ++*torn;
        buf_release(&b);
    }
    return NULL;
}

static void a_reader_sees_the_old_content_or_the_new(void **state)
{
    static char content[50000];
    int torn = 0;
    pthread_t reader;

    (void)state;
    memset(content, 'b', sizeof content);
    assert_int_equal(files_replace(path, content, sizeof content), 0);
    assert_int_equal(pthread_create(&reader, NULL, read_all_the_time, &torn), 0);
    for (int i = 0; i < 100; i++) {
        memset(content, i % 2 ? 'b' : 'a', sizeof content);
        assert_int_equal(files_replace(path, content, sizeof content), 0);
    }
    atomic_store(&stop, true);
    pthread_join(reader, NULL);
    assert_int_equal(torn, 0);
}

/* ---- keys */

static void a_key_comes_back_from_its_file(void **state)
{
    uint8_t key[32], back[32];
    const char *why;
    struct buf b;

    (void)state;
    fill(key, sizeof key, 1);
    assert_int_equal(files_create_key(path, LABEL, key, sizeof key), 0);
    assert_mode(path, 0600);
    assert_int_equal(files_read_key(path, LABEL, back, sizeof back, &why), 0);
    assert_memory_equal(back, key, sizeof key);
    read_whole(&b, path);
    assert_int_equal(strncmp(b.data, LABEL " ", sizeof LABEL), 0);
    assert_int_equal(b.data[b.len - 1], '\n');
    assert_ptr_equal(strchr(b.data, '\n'), b.data + b.len - 1);
    buf_release(&b);
    assert_int_equal(files_create_key(path, LABEL, back, sizeof back), -1);
    assert_int_equal(errno, EEXIST);
}

static const char *read_key_of(const char *content)
{
    const char *why = NULL;
    uint8_t key[6];

    assert_int_equal(files_replace(path, content, strlen(content)), 0);
    return files_read_key(path, LABEL, key, sizeof key, &why) == 0 ? "" : why;
}

static void a_key_file_is_read_strictly(void **state)
{
    static const char *const wrong[] = {
        "",
        "\n",
        LABEL,
        LABEL " ",
        LABEL "\n",
        LABEL " Zm9vYmF=\n",
        LABEL " Zm9vYmFyYg==\n",
        LABEL " Zm9vYg==\n",
        LABEL "  Zm9vYmFy\n",
        LABEL "\tZm9vYmFy\n",
        LABEL "0 Zm9vYmFy\n",
        " " LABEL " Zm9vYmFy\n",
        "petition-test/v2 Zm9vYmFy\n",
        "Zm9vYmFy\n",
        LABEL " Zm9vYmFy\n" LABEL " Zm9vYmFy\n",
        LABEL " Zm9v YmFy\n",
    };
    static char long_one[5000];

    (void)state;
    assert_string_equal(read_key_of(LABEL " Zm9vYmFy"), "");
    assert_string_equal(read_key_of(LABEL " Zm9vYmFy\n"), "");
    assert_string_equal(read_key_of(LABEL " Zm9vYmFy\r\n"), "");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_string_equal(read_key_of(wrong[i]), "is not a key of the right kind");
    memset(long_one, 'x', sizeof long_one - 1);
    assert_string_equal(read_key_of(long_one), "cannot be read");
}

static void a_missing_key_is_said_to_be_missing(void **state)
{
    const char *why = NULL;
    uint8_t key[6];

    (void)state;
    assert_int_equal(files_read_key(path, LABEL, key, sizeof key, &why), -1);
    assert_string_equal(why, "is missing");
    assert_int_equal(files_read_key(folder, LABEL, key, sizeof key, &why), -1);
    assert_string_equal(why, "cannot be read");
}

/* ---- the lock */

static void a_folder_is_locked_until_the_descriptor_is_closed(void **state)
{
    int first = files_lock_dir(folder), second;

    (void)state;
    assert_true(first >= 0);
    assert_int_equal(files_lock_dir(folder), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    close(first);
    second = files_lock_dir(folder);
    assert_true(second >= 0);
    close(second);
    assert_int_equal(files_lock_dir(path), -1);
    assert_int_equal(errno, ENOENT);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(names_are_joined_with_a_slash),
        CLAIM(a_new_folder_is_its_owners_and_one_that_is_there_is_kept),
        CLAIM(a_file_is_replaced_whole_and_is_its_owners),
        CLAIM(a_copy_is_whole_and_is_its_owners),
        CLAIM(what_a_crash_has_left_is_written_over),
        CLAIM(a_failure_is_told_and_leaves_nothing),
        CLAIM(creating_never_replaces),
        CLAIM(a_reader_sees_the_old_content_or_the_new),
        CLAIM(a_key_comes_back_from_its_file),
        CLAIM(a_key_file_is_read_strictly),
        CLAIM(a_missing_key_is_said_to_be_missing),
        CLAIM(a_folder_is_locked_until_the_descriptor_is_closed),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
