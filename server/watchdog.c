/*
 * watchdog: the thread that pings (see watchdog.h).
 *
 * It pings three times in the manager's patience, so that one slow commit or lost message is not
 * the end. It waits for the writer without a limit of its own: measuring is the manager's.
 */
#include "watchdog.h"

#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define PINGS_IN_PATIENCE 3
#define PERIOD_MIN_US     10000

struct watchdog {
    const struct notify *notify;
    struct writer *writer;
    int64_t period_us;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool closing; /* under lock */
};

/* True if the writer has just committed, or has found the disk full. */
static bool writer_is_alive(struct watchdog *w)
{
    struct job job = {.apply = writer_probe};

    return writer_run(w->writer, &job) == JOB_COMMITTED ||
           atomic_load(&writer_stats(w->writer)->disk_full);
}

/* Waits for the next ping. False when closing. */
static bool wait_period(struct watchdog *w)
{
    struct timespec until;
    bool going_on;
    int waited = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(w->period_us / 1000000);
    until.tv_nsec += (long)(w->period_us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&w->lock);
    while (!w->closing && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&w->wake, &w->lock, &until);
    going_on = !w->closing;
    pthread_mutex_unlock(&w->lock);
    return going_on;
}

static void *run(void *arg)
{
    struct watchdog *w = arg;

    do {
        if (writer_is_alive(w))
            notify_send(w->notify, "WATCHDOG=1");
        else
            log_warn("the writer could not commit: the watchdog was not told that all is well");
    } while (wait_period(w));
    return NULL;
}

struct watchdog *watchdog_open(const struct notify *notify, struct writer *writer)
{
    struct watchdog *w;
    pthread_condattr_t monotonic;

    if (notify->watchdog_us == 0)
        return NULL;
    w = xcalloc(1, sizeof *w);
    w->notify = notify;
    w->writer = writer;
    w->period_us = notify->watchdog_us / PINGS_IN_PATIENCE;
    if (w->period_us < PERIOD_MIN_US)
        w->period_us = PERIOD_MIN_US;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        log_fatal(1, "cannot start the watchdog's thread");
    return w;
}

void watchdog_close(struct watchdog *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
