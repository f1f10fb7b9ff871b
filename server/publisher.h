/*
 * publisher: once per publication, the figures and pages that everybody sees.
 *
 * A publication is due by the rule of figures.h, at start, and when the UTC day changes. Its
 * figures are collected in a writer job, after all others of its batch, so they describe exactly
 * one size of the log; then the publisher's thread has the checkpoint of that size signed (head.h)
 * and renders everything from them, through the callback, in one step. Between publications nothing
 * shown changes, and no page view touches the database.
 */
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include "head.h"

struct publisher;

struct publisher_config {
    struct writer *writer;
    struct head *head; /* what signs the log; NULL: nothing does */
    struct publish_rule rule;
    uint32_t count_step;
    /* Renders and puts in place. Publisher's thread (the first time: the caller of open). */
    void (*render)(void *ctx, const struct publication *p);
    void *ctx;
    int64_t (*now_s)(clockid_t clock); /* NULL: the system's clocks; a test passes its own */
};

/* Publishes once, then starts the thread. NULL if the database fails. */
struct publisher *publisher_open(const struct publisher_config *config);
void publisher_close(struct publisher *p);

/* Collects a publication inside a transaction, after every other change of its batch: moves the
 * shown counts, folds the tables. For jobs that need figures of exactly their size. */
int publication_collect(struct publication *p, struct db *db, uint32_t count_step) DB_CHECKED;
/* Hands a collected publication over: the thread renders it at once. Takes its tables. Any thread;
 * does not block. */
void publisher_show(struct publisher *p, struct publication *publication);

/* The shown figures without the tables: a copy. Any thread. */
void publisher_current(struct publisher *p, struct publication *out);

#endif
