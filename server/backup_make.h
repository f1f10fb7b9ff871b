/*
 * backup_make: making a backup of an open data directory, beside its work.
 *
 * The database is copied by the writer, a few pages between two batches (db_copy.h), into a file
 * without a name in the data directory; from there it is sealed and streamed with the keys of the
 * log and of minisign, and petition.conf. So whoever receives slowly, or not at all, holds up
 * nobody, and no plain copy is left when the process is killed. Every submission acknowledged
 * before the backup began is in it, and what came until the copy was whole.
 */
#ifndef BACKUP_MAKE_H
#define BACKUP_MAKE_H

#include "backup.h"
#include "control.h"
#include "service.h"

#include <stdatomic.h>

/* Makes a backup and writes it as 'O' to the sink, one line about it as 'E'. On a thread that may
 * wait; gives up when *stopping becomes true. 0, or -1 with a line in err. */
int backup_make(struct service *s, const atomic_bool *stopping, const struct control_sink *sink,
                struct buf *err) __attribute__((warn_unused_result));

#endif
