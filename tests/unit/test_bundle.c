/* Bundles made from a real database and checked as addressees would; stops, crashes, full disks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>

#include "bundle_fixture.h"

static void the_same_spool_gives_the_same_bytes(void **state)
{
    struct bundle_row first, again;
    struct buf name;

    (void)state;
    sign_some();
    assert_int_equal(spool(), 0);
    buf_init(&name, 200);
    for (int position = 0; position < ADDRESSEE_COUNT; position++) {
        assert_int_equal(build(position, &first), 0);
        assert_int_equal(first.addressee, position + 1);
        assert_int_equal(build(position, &again), 0);
        assert_memory_equal(first.sha256, again.sha256, HASH_LEN);
        assert_int_equal(first.bytes, again.bytes);
    }
    bundle_file_name(&name, content, CHINA);
    assert_string_equal(name.data, "08-china.zip");
    buf_release(&name);
}

static void a_new_spool_of_the_same_state_gives_the_same_bytes(void **state)
{
    struct bundle_row first, again;

    (void)state;
    sign_some();
    assert_int_equal(spool(), 0);
    assert_int_equal(build(CHINA, &first), 0);
    assert_int_equal(shell("rm %s/08-china.zip", f.dir), 0);
    bundle_clean(&f.b, true);
    assert_int_equal(files_in(f.dir), 0);
    assert_int_equal(spool(), 0);
    assert_int_equal(build(CHINA, &again), 0);
    assert_memory_equal(first.sha256, again.sha256, HASH_LEN);
}

static void the_row_describes_the_file(void **state)
{
    struct bundle_row row;
    uint8_t hash[HASH_LEN];
    struct buf zip;

    (void)state;
    sign_some();
    assert_int_equal(spool(), 0);
    assert_int_equal(build(CHINA, &row), 0);
    read_at(&zip, f.dir, "08-china.zip");
    crypto_hash_sha256(hash, (const uint8_t *)zip.data, zip.len);
    assert_memory_equal(row.sha256, hash, HASH_LEN);
    assert_int_equal(row.bytes, zip.len);
    buf_release(&zip);
}

static void the_tools_of_the_addressees_accept_a_bundle(void **state)
{
    char dir[80], key[MINISIGN_PUBLIC_TEXT];

    (void)state;
    sign_some();
    minisign_public(minisign, key);
    assert_int_equal(spool(), 0);
    for (int position = 0; position < ADDRESSEE_COUNT; position += 6) {
        struct bundle_row row;

        assert_int_equal(build(position, &row), 0);
        unpack(dir, position);
        assert_int_equal(shell("unzip -tq %s/%02d-*.zip >/dev/null", f.dir, position + 1), 0);
        assert_int_equal(shell("cd %s && sha256sum --strict --quiet -c SHA256SUMS", dir), 0);
        assert_int_equal(shell("cd %s && minisign -QVm SHA256SUMS -P %s | grep -qx"
                               " 'petition delivery 1 addressee %02d date 2017-10-23 file "
                               "SHA256SUMS'",
                               dir, key, position + 1),
                         0);
        /* Every file but the sums themselves is listed, in the order of the archive. */
        assert_int_equal(shell("cd %s && unzip -Z1 %s/%02d-*.zip | grep -v ^SHA256SUMS >files &&"
                               " cut -c67- SHA256SUMS | cmp - files",
                               dir, f.dir, position + 1),
                         0);
        assert_int_equal(shell("cd %s && python3 -m json.tool manifest.json >/dev/null &&"
                               " python3 -m json.tool summary.json >/dev/null",
                               dir),
                         0);
        assert_int_equal(shell("cd %s && echo x >>README.txt &&"
                               " sha256sum --status -c SHA256SUMS",
                               dir),
                         1);
    }
}

static void every_file_has_the_time_of_freezing_and_a_plain_mode(void **state)
{
    (void)state;
    sign_some();
    spool_and_build(CHINA);
    assert_int_equal(shell("unzip -ZTs %s/08-china.zip | grep -c '^-rw-r--r--.* 20171023.120002 '"
                           " >%s/a; unzip -Z1 %s/08-china.zip | wc -l | cmp - %s/a",
                           f.dir, f.dir, f.dir, f.dir),
                     0);
}

static void all_bundles_carry_the_same_exact_figures(void **state)
{
    (void)state;
    sign_some();
    assert_int_equal(spool(), 0);
    assert_string_equal(f.row.figures.data,
                        "{\"delivery\":1,\"date\":\"2017-10-23\",\"log_size\":5,\"signatures\":3,"
                        "\"confirmed\":0,\"countries\":1,\"submissions\":3,\"repeats\":0,"
                        "\"withdrawn\":1,\"removed\":{\"request\":0,\"duplicate\":0,\"fraud\":0,"
                        "\"test\":0,\"lost\":0},\"by_tier\":[{\"tier\":\"unconfirmed\",\"n\":3}],"
                        "\"by_country\":[{\"country\":\"KH\",\"n\":3}],"
                        "\"by_day\":[{\"day\":\"2017-10-23\",\"n\":3}]}\n");
    for (int position = 0; position < 2; position++) {
        struct bundle_row row;
        struct buf summary;
        char dir[80];

        assert_int_equal(build(position, &row), 0);
        unpack(dir, position);
        read_at(&summary, dir, "summary.json");
        assert_string_equal(summary.data, f.row.figures.data);
        buf_release(&summary);
    }
}

static void a_stop_leaves_nothing(void **state)
{
    struct bundle_row row;

    (void)state;
    sign_many(12000);
    for (f.stop_at = 1; f.stop_at <= 4; f.stop_at++) {
        f.calls = 0;
        assert_int_equal(spool(), -1);
        assert_string_equal(f.why.data, "stopped");
        assert_int_equal(files_in(f.dir), 0);
    }
    f.stop_at = 0;
    assert_int_equal(spool(), 0);
    for (f.stop_at = 1; f.stop_at <= 10; f.stop_at += 3) {
        f.calls = 0;
        assert_int_equal(build(CHINA, &row), -1);
        assert_string_equal(f.why.data, "stopped");
        assert_int_equal(files_in(f.dir), 3); /* the spool */
    }
    f.stop_at = 0;
    assert_int_equal(build(CHINA, &row), 0);
}

static void a_spool_of_another_freeze_is_refused(void **state)
{
    struct bundle_row row;

    (void)state;
    sign_some();
    assert_int_equal(spool(), 0);
    f.row.frozen_s++;
    assert_int_equal(build(CHINA, &row), -1);
    assert_string_equal(f.why.data, "spool.json: is not of this delivery");
    bundle_clean(&f.b, true);
    assert_int_equal(build(CHINA, &row), -1);
    assert_string_equal(f.why.data, "spool.json: No such file or directory");
}

static void what_a_crash_leaves_is_cleaned(void **state)
{
    (void)state;
    sign_some();
    spool_and_build(CHINA);
    assert_int_equal(shell("cd %s && touch 08-china.zip.tmp 09-india.zip.tmp.x9_YzW"
                           " spool-names.zip.tmp.abcdef spool.json.tmp",
                           f.dir),
                     0);
    bundle_clean(&f.b, false);
    assert_int_equal(files_in(f.dir), 4);
    bundle_clean(&f.b, true);
    assert_int_equal(files_in(f.dir), 1);
}

/* In a child whose files may not grow beyond `limit`: 0 if the step says the disk is full. */
static int with_full_disk(rlim_t limit, int (*step)(void))
{
    const struct rlimit small = {limit, limit};
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &small) != 0 || step() != -1)
            _exit(1);
        _exit(strstr(f.why.data, ": no space left on the device") ? 0 : 2);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void too_little_space_is_seen_before_anything_is_written(void **state)
{
    (void)state;
    sign_many(3);
    f.b.spare_bytes = INT64_MAX / 2;
    assert_int_equal(spool(), -1);
    assert_non_null(strstr(f.why.data, "not enough space on the device: the bundles take 1 MB"));
    assert_null(strchr(f.why.data, '\n'));
    assert_int_equal(files_in(f.dir), 0);
    f.b.spare_bytes = 0;
    assert_int_equal(spool(), 0);
    assert_int_equal(bundle_has_space(&f.b, &f.why), 0);
    f.b.spare_bytes = INT64_MAX / 2;
    assert_int_equal(bundle_has_space(&f.b, &f.why), -1);
    assert_non_null(strstr(f.why.data, "not enough space on the device: the bundles take 20 MB"));
}

static int build_china(void)
{
    struct bundle_row row;

    return build(CHINA, &row);
}

static void a_full_disk_is_named_and_leaves_no_half_bundle(void **state)
{
    (void)state;
    sign_many(20000);
    assert_int_equal(with_full_disk(20000, spool), 0);
    assert_int_equal(files_in(f.dir), 0);
    assert_int_equal(with_full_disk(10, spool), 0);
    assert_int_equal(files_in(f.dir), 0);
    assert_int_equal(spool(), 0);
    assert_int_equal(with_full_disk(300000, build_china), 0);
    assert_int_equal(with_full_disk(1, build_china), 0);
    assert_int_equal(files_in(f.dir), 3);
    assert_int_equal(build_china(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(the_same_spool_gives_the_same_bytes),
        CLAIM(a_new_spool_of_the_same_state_gives_the_same_bytes),
        CLAIM(the_row_describes_the_file),
        CLAIM(the_tools_of_the_addressees_accept_a_bundle),
        CLAIM(every_file_has_the_time_of_freezing_and_a_plain_mode),
        CLAIM(all_bundles_carry_the_same_exact_figures),
        CLAIM(a_stop_leaves_nothing),
        CLAIM(a_spool_of_another_freeze_is_refused),
        CLAIM(what_a_crash_leaves_is_cleaned),
        CLAIM(too_little_space_is_seen_before_anything_is_written),
        CLAIM(a_full_disk_is_named_and_leaves_no_half_bundle),
    };

    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, open_group, close_group);
}
