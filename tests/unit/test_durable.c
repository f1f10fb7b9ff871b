/*
 * test_durable: what the writer answered is on the disk when the process dies, and a full disk
 * costs the batch that did not fit, nothing else.
 *
 * Each claim runs in a process of its own, which tells by its exit status, or over a pipe, what it
 * saw. kill -9 cannot show a missing fsync: what was written lives on in the kernel. The control
 * for that is a power cut, or `strace -e fdatasync` counting one for each batch.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "database_fixture.h"
#include "db_internal.h"
#include "writer.h"

#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define SENDERS     4
#define ROUNDS      4
#define FULL_ROOM   65536 /* bytes the WAL may still grow */
#define FITS_MEMORY 200
#define SPILLS_EARLY                                                                               \
    15000 /* more pages than the cache has, so they are written before the commit */
#define SEALED_LEN 1460

/* ---- kill -9 */

/* What a child says of a job that is done. */
struct answer {
    int64_t index;
    uint64_t number;
};

struct answered {
    struct job job;
    struct answer answer;
};

static struct writer *writer;
static int answers; /* where the child writes them */

static int apply_entry(struct job *job, struct db *to)
{
    struct answered *a = (struct answered *)job;

    a->answer.index = append_entry(to, a->answer.number);
    return a->answer.index < 0 ? (int)a->answer.index : DB_OK;
}

static void answer(struct job *job)
{
    struct answered *a = (struct answered *)job;

    if (job->result == JOB_COMMITTED && write(answers, &a->answer, sizeof a->answer) < 0)
        _exit(1);
}

static void *send_for_ever(void *arg)
{
    const uint64_t *first = arg;
    struct answered a = {.job = {.apply = apply_entry, .done = answer}};

    for (a.answer.number = *first;; a.answer.number++)
        if (writer_run(writer, &a.job) != JOB_COMMITTED)
            _exit(1);
}

/* In the child: until it is killed. */
static _Noreturn void sign_until_killed(int out, uint64_t round)
{
    uint64_t first[SENDERS];
    pthread_t threads[SENDERS];

    answers = out;
    writer = writer_open(open_database(path, DB_WRITER), 64, NULL);
    for (uint64_t i = 0; i < SENDERS; i++) {
        first[i] = (round * SENDERS + i) << 32;
        if (pthread_create(&threads[i], NULL, send_for_ever, &first[i]) != 0)
            _exit(1);
    }
    for (;;)
        pause();
}

static void assert_stored(const struct answer *a)
{
    struct buf expected, body;

    make_entry(&expected, a->number);
    buf_init(&body, BUF_UNLIMITED);
    assert_int_equal(db_log_entry(db, a->index, &body), DB_OK);
    assert_string_equal(body.data, expected.data);
    buf_release(&expected);
    buf_release(&body);
}

/* Reads answers, kills the child after some of them, and reads those that it still gave. */
static size_t kill_after(size_t some, pid_t child, int in, struct answer *out, size_t room)
{
    size_t count = 0;
    int status;

    while (count < room && read(in, &out[count], sizeof *out) == sizeof *out)
        if (++count == some)
            kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return count;
}

static void what_was_answered_is_there_after_kill_9(void **state)
{
    static struct answer given[20000];
    uint64_t random = 1;

    (void)state;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        size_t some = 1 + below(&random, 300), count;
        int ends[2];
        pid_t child;

        db_close(db);
        db = NULL;
        assert_int_equal(pipe(ends), 0);
        child = fork();
        if (child == 0) {
            close(ends[0]);
            sign_until_killed(ends[1], round);
        }
        close(ends[1]);
        count = kill_after(some, child, ends[0], given, sizeof given / sizeof *given);
        close(ends[0]);
        assert_true(count >= some);
        db = open_database(path, DB_WRITER);
        for (size_t i = 0; i < count; i++)
            assert_stored(&given[i]);
        assert_int_equal(query("SELECT max(idx) + 1 - count(*) FROM log_entry"), 0);
        close_raw();
    }
}

/* ---- a full disk */

struct row {
    struct job job;
    uint64_t number;
};

static atomic_int finished, failed;

static int apply_row(struct job *job, struct db *to)
{
    const struct row *row = (const struct row *)job;
    uint8_t tag[TAG_LEN], sealed[SEALED_LEN];
    const struct submission s = {.tag = tag,
                                 .tier = TIER_UNCONFIRMED,
                                 .country = "KH",
                                 .day = DAY,
                                 .sealed = sealed,
                                 .sealed_len = SEALED_LEN};
    int64_t index;

    fill(tag, sizeof tag, row->number);
    fill(sealed, sizeof sealed, row->number + 1);
    index = add_submission(to, &s);
    return index < 0 ? (int)index : DB_OK;
}

static void row_done(struct job *job)
{
    failed += job->result == JOB_FAILED;
    finished++;
}

static atomic_bool waits, all_submitted;

/* Waits in apply, so that the rows behind it become one batch. */
static int apply_wait(struct job *job, struct db *to)
{
    (void)job;
    (void)to;
    waits = true;
    while (!all_submitted)
        usleep(1000);
    return DB_OK;
}

static void submit(struct row *row, int (*apply)(struct job *, struct db *))
{
    row->job = (struct job){.apply = apply, .done = row_done};
    if (!writer_reserve(writer))
        _exit(10);
    writer_submit(writer, &row->job);
}

static void run_rows(struct row *rows, int count)
{
    struct row wait = {.number = 0};

    finished = failed = 0;
    waits = all_submitted = false;
    submit(&wait, apply_wait);
    while (!waits)
        usleep(1000);
    for (int i = 0; i < count; i++) {
        rows[i].number = (uint64_t)i + 100;
        submit(&rows[i], apply_row);
    }
    all_submitted = true;
    while (finished < count + 1)
        usleep(1000);
}

static void limit_files_to(rlim_t bytes)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
        _exit(12);
    limit.rlim_cur = bytes;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        _exit(13);
}

/* In the child. Each step that goes wrong has its status. */
static int fill_the_disk(int count)
{
    struct row *rows = xcalloc((size_t)count, sizeof *rows), one = {.job = {.apply = apply_row}};
    struct stat st;

    signal(SIGXFSZ, SIG_IGN);
    writer = writer_open(open_database(path, DB_WRITER), SPILLS_EARLY + 1, NULL);
    one.number = 1;
    if (writer_run(writer, &one.job) != JOB_COMMITTED || stat(wal, &st) != 0)
        return 1;
    limit_files_to((rlim_t)st.st_size + FULL_ROOM);
    run_rows(rows, count);
    if (failed != count)
        return 2;
    if (writer_log_size(writer) != 2)
        return 3;
    one.number = 2; /* small enough for the room that is left */
    if (writer_run(writer, &one.job) != JOB_COMMITTED)
        return 4;
    limit_files_to(RLIM_INFINITY);
    run_rows(rows, FITS_MEMORY);
    if (failed != 0 || writer_log_size(writer) != 3 + FITS_MEMORY)
        return 5;
    writer_close(writer);
    free(rows);
    return 0;
}

static void assert_survives_a_full_disk(int count)
{
    struct totals t;
    int status;
    pid_t child;

    db_close(db);
    db = NULL;
    child = fork();
    if (child == 0)
        _exit(fill_the_disk(count));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    db = open_database(path, DB_WRITER);
    assert_int_equal(db_log_size(db), 3 + FITS_MEMORY);
    assert_int_equal(live_of(db), 2 + FITS_MEMORY);
    assert_int_equal(query("SELECT count(*) FROM submission"), 2 + FITS_MEMORY);
    assert_int_equal(db_totals(db, &t), DB_OK);
    assert_int_equal(t.signatures, 2 + FITS_MEMORY);
    assert_int_equal(db_signers(db)->kept, 2 + FITS_MEMORY);
    assert_int_equal(query("SELECT sum(n) FROM tally"), 2 + FITS_MEMORY);
    assert_int_equal(query("SELECT count(*) FROM pragma_integrity_check"
                           " WHERE integrity_check <> 'ok'"),
                     0);
}

static void a_commit_on_a_full_disk_fails_and_the_next_that_fits_succeeds(void **state)
{
    (void)state;
    assert_survives_a_full_disk(FITS_MEMORY);
}

static void a_disk_that_is_full_before_the_commit_fails_the_same_way(void **state)
{
    (void)state;
    assert_survives_a_full_disk(SPILLS_EARLY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(what_was_answered_is_there_after_kill_9),
        CLAIM(a_commit_on_a_full_disk_fails_and_the_next_that_fits_succeeds),
        CLAIM(a_disk_that_is_full_before_the_commit_fails_the_same_way),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
