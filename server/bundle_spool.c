/*
 * bundle_spool: what of a delivery depends on the database, as files (see bundle.h).
 *
 * Runs on the delivery thread and a second one, each with a snapshot of its own: one writes the
 * annexes with names, one those without. They go from the database through the compressor to the
 * disk without ever being whole anywhere. Always true: spool.json exists only if both variants do,
 * whole and durable.
 */
#include "bundle_internal.h"

#include "annex.h"
#include "archive.h"
#include "files.h"
#include "removed.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PROGRESS_ROWS   5000
#define ROW_LEAST_BYTES 40 /* of an annex, compressed: 32 of them are a hash */
#define MEGABYTE        1000000

const struct bundle_variant bundle_variants[VARIANT__COUNT] = {
    {"spool-names.zip", "names", "with-consent"},
    {"spool-plain.zip", "plain", "never"},
};

static const char stopped[] = "stopped";

void bundle_clean(const struct bundle_context *b, bool spool)
{
    archive_clean(b->dir);
    if (!spool)
        return;
    for (int i = -1; i < VARIANT__COUNT; i++) {
        char *path = files_join(b->dir, i < 0 ? SPOOL_LIST : bundle_variants[i].file);

        (void)unlink(path);
        free(path);
    }
}

/* ---- space */

int bundle_need_space(const struct bundle_context *b, int64_t bytes, struct buf *why)
{
    struct statvfs disk;
    int64_t free_bytes;

    if (statvfs(b->dir, &disk) != 0) {
        archive_explain(why, b->dir, errno);
        return -1;
    }
    free_bytes = (int64_t)(disk.f_bavail * disk.f_frsize);
    if (free_bytes - b->spare_bytes >= bytes)
        return 0;
    buf_printf(why,
               "not enough space on the device: the bundles take %" PRId64 " MB and %" PRId64
               " MB must stay free, but only %" PRId64 " MB are free",
               bytes / MEGABYTE + 1, b->spare_bytes / MEGABYTE, free_bytes / MEGABYTE);
    return -1;
}

/* Before the spool: how many rows have a name is not known yet. */
static int has_space_for_spool(const struct bundle_context *b, struct db *snapshot, struct buf *why)
{
    struct totals totals;

    if (db_totals(snapshot, &totals) != DB_OK) {
        buf_adds(why, "the database cannot be read");
        return -1;
    }
    return bundle_need_space(
        b, (int64_t)totals.live * ROW_LEAST_BYTES * (ADDRESSEE_COUNT + VARIANT__COUNT), why);
}

/* ---- a variant */

void bundle_add_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\n\"%s\":", name);
    buf_json(out, text);
}

/* What both variants are made of, and how far they are. */
struct spool_source {
    const struct bundle_context *b;
    struct removed removed;
    pthread_mutex_t lock;
    double fractions[VARIANT__COUNT]; /* under lock */
    bool stopping;                    /* under lock: it was asked to, or the other variant failed */
};

/* One variant while it is written, by a thread of its own. */
struct spooling {
    struct spool_source *source;
    enum variant variant;
    struct db *snapshot;
    struct annex *annex;
    struct annex_part *parts; /* and one for the list of what was removed */
    size_t done;
    int64_t next_report; /* in rows */
    struct archive_stream stream;
    struct buf list, why; /* its member of the spool's list; what went wrong */
    int result;
};

/* Reports the progress of all; false if this one is to stop. */
static bool go_on(struct spool_source *source, enum variant v, double fraction)
{
    double sum = 0;
    bool going_on;

    pthread_mutex_lock(&source->lock);
    source->fractions[v] = fraction;
    for (int i = 0; i < VARIANT__COUNT; i++)
        sum += source->fractions[i];
    if (!source->stopping)
        source->stopping = !source->b->progress(source->b->progress_ctx, sum / VARIANT__COUNT);
    going_on = !source->stopping;
    pthread_mutex_unlock(&source->lock);
    return going_on;
}

static void stop_all(struct spool_source *source)
{
    pthread_mutex_lock(&source->lock);
    source->stopping = true;
    pthread_mutex_unlock(&source->lock);
}

static int begin_part(void *ctx)
{
    struct spooling *s = ctx;

    return annex_begin(s->annex);
}

static int64_t read_part(void *ctx, void *out, size_t len)
{
    struct spooling *s = ctx;
    int64_t got = annex_read(s->annex, out, len), rows = annex_rows_read(s->annex);

    if (got < 0)
        s->stream.failure = "the list of signatures cannot be read from the database";
    if (rows < s->next_report)
        return got;
    s->next_report = rows + PROGRESS_ROWS;
    if (go_on(s->source, s->variant, (double)rows / (double)annex_rows(s->annex)))
        return got;
    s->stream.failure = stopped;
    return -1;
}

static int end_part(void *ctx)
{
    struct spooling *s = ctx;

    if (annex_end(s->annex, &s->parts[s->done]) != 0)
        return -1;
    s->done++;
    return 0;
}

static void list_parts(struct spooling *s)
{
    struct buf *list = &s->list;

    buf_printf(list, ",\n\"%s\":[", bundle_variants[s->variant].member);
    for (size_t i = 0; i < s->done; i++) {
        const struct annex_part *part = &s->parts[i];

        buf_printf(list, "%s\n{\"name\":\"%s\",\"rows\":%" PRId64 ",\"bytes\":%" PRId64,
                   i > 0 ? "," : "", part->name, part->rows, part->bytes);
        buf_adds(list, ",\"sha256\":\"");
        buf_hex(list, part->sha256, HASH_LEN);
        buf_adds(list, "\"}");
    }
    buf_adds(list, "]");
}

static int spool_variant(struct spooling *s)
{
    const struct bundle_context *b = s->source->b;
    const struct removed *removed = &s->source->removed;
    const char *file = bundle_variants[s->variant].file;
    int64_t part_rows = b->part_rows > 0 ? b->part_rows : ANNEX_PART_ROWS;
    struct archive *zip;
    char name[ANNEX_NAME_MAX];
    int result;

    s->annex = annex_new(s->snapshot, s->variant == VARIANT_NAMES, part_rows, &s->why);
    if (!s->annex)
        return -1;
    s->parts = xcalloc(annex_parts(s->annex) + 1, sizeof *s->parts);
    s->stream = (struct archive_stream){begin_part, read_part, end_part, s, NULL};
    zip = archive_new(b->dir, file, b->delivery->frozen_s);
    for (size_t i = 0; i < annex_parts(s->annex); i++) {
        annex_part_name(name, i);
        archive_add_stream(zip, name, &s->stream);
    }
    archive_add(zip, REMOVED_NAME, &removed->text);
    result = archive_finish(zip, NULL, &s->why);
    if (result == 0 && s->done != annex_parts(s->annex)) {
        buf_printf(&s->why, "%s: a part was not written to its end", file);
        result = -1;
    }
    s->parts[s->done++] = removed->part;
    list_parts(s);
    annex_free(s->annex);
    free(s->parts);
    return result;
}

static void *spool_one(void *arg)
{
    struct spooling *s = arg;

    s->result = spool_variant(s);
    if (s->result != 0)
        stop_all(s->source);
    return NULL;
}

/* Writes both variants at once, and appends their members of the list. */
static int spool_variants(struct spool_source *source, struct db *const snapshots[],
                          struct buf *list, struct buf *why)
{
    struct spooling s[VARIANT__COUNT];
    pthread_t thread;
    bool started;
    int result = 0;

    for (int v = 0; v < VARIANT__COUNT; v++) {
        s[v] = (struct spooling){.source = source,
                                 .variant = (enum variant)v,
                                 .snapshot = snapshots[v],
                                 .next_report = PROGRESS_ROWS};
        buf_init(&s[v].list, SPOOL_LIST_MAX);
        buf_init(&s[v].why, why->cap);
    }
    started = pthread_create(&thread, NULL, spool_one, &s[VARIANT_NAMES]) == 0;
    spool_one(&s[VARIANT_PLAIN]);
    if (started)
        pthread_join(thread, NULL);
    else
        spool_one(&s[VARIANT_NAMES]);
    for (int v = 0; v < VARIANT__COUNT; v++) {
        buf_add(list, s[v].list.data, s[v].list.len);
        /* The one that failed says why; the other one may only say that it was stopped. */
        if (s[v].result != 0 && (result == 0 || strcmp(why->data, stopped) == 0)) {
            buf_clear(why);
            buf_adds(why, s[v].why.data);
            result = -1;
        }
        buf_release(&s[v].list);
        buf_release(&s[v].why);
    }
    return result;
}

int bundle_spool(const struct bundle_context *b, struct db *const snapshots[], struct buf *why)
{
    char *path = files_join(b->dir, SPOOL_LIST);
    struct spool_source source = {.b = b, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct buf list;
    int result;

    bundle_clean(b, true);
    result = has_space_for_spool(b, snapshots[0], why);
    if (removed_list(&source.removed, snapshots[0], b->delivery) != DB_OK && result == 0) {
        buf_adds(why, "the list of what was removed cannot be read from the database");
        result = -1;
    }
    buf_init(&list, SPOOL_LIST_MAX);
    buf_printf(&list, "{\"delivery\":%" PRId64 ",\"frozen_s\":%" PRId64, b->delivery->id,
               b->delivery->frozen_s);
    bundle_add_text(&list, "checkpoint", b->checkpoint);
    if (result == 0)
        result = spool_variants(&source, snapshots, &list, why);
    buf_adds(&list, "\n}\n");
    if (result == 0 && files_replace(path, list.data, list.len) != 0) {
        archive_explain(why, SPOOL_LIST, errno);
        result = -1;
    }
    if (result != 0)
        bundle_clean(b, true);
    else
        (void)b->progress(b->progress_ctx, 1);
    removed_release(&source.removed);
    buf_release(&list);
    free(path);
    return result;
}
