/*
 * service: what `serve` and the commands both need of a data directory, opened and checked.
 *
 * Opening takes the directory's lock, checks keys against entry 0 and the log against what has been
 * published of it, and starts the writer; what is still there of a closed petition's pepper it
 * destroys. For serving it also appends a `text` entry if the texts have changed, and gets signing
 * ready. It fails closed: whatever is missing or does not belong here is named in one line. A
 * struct service is the composition, not a world: modules get the parts they need, never the whole.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "batch.h"
#include "config.h"
#include "delivery.h"
#include "sign.h"

struct service {
    const struct config *config;
    int lock_fd;
    char *database;   /* DIR/petition.db */
    char *deliveries; /* DIR/deliveries */
    struct content *content;
    struct minisign *minisign;
    struct head *head; /* the published log */
    struct identity *identity;
    struct runkey *runkey;
    struct ephemeral *ephemeral;
    struct thanks thanks;         /* its lookup is set by whoever serves */
    struct opening_entry opening; /* entry 0 */
    char minisign_key[MINISIGN_PUBLIC_TEXT];
    struct view view;
    struct submitter *submitter;
    struct signing *signing;
    struct hours hours;
    struct writer *writer;
    struct batches *batches; /* NULL for a command that needs no pepper */
    struct delivery_config delivery_config;
    struct delivery *delivery; /* once started */
};

/* Serving needs the pepper, as long as the petition is open, and brings the log's texts up to date;
 * a command does neither, unless it makes submissions: then it opens the service as for serving. */
enum service_use { SERVICE_SERVE, SERVICE_COMMAND };

/* 0; or -1 with a line in err, and nothing left open. SERVICE_LOCKED: another process has it. */
#define SERVICE_LOCKED 1
int service_open(struct service *s, const struct config *config, enum service_use use,
                 struct buf *err) __attribute__((warn_unused_result));
/* Starts the deliveries' thread; publisher may be NULL. */
void service_start_deliveries(struct service *s, struct publisher *publisher);
/* Waits until the thread of deliveries has ended; before the publisher is closed. */
void service_stop_deliveries(struct service *s);
/* Stops what runs, in order: deliveries, writer; closes the rest. */
void service_close(struct service *s);

#endif
