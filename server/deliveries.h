/*
 * deliveries: what everybody may know of deliveries: GET /api/v1/deliveries, and log.zip.
 *
 * {"deliveries":[{"delivery":N,"date":"YYYY-MM-DD","log_size":N,"root":"base64","entry":N,
 *   "submissions":N,"signatures":N,"repeats":N,"manifests":[19 hex SHA-256],
 *   "log_zip":"/api/v1/deliveries/N/log.zip","handovers":[{"addressee":N,"date":"YYYY-MM-DD"}]}]}
 *
 * Those that the log has an entry of, the oldest first. `log_size` and `root` are those of the
 * frozen log, `entry` is the index of the `dlv` entry. Notes of hand-overs are not in it.
 * Of a delivery that only the log knows, as it was made after the backup that was restored, there
 * is neither a date, nor figures, nor `handovers`.
 *
 * The list is made when it may have changed, and answered from memory.
 */
#ifndef DELIVERIES_H
#define DELIVERIES_H

#include "delivery.h"
#include "http.h"

struct deliveries;

/* A connection of its own to the database. NULL with a line in err. `config` and its head live
 * longer. */
struct deliveries *deliveries_open(const struct delivery_config *config, struct buf *err);
void deliveries_close(struct deliveries *d);

/* Makes the list anew: after a publication, and after a hand-over. If the database cannot be read
 * (logged) it stays as it was. Any thread. */
void deliveries_refresh(struct deliveries *d);
/* Appends the list; nothing if it could not be made yet. Any thread. */
void deliveries_list(struct deliveries *d, struct buf *out);

/* Handlers; ctx is the struct deliveries. */
http_handler deliveries_get;     /* GET /api/v1/deliveries */
http_handler deliveries_get_log; /* GET /api/v1/deliveries/{n}/log.zip */

#endif
