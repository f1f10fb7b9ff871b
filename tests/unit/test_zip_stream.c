/*
 * test_zip_stream: ZIPs made piece by piece: other programs read them, their length is the one
 * foretold, and members and offsets beyond 4 GiB are found. Content is made up while it is read.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support.h"
#include "zip_stream.h"

#include <fcntl.h>
#include <stdlib.h>

#define FROZEN_S 1508760002 /* 2017-10-23 12:00:02 */
#define GIB      (1024ull * 1024 * 1024)

static char folder[FOLDER_BYTES];
static int failing; /* reads until one fails; 0: none does */

static int open_folder(void **state)
{
    (void)state;
    failing = 0;
    make_folder(folder);
    return 0;
}

static int close_folder(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

/* Each member is its number, over and over: the first one all zeros. */
static int read_member(void *ctx, size_t member, void *out, size_t len)
{
    (void)ctx;
    memset(out, (int)member, len);
    return failing > 0 && --failing == 0 ? -1 : 0;
}

static bool is_zero(const struct buf *b)
{
    return b->len > 0 && b->data[0] == 0 && memcmp(b->data, b->data + 1, b->len - 1) == 0;
}

/* Writes it as folder/NAME, with holes for zeros, and compares its length with the one foretold. */
static void write_zip(struct zip_stream *z, const char *name)
{
    char *path = files_join(folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    uint64_t foretold = zip_stream_bytes(z), bytes = 0;
    struct buf piece;
    int more;

    assert_true(fd >= 0);
    buf_init(&piece, 128 * 1024);
    while ((more = zip_stream_next(z, &piece)) == 1) {
        assert_true(buf_ok(&piece));
        if (is_zero(&piece))
            assert_true(lseek(fd, (off_t)piece.len, SEEK_CUR) > 0);
        else
            assert_int_equal(files_write_all(fd, piece.data, piece.len), 0);
        bytes += piece.len;
        buf_clear(&piece);
    }
    assert_int_equal(more, 0);
    assert_true(bytes == foretold);
    close(fd);
    zip_stream_free(z);
    buf_release(&piece);
    free(path);
}

/* Runs the command in the folder. */
static int shell(const char *command)
{
    char line[1500];

    snprintf(line, sizeof line, "cd %s && %s", folder, command);
    return system(line); /* NOLINT: no input from outside */
}

static struct zip_stream *small_one(void)
{
    struct zip_stream *z = zip_stream_new(FROZEN_S, read_member, NULL);

    zip_stream_add(z, "empty.zip", 0);
    zip_stream_add(z, "a.zip", 1);
    zip_stream_add(z, "chunk.zip", 64 * 1024);
    zip_stream_add(z, "more.zip", 64 * 1024 + 1);
    return z;
}

static void other_programs_read_it(void **state)
{
    (void)state;
    write_zip(small_one(), "t.zip");
    assert_int_equal(shell("unzip -tq t.zip >/dev/null"), 0);
    assert_int_equal(shell("unzip -ZTs t.zip | grep -c '^-rw-r--r--.* stor 20171023.120002 ' |"
                           " grep -qx 4"),
                     0);
    assert_int_equal(shell("python3 -c \"import zipfile\n"
                           "z = zipfile.ZipFile('t.zip')\n"
                           "assert z.testzip() is None\n"
                           "assert z.namelist() == "
                           "['empty.zip', 'a.zip', 'chunk.zip', 'more.zip']\n"
                           "assert z.read('a.zip') == b'\\1' and z.read('empty.zip') == b''\n"
                           "assert z.read('more.zip') == b'\\3' * 65537\""),
                     0);
}

static void the_same_members_give_the_same_bytes(void **state)
{
    (void)state;
    write_zip(small_one(), "a.zip");
    write_zip(small_one(), "b.zip");
    assert_int_equal(shell("cmp a.zip b.zip"), 0);
}

static void without_members_it_is_an_empty_zip(void **state)
{
    (void)state;
    write_zip(zip_stream_new(0, read_member, NULL), "t.zip");
    assert_int_equal(shell("python3 -c \"import zipfile\n"
                           "assert zipfile.ZipFile('t.zip').namelist() == []\""),
                     0);
}

static void a_time_that_zips_do_not_know_is_the_nearest(void **state)
{
    struct zip_stream *z = zip_stream_new(0, read_member, NULL);

    (void)state;
    zip_stream_add(z, "a", 1);
    write_zip(z, "early.zip");
    z = zip_stream_new(INT64_MAX, read_member, NULL);
    zip_stream_add(z, "a", 1);
    write_zip(z, "late.zip");
    assert_int_equal(shell("unzip -ZTs early.zip | grep -q 19800101.000000"), 0);
    assert_int_equal(shell("unzip -ZTs late.zip | grep -q 21071231.235958"), 0);
}

/* A member of more than 4 GiB, and with it offsets and a directory beyond them. */
static void beyond_4_gib_all_is_found(void **state)
{
    struct zip_stream *z = zip_stream_new(FROZEN_S, read_member, NULL);

    (void)state;
    zip_stream_add(z, "large.zip", 4 * GIB + 7);
    zip_stream_add(z, "small.zip", 5);
    write_zip(z, "t.zip");
    assert_int_equal(shell("python3 -c \"import zipfile\n"
                           "z = zipfile.ZipFile('t.zip')\n"
                           "a, b = z.infolist()\n"
                           "assert a.file_size == a.compress_size == 4 * 2 ** 30 + 7\n"
                           "assert b.header_offset > 2 ** 32 and b.file_size == 5\n"
                           "assert z.read('small.zip') == b'\\1' * 5\""),
                     0);
    assert_int_equal(shell("unzip -tq t.zip small.zip >/dev/null"), 0);
}

/* The length of the whole, and the first piece: the member's header. */
static uint64_t begin(uint64_t bytes, struct buf *header)
{
    struct zip_stream *z = zip_stream_new(FROZEN_S, read_member, NULL);
    uint64_t foretold;

    zip_stream_add(z, "a.zip", bytes);
    foretold = zip_stream_bytes(z);
    buf_init(header, BUF_UNLIMITED);
    assert_int_equal(zip_stream_next(z, header), 1);
    zip_stream_free(z);
    return foretold;
}

/* All ones in 32 bits mean that the number stands elsewhere: so it does from that number on. */
static void at_the_border_a_member_gets_the_larger_fields(void **state)
{
    static const uint8_t sizes[] = {0xfe, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff};
    static const uint8_t extra[] = {1, 0, 16,   0,    0xff, 0xff, 0xff, 0xff, 0, 0,
                                    0, 0, 0xff, 0xff, 0xff, 0xff, 0,    0,    0, 0};
    struct buf below, at;
    uint64_t more;

    (void)state;
    more = begin(UINT32_MAX, &at) - begin(UINT32_MAX - 1, &below);
    assert_int_equal(more, 1 + 20 + 8 + 20); /* in the header, behind, and in the directory */
    assert_int_equal(below.len, 30 + 5);
    assert_memory_equal(below.data + 18, sizes, sizeof sizes);
    assert_int_equal(at.len, 30 + 5 + 20);
    assert_memory_equal(at.data + 18, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_memory_equal(at.data + 35, extra, sizeof extra);
    buf_release(&below);
    buf_release(&at);
}

static void a_member_that_cannot_be_read_ends_it(void **state)
{
    struct zip_stream *z = small_one();
    struct buf piece;
    int more;

    (void)state;
    failing = 2;
    buf_init(&piece, BUF_UNLIMITED);
    do
        more = zip_stream_next(z, &piece);
    while (more == 1);
    assert_int_equal(more, -1);
    buf_release(&piece);
    zip_stream_free(z);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(other_programs_read_it),
        TEST(the_same_members_give_the_same_bytes),
        TEST(without_members_it_is_an_empty_zip),
        TEST(a_time_that_zips_do_not_know_is_the_nearest),
        TEST(beyond_4_gib_all_is_found),
        TEST(at_the_border_a_member_gets_the_larger_fields),
        TEST(a_member_that_cannot_be_read_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
