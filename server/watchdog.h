/*
 * watchdog: pings the service manager for as long as the writer writes.
 *
 * A ping is no timer's: before each, a transaction of its own goes through the writer's queue and
 * is committed to the disk, as a signature is. A writer that hangs, in its own code or in the
 * disk's, so lets the manager's patience run out, and is restarted. A full disk is no reason for
 * that: a restart would free nothing, and pages can still be read; then pings go on.
 */
#ifndef WATCHDOG_H
#define WATCHDOG_H

#include "notify.h"
#include "writer.h"

struct watchdog;

/* Starts the thread. NULL if the manager has asked for no pings. `notify` must outlive it. */
struct watchdog *watchdog_open(const struct notify *notify, struct writer *writer);
/* Waits for the transaction in work. NULL: does nothing. */
void watchdog_close(struct watchdog *w);

#endif
