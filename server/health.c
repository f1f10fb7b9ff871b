/*
 * health: the two probes (see health.h).
 *
 * Readiness goes the way of a signature and writes to the disk as one does: if the queue is full,
 * or the writer hangs or cannot write, the probe fails too.
 */
#include "health.h"

static const char text_type[] = "text/plain; charset=utf-8";

struct probe {
    struct job job;
    struct http_request *request;
};

static void reply_ok(struct http_request *rq)
{
    struct buf body;

    buf_init(&body, BUF_UNLIMITED);
    buf_adds(&body, "ok\n");
    http_reply(rq, 200, text_type, &body);
}

void health_alive(struct http_request *rq, void *ctx)
{
    (void)ctx;
    reply_ok(rq);
}

static void done(struct job *job)
{
    struct probe *probe = (struct probe *)job;

    http_wake(probe->request);
}

static void on_written(struct http_request *rq, void *ctx)
{
    struct probe *probe = ctx;

    if (probe->job.result == JOB_COMMITTED)
        reply_ok(rq);
    else
        http_fail(rq, 503);
}

void health_ready(struct http_request *rq, void *ctx)
{
    struct writer *writer = ctx;
    struct probe *probe;

    if (!writer_reserve(writer)) {
        http_fail(rq, 503);
        return;
    }
    probe = xcalloc(1, sizeof *probe);
    *probe = (struct probe){.job = {.apply = writer_probe, .done = done}, .request = rq};
    http_attach(rq, probe, free);
    http_park(rq, on_written, probe);
    writer_submit(writer, &probe->job);
}
