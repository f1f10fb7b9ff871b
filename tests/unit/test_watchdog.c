/*
 * test_watchdog: a ping stands for a commit. A writer that hangs is not vouched for, one that goes
 * on is again; a full disk is no hanging.
 *
 * The test is the manager: it reads the pings from a datagram socket of its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support.h"
#include "watchdog.h"

#include <poll.h>
#include <semaphore.h>

#define PERIOD_MS 30 /* of the pings */
#define SOON_MS   5000

static char folder[FOLDER_BYTES];
static struct writer *writer;
static struct notify notify;
static int manager;

static int open_all(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[64];

    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/petition.db", folder);
    writer = writer_open(new_database(path), 8, NULL);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", folder);
    manager = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(manager, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    setenv("WATCHDOG_USEC", "90000", 1); /* three periods */
    notify_init(&notify);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    writer_close(writer);
    notify_release(&notify);
    close(manager);
    remove_folder(folder);
    return 0;
}

/* True if a ping comes within the time; takes it. */
static bool pinged(int within_ms)
{
    struct pollfd wait = {manager, POLLIN, 0};
    char message[64];
    ssize_t len;

    if (poll(&wait, 1, within_ms) != 1)
        return false;
    len = recv(manager, message, sizeof message, 0);
    assert_int_equal(len, strlen("WATCHDOG=1"));
    assert_memory_equal(message, "WATCHDOG=1", (size_t)len);
    return true;
}

static void take_pings_that_have_come(void)
{
    while (pinged(0))
        ;
}

static uint64_t commits(void)
{
    const struct histogram *h = &writer_stats(writer)->commit_seconds;
    uint64_t count = 0;

    for (size_t i = 0; i <= h->bound_count; i++)
        count += atomic_load(&h->buckets[i]);
    return count;
}

/* ---- a job that holds the writer */

struct gate {
    struct job job;
    sem_t reached, open, finished;
    int outcome;
};

static int apply_gate(struct job *job, struct db *db)
{
    struct gate *g = (struct gate *)job;

    (void)db;
    sem_post(&g->reached);
    sem_wait(&g->open);
    return g->outcome;
}

static void gate_done(struct job *job)
{
    sem_post(&((struct gate *)job)->finished);
}

static void hold(struct gate *g, int outcome)
{
    *g = (struct gate){.job = {.apply = apply_gate, .done = gate_done}, .outcome = outcome};
    sem_init(&g->reached, 0, 0);
    sem_init(&g->open, 0, 0);
    sem_init(&g->finished, 0, 0);
    assert_true(writer_reserve(writer));
    writer_submit(writer, &g->job);
    sem_wait(&g->reached);
}

static void let_go(struct gate *g)
{
    sem_post(&g->open);
    sem_wait(&g->finished);
}

/* ---- claims */

static void every_ping_stands_for_a_commit(void **state)
{
    struct watchdog *w = watchdog_open(&notify, writer);
    uint64_t before = commits();

    (void)state;
    assert_non_null(w);
    for (uint64_t n = 1; n <= 5; n++) {
        assert_true(pinged(SOON_MS));
        assert_true(commits() >= before + n - 1);
    }
    watchdog_close(w);
}

static void a_writer_that_hangs_is_not_vouched_for_until_it_goes_on(void **state)
{
    struct watchdog *w = watchdog_open(&notify, writer);
    struct gate gate;

    (void)state;
    assert_true(pinged(SOON_MS));
    hold(&gate, DB_OK);
    usleep(10 * 1000 * PERIOD_MS);
    take_pings_that_have_come(); /* of the commit before */
    assert_false(pinged(10 * PERIOD_MS));
    let_go(&gate);
    assert_true(pinged(SOON_MS));
    watchdog_close(w);
}

/* Fails every batch it is in, and says why. */
static struct {
    atomic_int outcome;
} hooked;

static int on_begin(void *ctx)
{
    (void)ctx;
    return atomic_load(&hooked.outcome);
}

static void pings_go_on_when_the_disk_is_full_but_not_when_it_is_broken(void **state)
{
    const struct writer_hooks hooks = {.attempt_begin = on_begin};
    char path[64];
    struct writer *failing;
    struct watchdog *w;

    (void)state;
    snprintf(path, sizeof path, "%s/other.db", folder);
    atomic_store(&hooked.outcome, DB_OK);
    failing = writer_open(new_database(path), 8, &hooks);
    w = watchdog_open(&notify, failing);
    assert_true(pinged(SOON_MS));
    atomic_store(&hooked.outcome, DB_FULL);
    usleep(10 * 1000 * PERIOD_MS);
    take_pings_that_have_come();
    assert_true(pinged(SOON_MS));
    atomic_store(&hooked.outcome, DB_BROKEN);
    usleep(10 * 1000 * PERIOD_MS);
    take_pings_that_have_come();
    assert_false(pinged(10 * PERIOD_MS));
    atomic_store(&hooked.outcome, DB_OK);
    assert_true(pinged(SOON_MS));
    watchdog_close(w);
    writer_close(failing);
}

static void closing_does_not_wait_for_the_next_ping(void **state)
{
    struct watchdog *w;
    double before_s;

    (void)state;
    notify.watchdog_us = 3600 * INT64_C(1000000);
    w = watchdog_open(&notify, writer);
    assert_true(pinged(SOON_MS));
    before_s = metrics_now_s();
    watchdog_close(w);
    assert_true(metrics_now_s() - before_s < 60);
}

static void without_being_asked_there_is_none(void **state)
{
    (void)state;
    notify.watchdog_us = 0;
    assert_null(watchdog_open(&notify, writer));
    watchdog_close(NULL);
    assert_int_equal(commits(), 0);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(every_ping_stands_for_a_commit),
        CLAIM(a_writer_that_hangs_is_not_vouched_for_until_it_goes_on),
        CLAIM(pings_go_on_when_the_disk_is_full_but_not_when_it_is_broken),
        CLAIM(closing_does_not_wait_for_the_next_ping),
        CLAIM(without_being_asked_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
