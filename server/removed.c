/*
 * removed: see removed.h. Runs on the delivery thread; the list is small, and made in memory.
 */
#include "removed.h"

#include "sha256.h"

#include <inttypes.h>
#include <stdio.h>

void removed_row(struct buf *out, int64_t index, int why)
{
    buf_printf(out, "%" PRId64 ",%s\r\n", index,
               why == VOID__MAX ? "withdrawn" : void_why_names[why]);
}

static void add_row(void *ctx, int64_t index, enum void_why why)
{
    struct removed *r = ctx;

    r->part.rows++;
    removed_row(&r->text, index, (int)why);
}

int removed_list(struct removed *r, struct db *snapshot, const struct delivery_row *d)
{
    struct db_range range = {.to = d->size};
    int result;

    *r = (struct removed){.part = {.name = REMOVED_NAME}};
    buf_init(&r->text, BUF_UNLIMITED);
    buf_adds(&r->text, REMOVED_HEADER);
    result = db_delivery_before(snapshot, d->id, &range.from);
    if (result == DB_OK)
        result = db_removals(snapshot, &range, add_row, r);
    r->part.bytes = (int64_t)r->text.len;
    sha256_of(r->part.sha256, r->text.data, r->text.len);
    return result;
}

void removed_release(struct removed *r)
{
    buf_release(&r->text);
}
