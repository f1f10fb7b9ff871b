/*
 * monitor: GET /metrics, for the listener of `metrics_listen` alone.
 *
 * What it may say: how the process is, and the public's figures. These are those of the last
 * publication, stepped as they are shown; nothing tells whether a submission was somebody's first
 * (DESIGN rules 2 to 4), and nothing is about a visitor, a country or a language. The WAL is told
 * in hundreds of pages: to the page, it would tell a new row from a changed one.
 *
 * Requests and transactions are counted exactly and at once. So it does tell when a form was
 * accepted, which the public's batches and steps hide: the listener is for the operator alone.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "http.h"
#include "publisher.h"

struct monitor {
    const struct http_server *http; /* the visitors' */
    struct writer *writer;
    struct publisher *publisher;
};

http_handler monitor_metrics; /* ctx: struct monitor */

#endif
