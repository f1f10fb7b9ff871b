/*
 * test_backup: the format of a backup file: what was written is read, and nothing else is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backup.h"
#include "support.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>

#define CHUNK      65536
#define HEAD_BYTES (19 + 80 + 24)

static uint8_t public_key[SEAL_KEY_LEN], secret[SEAL_KEY_LEN];
static char folder[FOLDER_BYTES], file[64];

static int set_up(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return -1;
    seal_key_pair(public_key, secret);
    make_folder(folder);
    snprintf(file, sizeof file, "%s/backup", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

static int gather(void *ctx, const void *data, size_t len)
{
    buf_add(ctx, data, len);
    return 0;
}

/* A backup with one member of so many bytes. */
static void make(struct buf *out, size_t bytes)
{
    struct backup_writer *w = backup_writer_new(gather, out);
    uint8_t *content = calloc(bytes + 1, 1);

    fill(content, bytes, 7);
    buf_init(out, BUF_UNLIMITED);
    assert_int_equal(backup_begin(w, public_key), 0);
    assert_int_equal(backup_member(w, "petition.db", bytes), 0);
    assert_int_equal(backup_write(w, content, bytes), 0);
    assert_int_equal(backup_finish(w), 0);
    backup_writer_free(w);
    free(content);
}

/* Reads all there is: the number of bytes of its members, or -1 with a reason. */
static int64_t read_all(const void *data, size_t len, const uint8_t *key, const char **why)
{
    char name[BACKUP_NAME_MAX + 1], piece[5000];
    struct backup_reader *r;
    int64_t sum = 0;
    int fd, next = -1;
    uint64_t left;
    ssize_t got = 0;

    assert_int_equal(files_replace(file, data, len), 0);
    fd = open(file, O_RDONLY);
    r = backup_reader_new(fd, key, why);
    while (r && got == 0 && (next = backup_next(r, name, &left, why)) == 1)
        while ((got = backup_read(r, piece, sizeof piece, why)) > 0)
            sum += got;
    if (r)
        backup_reader_free(r);
    close(fd);
    return next == 0 ? sum : -1;
}

static void assert_refused(const void *data, size_t len, const uint8_t *key, const char *reason)
{
    const char *why = NULL;

    assert_int_equal(read_all(data, len, key, &why), -1);
    assert_non_null(why);
    assert_null(strchr(why, '\n'));
    if (reason)
        assert_non_null(strstr(why, reason));
}

static void what_was_written_is_read(void **state)
{
    /* Around the ends of chunks: 1 + 11 + 8 bytes stand before the member, 1 after it. */
    static const size_t sizes[] = {0,
                                   1,
                                   100,
                                   CHUNK - 22,
                                   CHUNK - 21,
                                   CHUNK - 20,
                                   CHUNK - 1,
                                   2 * CHUNK - 21,
                                   2 * CHUNK - 20,
                                   200000};
    const char *why = NULL;
    struct buf backup;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make(&backup, sizes[i]);
        assert_int_equal(read_all(backup.data, backup.len, secret, &why), sizes[i]);
        buf_release(&backup);
    }
}

static void the_content_is_that_of_the_member(void **state)
{
    char name[BACKUP_NAME_MAX + 1];
    uint8_t expected[1000], got[1000];
    const char *why = NULL;
    struct backup_reader *r;
    struct buf backup;
    uint64_t len;
    int fd;

    (void)state;
    make(&backup, sizeof expected);
    fill(expected, sizeof expected, 7);
    assert_int_equal(files_replace(file, backup.data, backup.len), 0);
    fd = open(file, O_RDONLY);
    r = backup_reader_new(fd, secret, &why);
    assert_non_null(r);
    assert_int_equal(backup_next(r, name, &len, &why), 1);
    assert_string_equal(name, "petition.db");
    assert_int_equal(len, sizeof expected);
    assert_int_equal(backup_read(r, got, sizeof got, &why), sizeof got);
    assert_memory_equal(got, expected, sizeof got);
    assert_int_equal(backup_read(r, got, sizeof got, &why), 0);
    assert_int_equal(backup_next(r, name, &len, &why), 0);
    backup_reader_free(r);
    close(fd);
    /* In clear there is the first line, and nothing of the content. */
    assert_memory_equal(backup.data, "petition-backup/v1\n", 19);
    assert_false(contains(&backup, expected, 16));
    assert_false(contains(&backup, "petition.db", 11));
    buf_release(&backup);
}

static void a_changed_byte_anywhere_is_refused(void **state)
{
    struct buf backup;

    (void)state;
    make(&backup, 300);
    for (size_t i = 0; i < backup.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            backup.data[i] = (char)(backup.data[i] ^ 1 << bit);
            assert_refused(backup.data, backup.len, secret, NULL);
            backup.data[i] = (char)(backup.data[i] ^ 1 << bit);
        }
    buf_release(&backup);
}

static void a_cut_off_file_is_refused(void **state)
{
    struct buf backup;

    (void)state;
    make(&backup, 300);
    for (size_t len = 0; len < backup.len; len++)
        assert_refused(backup.data, len, secret, len < 19 ? "not a backup" : "cut off");
    buf_release(&backup);
}

/* Where every chunk that is there is genuine. */
static void a_file_cut_off_between_chunks_is_refused(void **state)
{
    struct buf backup;

    (void)state;
    make(&backup, 3 * CHUNK);
    for (size_t len = HEAD_BYTES; len < backup.len; len += CHUNK + 17)
        assert_refused(backup.data, len, secret, "cut off");
    buf_release(&backup);
}

static void chunks_out_of_order_are_refused(void **state)
{
    const size_t sealed = CHUNK + 17;
    struct buf backup, other;

    (void)state;
    make(&backup, 3 * CHUNK);
    buf_init(&other, BUF_UNLIMITED);
    buf_add(&other, backup.data, HEAD_BYTES);
    buf_add(&other, backup.data + HEAD_BYTES + sealed, sealed);
    buf_add(&other, backup.data + HEAD_BYTES, sealed);
    buf_add(&other, backup.data + HEAD_BYTES + 2 * sealed, backup.len - HEAD_BYTES - 2 * sealed);
    assert_refused(other.data, other.len, secret, "damaged");
    buf_release(&other);
    buf_release(&backup);
}

static void what_follows_the_end_is_refused(void **state)
{
    struct buf backup;

    (void)state;
    make(&backup, 300);
    buf_addc(&backup, 0);
    assert_refused(backup.data, backup.len, secret, NULL);
    buf_release(&backup);
    make(&backup, CHUNK - 21);
    assert_int_equal(backup.len, HEAD_BYTES + CHUNK + 17);
    buf_addc(&backup, 0);
    assert_refused(backup.data, backup.len, secret, "damaged");
    buf_release(&backup);
}

static void foreign_newer_and_wrongly_keyed_files_are_told_apart(void **state)
{
    uint8_t other_public[SEAL_KEY_LEN], other[SEAL_KEY_LEN];
    struct buf backup;

    (void)state;
    seal_key_pair(other_public, other);
    make(&backup, 300);
    assert_refused(backup.data, backup.len, other, "cannot be opened with this key");
    backup.data[17] = '2';
    assert_refused(backup.data, backup.len, secret, "newer version");
    assert_refused("SQLite format 3", 16, secret, "is not a backup");
    assert_refused("", 0, secret, "is not a backup");
    buf_release(&backup);
}

static int refuse(void *ctx, const void *data, size_t len)
{
    (void)data;
    (void)len;
    return ++*(int *)ctx > 3 ? -1 : 0;
}

static void writing_ends_when_nobody_takes_it(void **state)
{
    static uint8_t content[10 * CHUNK];
    int calls = 0;
    struct backup_writer *w = backup_writer_new(refuse, &calls);

    (void)state;
    assert_int_equal(backup_begin(w, public_key), 0);
    assert_int_equal(backup_member(w, "petition.db", sizeof content), 0);
    assert_int_equal(backup_write(w, content, sizeof content), -1);
    assert_int_equal(backup_finish(w), -1);
    assert_int_equal(calls, 4);
    backup_writer_free(w);
}

static void a_key_that_is_no_point_seals_nothing(void **state)
{
    const uint8_t zeros[SEAL_KEY_LEN] = {0};
    struct buf out;
    struct backup_writer *w = backup_writer_new(gather, &out);

    (void)state;
    buf_init(&out, BUF_UNLIMITED);
    assert_int_equal(backup_begin(w, zeros), -1);
    assert_int_equal(out.len, 0);
    backup_writer_free(w);
    buf_release(&out);
}

/* ---- the manifest */

static void fill_manifest(struct backup_manifest *m)
{
    *m = (struct backup_manifest){.origin = "petition.example/log",
                                  .version = "0.1.0",
                                  .size = 1234567,
                                  .at_s = 1508760000};
    for (int i = 0; i < BACKUP__MEMBERS; i++) {
        m->members[i].present = true;
        m->members[i].bytes = (uint64_t)i * 4096;
        fill(m->members[i].sha256, HASH_LEN, (uint64_t)i);
    }
}

static void a_manifest_is_read_as_it_was_written(void **state)
{
    struct backup_manifest m, read;
    const char *why = NULL;
    struct buf json;

    (void)state;
    fill_manifest(&m);
    m.members[BACKUP_CONFIG].present = false;
    buf_init(&json, BUF_UNLIMITED);
    backup_manifest_json(&json, &m);
    assert_non_null(strstr(json.data, "\"date\":\"2017-10-23T12:00:00Z\""));
    assert_int_equal(backup_manifest_parse(&read, json.data, &why), 0);
    assert_string_equal(read.origin, m.origin);
    assert_string_equal(read.version, m.version);
    assert_int_equal(read.size, m.size);
    assert_int_equal(read.at_s, m.at_s);
    assert_false(read.members[BACKUP_CONFIG].present);
    for (int i = 0; i < BACKUP_CONFIG; i++) {
        assert_int_equal(read.members[i].bytes, m.members[i].bytes);
        assert_memory_equal(read.members[i].sha256, m.members[i].sha256, HASH_LEN);
    }
    buf_release(&json);
}

static void a_manifest_of_another_kind_is_refused(void **state)
{
    static const struct {
        const char *from, *to; /* replaced once; of the same length */
        const char *reason;
    } changes[] = {
        {"\"format\":1", "\"format\":2", "newer version"},
        {"\"format\":1", "\"format\":0", "no manifest"},
        {"\"origin\"", "\"xrigin\"", "no manifest"},
        {"\"size\":1234567", "\"size\":-234567", "no manifest"},
        {"2017-10-23T", "2017-10-23 ", "no manifest"},
        {"\"log.key\"", "\"../.key\"", "no manifest"},
        {"\"minisign.key\"", "\"petition.db\" ", "no manifest"},
        {"\"sha256\":\"", "\"sha256\":\"x", "no manifest"},
        {"\"bytes\":4096", "\"bytes\":\"096", "no manifest"},
        {"}]}", "}] ", "no manifest"},
    };
    struct backup_manifest m, read;
    struct buf json;

    (void)state;
    buf_init(&json, BUF_UNLIMITED);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *why = NULL;
        char *at;

        fill_manifest(&m);
        buf_clear(&json);
        backup_manifest_json(&json, &m);
        at = strstr(json.data, changes[i].from);
        assert_non_null(at);
        memcpy(at, changes[i].to, strlen(changes[i].to));
        assert_int_equal(backup_manifest_parse(&read, json.data, &why), -1);
        assert_non_null(strstr(why, changes[i].reason));
    }
    buf_release(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(the_content_is_that_of_the_member),
        cmocka_unit_test(a_changed_byte_anywhere_is_refused),
        cmocka_unit_test(a_cut_off_file_is_refused),
        cmocka_unit_test(a_file_cut_off_between_chunks_is_refused),
        cmocka_unit_test(chunks_out_of_order_are_refused),
        cmocka_unit_test(what_follows_the_end_is_refused),
        cmocka_unit_test(foreign_newer_and_wrongly_keyed_files_are_told_apart),
        cmocka_unit_test(writing_ends_when_nobody_takes_it),
        cmocka_unit_test(a_key_that_is_no_point_seals_nothing),
        cmocka_unit_test(a_manifest_is_read_as_it_was_written),
        cmocka_unit_test(a_manifest_of_another_kind_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
