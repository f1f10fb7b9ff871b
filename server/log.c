/*
 * log: lines on standard error (see log.h). Any thread may call it.
 *
 * The rate is bounded, so that a fault that repeats with every request does not bury what else
 * there is to say. Whoever reads standard error must read on: a full pipe blocks the writer of the
 * line.
 */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;
    const char *priority; /* sd-daemon(3) */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", "<3>"},
    [LOG_LEVEL_WARN] = {"warn", "<4>"},
    [LOG_LEVEL_INFO] = {"info", "<6>"},
    [LOG_LEVEL_DEBUG] = {"debug", "<7>"},
};

static enum log_level max_level = LOG_LEVEL_INFO;
static bool to_journal;

static pthread_mutex_t rate_lock = PTHREAD_MUTEX_INITIALIZER;
static time_t rate_second; /* under rate_lock, as are the next two */
static unsigned rate_lines;
static unsigned rate_dropped;

void log_init(enum log_level level)
{
    max_level = level;
    to_journal = getenv("JOURNAL_STREAM") != NULL;
}

static void write_line(enum log_level level, const char *message)
{
    char line[1200];
    int len;

    if (to_journal)
        len = snprintf(line, sizeof line, "%s%s\n", levels[level].priority, message);
    else
        len = snprintf(line, sizeof line, "%s %s\n", levels[level].name, message);
    if (len > 0 && write(STDERR_FILENO, line, (size_t)len) < 0)
        return; /* nowhere left to say so */
}

/* Counts a line against this second; false if it is one too many. *lost gets the number dropped in
 * an earlier second, once. */
static bool within_rate(unsigned *lost)
{
    struct timespec now;
    bool ok;

    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&rate_lock);
    *lost = 0;
    if (now.tv_sec != rate_second) {
        *lost = rate_dropped;
        rate_second = now.tv_sec;
        rate_lines = rate_dropped = 0;
    }
    ok = rate_lines < LOG_LINES_PER_S;
    if (ok)
        rate_lines++;
    else
        rate_dropped++;
    pthread_mutex_unlock(&rate_lock);
    return ok;
}

__attribute__((format(printf, 2, 0))) static void vlog(enum log_level level, const char *format,
                                                       va_list args)
{
    char message[1100];
    unsigned lost;
    bool write_it;

    if (level > max_level)
        return;
    write_it = within_rate(&lost);
    if (lost > 0) {
        snprintf(message, sizeof message, "%u log lines dropped (more than %d a second)", lost,
                 LOG_LINES_PER_S);
        write_line(LOG_LEVEL_WARN, message);
    }
    if (!write_it)
        return;
    vsnprintf(message, sizeof message, format, args);
    write_line(level, message);
}

#define DEFINE_LOG(name, level)                                                                    \
    void name(const char *format, ...)                                                             \
    {                                                                                              \
        va_list args;                                                                              \
                                                                                                   \
        va_start(args, format);                                                                    \
        vlog(level, format, args);                                                                 \
        va_end(args);                                                                              \
    }

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warn, LOG_LEVEL_WARN)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)

void log_fatal(int status, const char *format, ...)
{
    va_list args;

    flockfile(stderr);
    fputs("petition: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    funlockfile(stderr);
    exit(status);
}
