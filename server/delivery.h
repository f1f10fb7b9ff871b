/*
 * delivery: the thread that makes deliveries, one after the other.
 *
 * queued -> (freeze: a writer job between two batches opens the reader's snapshot; that size of the
 * log is published at once; the annexes are spooled and fsynced; only then the delivery has its
 * size) -> running -> the 19 ZIPs are built from the spool -> the log has the `dlv` entry, which is
 * published at once -> log.zip -> done; or failed before the entry, with a reason. Killed before it
 * has its size, it freezes anew at the next start; killed after, it is built from the spool; killed
 * behind the entry, only what follows it is done. A log.zip that could not be made is tried again.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "bundle.h"
#include "publisher.h"

struct delivery;

struct delivery_config {
    struct writer *writer;
    struct publisher *publisher; /* NULL: a command without a server; nothing is shown */
    struct head *head;           /* what signs the log */
    const char *database;        /* path, for the reader */
    const char *dir;             /* DIR/deliveries */
    uint32_t count_step;
    struct bundle_context bundle; /* content, minisign, names, origin; the rest is filled in */
    /* Called when what everybody may know of deliveries has changed: an entry is published, a
     * hand-over committed. Any thread. NULL: nobody is told. */
    void (*changed)(void *ctx);
    void *changed_ctx;
};

/* Starts the thread, which resumes what is unfinished. */
struct delivery *delivery_open(const struct delivery_config *config);
/* Stops in the middle if need be: the next start resumes. */
void delivery_close(struct delivery *d);
/* Tells the thread that a delivery has been queued (db_delivery_add, committed). */
void delivery_wake(struct delivery *d);

/* How far the delivery is, from 0 to 1; 0 if it is not the one in work or the last one. Any thread.
 */
double delivery_progress(struct delivery *d, int64_t id);

/* Tells whoever the configuration names that what is public of deliveries has changed. */
void delivery_changed(const struct delivery_config *config);

/* May the addressee (1..19) see names, by the addressees of today? What a bundle was made with, it
 * says itself (bundle_is_nameless). */
bool delivery_has_names(const struct content *content, int addressee);
/* Deletes the files of a completed delivery but for log.zip and the bundles that say they are
 * without names. Again does no harm. 0, or -1 if some are left, which is logged. */
int delivery_forget_names(const struct delivery_config *config, int64_t id);

/* DIR/deliveries/N/log.zip: the public log as first published with the delivery's entry */
void delivery_mirror_path(struct buf *out, const struct delivery_config *config, int64_t id);
/* DIR/deliveries/N/NN-slug.zip, by the number: the slug is the one of the day it was made. False,
 * and nothing appended, if it is not there. */
bool delivery_find_bundle(struct buf *out, const struct delivery_config *config, int64_t id,
                          int addressee);

#endif
