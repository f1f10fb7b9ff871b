/*
 * gate: the one thread on which passwords are looked at, and how often that may be tried.
 *
 * Its queue is short: a password costs 64 MiB and a tenth of a second, and whoever finds the queue
 * full is told to come again. Of its places one client has at most GATE_PLACES_OF_ONE at a time, so
 * that a flood of log-ins from one address leaves room for others; and if all are taken, who has
 * failed less takes the place of who has failed most, so that a flood from many does, too. A task
 * may wait, for the writer too. A name that does not exist costs the same time and waits the same
 * as one that does (see delays.h); only the control socket can make a name's waiting end early.
 */
#ifndef GATE_H
#define GATE_H

#include "db.h"
#include "visitor.h"

#define GATE_QUEUE_MAX     8
#define GATE_PLACES_OF_ONE 2

struct gate;

struct gate_task {
    struct gate_task *next;              /* the queue's */
    void (*run)(struct gate_task *task); /* the gate's thread; the task may be freed in it */
    struct visitor from;                 /* since gate_reserve */
    int failures;                        /* of that client, then; any name's */
    bool displaced;                      /* its place has gone to another one */
    int wait_s;                          /* after GATE_WAIT: when to come again */
};

/* Starts the thread. */
struct gate *gate_open(void);
/* Finishes what is queued and stops the thread. */
void gate_close(struct gate *g);

/* Takes a place in the queue; false if there is none, or none for this client. With true, submit
 * must follow. */
bool gate_reserve(struct gate *g, struct gate_task *task, const struct peer_address *client)
    __attribute__((warn_unused_result));
void gate_submit(struct gate *g, struct gate_task *task);

enum gate_verdict { GATE_OPEN, GATE_WRONG, GATE_WAIT, GATE_BUSY };

/* For tasks: is that the organiser's password? `who->password` may be empty, for nobody of that
 * name. With GATE_WAIT, and GATE_BUSY (displaced), nothing was looked at. A wrong one counts as a
 * failure of who->name from the task's client; a right one changes nothing, until gate_forget. */
enum gate_verdict gate_check(struct gate *g, struct gate_task *task,
                             const struct organiser_row *who, const char *password)
    __attribute__((warn_unused_result));
/* Any thread: a wrong code is a failure too; a log-in makes those of its client forgotten, the
 * operator (no client) all of the name. */
void gate_fail(struct gate *g, const char *name, const struct visitor *from);
void gate_forget(struct gate *g, const char *name, const struct visitor *from);

#endif
