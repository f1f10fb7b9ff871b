/*
 * bundle_figures: the figures of a delivery as JSON (see bundle.h). On the thread that has the
 * snapshot.
 */
#include "bundle.h"

#include <inttypes.h>
#include <stdlib.h>

static void add_table(struct buf *out, const char *name, const char *key, const struct table *t)
{
    buf_printf(out, ",\"by_%s\":[", name);
    for (size_t i = 0; i < t->count; i++) {
        buf_printf(out, "%s{\"%s\":", i > 0 ? "," : "", key);
        buf_json(out, t->cells[i].key);
        buf_printf(out, ",\"n\":%" PRIu64 "}", t->cells[i].n);
    }
    buf_addc(out, ']');
}

static void add_removed(struct buf *out, const uint64_t removed[VOID__MAX])
{
    buf_adds(out, ",\"removed\":{");
    for (int why = 0; why < VOID__MAX; why++)
        buf_printf(out, "%s\"%s\":%" PRIu64, why > 0 ? "," : "", void_why_names[why], removed[why]);
    buf_addc(out, '}');
}

int bundle_figures(struct buf *out, const struct delivery_row *d, struct db *snapshot,
                   const struct publication *tables)
{
    struct table countries = {0};
    struct totals t;
    char date[11];
    int result = -1;

    if (db_totals(snapshot, &t) != DB_OK ||
        db_table(snapshot, DB_BY_COUNTRY, INT32_MAX, &countries) != DB_OK)
        goto out;
    day_text(date, day_of(d->frozen_s));
    buf_printf(out, "{\"delivery\":%" PRId64 ",\"date\":\"%s\",\"log_size\":%" PRId64, d->id, date,
               d->size);
    buf_printf(out, ",\"signatures\":%" PRIu64 ",\"confirmed\":%" PRIu64 ",\"countries\":%zu",
               t.signatures, t.confirmed, countries.count);
    buf_printf(out, ",\"submissions\":%" PRIu64 ",\"repeats\":%" PRIu64 ",\"withdrawn\":%" PRIu64,
               t.live, t.live - t.signatures, t.withdrawn);
    add_removed(out, t.removed);
    add_table(out, "tier", "tier", &tables->by_tier);
    add_table(out, "country", "country", &tables->by_country);
    add_table(out, "day", "day", &tables->by_day);
    buf_adds(out, "}\n");
    result = buf_ok(out) ? 0 : -1;
out:
    free(countries.cells);
    return result;
}
