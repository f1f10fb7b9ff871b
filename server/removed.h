/*
 * removed: the list of submissions that were withdrawn or removed since the delivery before, as
 * CSV: `index,why`, a row for each, in the order of the log. `why` is "withdrawn" or the reason of
 * a removal. Who has both deliveries sees with it why rows of the earlier one are gone.
 */
#ifndef REMOVED_H
#define REMOVED_H

#include "annex.h"

#define REMOVED_NAME   "removed-since-last.csv"
#define REMOVED_HEADER "index,why\r\n"

struct removed {
    struct buf text;
    struct annex_part part; /* name, rows, bytes, hash */
};

/* Appends the row of a submission. VOID__MAX: its signer withdrew it. */
void removed_row(struct buf *out, int64_t index, int why);

/* From the reader's open snapshot, for a delivery that has its size. Results as db.h's; to be
 * released in any case. */
int removed_list(struct removed *r, struct db *snapshot, const struct delivery_row *d) DB_CHECKED;
void removed_release(struct removed *r);

#endif
