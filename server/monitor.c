/*
 * monitor: the answer to GET /metrics (see monitor.h). Runs on the thread of the metrics listener,
 * reads atomics and two short locks, and never the database.
 */
#include "monitor.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WAL_STEP_PAGES 100

static const char content_type[] = "text/plain; version=0.0.4; charset=utf-8";

/* A family of one sample without labels. */
static void add_one(struct buf *out, const char *name, enum metrics_type type, const char *help,
                    uint64_t value)
{
    metrics_family(out, name, type, help);
    metrics_sample(out, name, "", value);
}

/* ---- requests */

static void add_requests(struct buf *out, const struct http_stats *stats)
{
    static const char *const groups[] = {"pages", "sign", "api", "desk", "other"};
    static const char requests[] = "petition_http_requests_total",
                      seconds[] = "petition_http_request_duration_seconds";
    char labels[48];

    metrics_family(out, requests, METRICS_COUNTER, "Answers, by what was asked for and status.");
    for (int g = 0; g < HTTP_GROUP__COUNT; g++) {
        for (int class = 1; class < HTTP_STATUS_CLASSES; class ++) {
            snprintf(labels, sizeof labels, "group=\"%s\",code=\"%dxx\"", groups[g], class + 1);
            metrics_sample(out, requests, labels, atomic_load(&stats->answers[g][class]));
        }
    }
    metrics_family(out, seconds, METRICS_HISTOGRAM,
                   "From a request's headers to its answer being ready.");
    for (int g = 0; g < HTTP_GROUP__COUNT; g++) {
        snprintf(labels, sizeof labels, "group=\"%s\"", groups[g]);
        metrics_histogram(out, seconds, labels, &stats->seconds[g]);
    }
}

/* ---- the writer */

static void add_writer(struct buf *out, struct writer *writer)
{
    static const char jobs[] = "petition_writer_batch_jobs",
                      commit[] = "petition_writer_commit_seconds";
    const struct writer_stats *stats = writer_stats(writer);
    uint64_t pages = (uint64_t)atomic_load(&stats->wal_pages);

    metrics_family(out, jobs, METRICS_HISTOGRAM, "Jobs of each batch, that is transaction.");
    metrics_histogram(out, jobs, "", &stats->batch_jobs);
    metrics_family(out, commit, METRICS_HISTOGRAM, "Time that a commit took, fsync included.");
    metrics_histogram(out, commit, "", &stats->commit_seconds);
    add_one(out, "petition_writer_failed_batches_total", METRICS_COUNTER,
            "Batches that were rolled back.", atomic_load(&stats->failed_batches));
    add_one(out, "petition_writer_queue_length", METRICS_GAUGE, "Jobs not committed yet.",
            (uint64_t)writer_queue_length(writer));
    add_one(out, "petition_wal_pages", METRICS_GAUGE,
            "Pages of the write-ahead log, in whole hundreds.",
            pages / WAL_STEP_PAGES * WAL_STEP_PAGES);
}

/* ---- what the public sees */

static void add_publication(struct buf *out, struct publisher *publisher)
{
    struct publication now;
    int64_t age_s;

    publisher_current(publisher, &now);
    age_s = (int64_t)time(NULL) - now.at_s;
    add_one(out, "petition_publication_age_seconds", METRICS_GAUGE,
            "Time since the last publication.", age_s > 0 ? (uint64_t)age_s : 0);
    add_one(out, "petition_published_log_entries", METRICS_GAUGE, "Size of the log as published.",
            (uint64_t)now.log_size);
    add_one(out, "petition_shown_signatures", METRICS_GAUGE,
            "Signatures as shown: in steps, at the last publication.", now.count);
}

/* ---- the process */

/* -1 if /proc does not say. */
static int64_t resident_pages(void)
{
    struct buf text;
    uint64_t size, resident;
    int64_t pages = -1;

    buf_init(&text, 256);
    if (buf_read_file(&text, "/proc/self/statm") == 0 &&
        sscanf(text.data, "%" SCNu64 " %" SCNu64, &size, &resident) == 2)
        pages = (int64_t)resident;
    buf_release(&text);
    return pages;
}

static int64_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int64_t count = -1; /* the directory itself */

    if (!dir)
        return -1;
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void add_process(struct buf *out)
{
    int64_t pages = resident_pages(), descriptors = open_descriptors();

    if (pages >= 0)
        add_one(out, "process_resident_memory_bytes", METRICS_GAUGE, "Resident memory.",
                (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE));
    if (descriptors >= 0)
        add_one(out, "process_open_fds", METRICS_GAUGE, "Open file descriptors.",
                (uint64_t)descriptors);
    metrics_family(out, "petition_build_info", METRICS_GAUGE, "Always 1; the version is a label.");
    metrics_sample(out, "petition_build_info", "version=\"" PETITION_VERSION "\"", 1);
}

void monitor_metrics(struct http_request *rq, void *ctx)
{
    const struct monitor *m = ctx;
    struct buf body;

    buf_init(&body, BUF_UNLIMITED);
    add_requests(&body, http_stats(m->http));
    add_writer(&body, m->writer);
    add_publication(&body, m->publisher);
    add_process(&body);
    http_reply(rq, 200, content_type, &body);
}
