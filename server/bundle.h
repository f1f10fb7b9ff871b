/*
 * bundle: the files of a delivery: annexes, letters, summary, manifest, signed sums, one ZIP for
 * each of the 19 addressees.
 *
 * Two steps. bundle_spool writes what depends on the database, from one snapshot: the annexes (the
 * signature lists and what was removed since the delivery before, as CSV), compressed once per
 * variant (with the names of those who consented; without any name), and spool.json, which lists
 * them and holds the checkpoint of the frozen log. bundle_build makes one addressee's ZIP from
 * the spool alone: annexes are copied as compressed. Same spool, same bytes: entries in a fixed
 * order, the time of freezing as their time, a deterministic signature.
 *
 * All files are written under a temporary name, fsynced and renamed; a ZIP that exists is whole.
 * Runs on the delivery thread, in a process with TZ=UTC (see archive.h).
 */
#ifndef BUNDLE_H
#define BUNDLE_H

#include "content.h"
#include "db.h"
#include "minisign.h"

/* Reports progress within a step, from 0 to 1; false asks to stop: the step then cleans up and
 * returns -1 with why = "stopped". Called by one thread at a time. */
typedef bool bundle_progress(void *ctx, double fraction);

struct bundle_context {
    const struct content *content;
    const struct minisign *minisign;
    const char *organiser_name;          /* "" : the catalogue's "the organisers" */
    const char *organiser_contact;       /* may be "" */
    const char *origin;                  /* of the log, from entry 0 */
    const char *base_url;                /* may be "" */
    const char *dir;                     /* deliveries/N, exists */
    const struct delivery_row *delivery; /* id and frozen_s; for bundle_build also size, figures */
    const char *checkpoint;              /* for bundle_spool: of the frozen size, signed */
    int64_t part_rows;                   /* of a CSV part; 0: 100,000 */
    int64_t spare_bytes;                 /* of the disk: left free for others */
    bundle_progress *progress;
    void *progress_ctx;
};

/* The figures of a delivery as JSON, which is also summary.json: exact totals from the reader's
 * open snapshot, and the folded tables of the publication of the same state.
 * {"delivery":N,"date":"YYYY-MM-DD","log_size":N,"signatures":N,"confirmed":N,"countries":N,
 *  "submissions":N,"repeats":N,"withdrawn":N,"removed":{"request":N,…},
 *  "by_tier":[{"tier":…,"n":N}],"by_country":[{"country":…,"n":N}],"by_day":[{"day":…,"n":N}]}
 * 0, or -1 if the database fails. */
int bundle_figures(struct buf *out, const struct delivery_row *d, struct db *snapshot,
                   const struct publication *tables) __attribute__((warn_unused_result));

/* Writes the spool from two readers' open snapshots of one state, on two threads, if even a
 * delivery without any name would have space on the disk. 0, or -1 with a sentence in why. */
#define BUNDLE_SNAPSHOTS 2
int bundle_spool(const struct bundle_context *b, struct db *const snapshots[], struct buf *why)
    __attribute__((warn_unused_result));

/* Whether there is space for all bundles that can be made of the spool. 0, or -1 with a sentence in
 * why. */
int bundle_has_space(const struct bundle_context *b, struct buf *why)
    __attribute__((warn_unused_result));

/* Writes the ZIP of the addressee at `position` (0..18) of addressees.json as dir/NN-slug.zip and
 * fills *row. 0, or -1 with a sentence in why. Several threads may each build one of the others. */
int bundle_build(const struct bundle_context *b, int position, struct bundle_row *row,
                 struct buf *why) __attribute__((warn_unused_result));

/* "NN-slug.zip" */
void bundle_file_name(struct buf *out, const struct content *content, int position);

/* The addressee of "NN-slug.zip", whatever the slug; 0 if the name is not a bundle's. */
int bundle_file_addressee(const char *name);
/* Whether the file is the bundle of this delivery and addressee, and its own manifest says that no
 * name is in it. What cannot be read is not. */
bool bundle_is_nameless(const char *path, int64_t delivery, int addressee);

/* Removes temporary files, and with `spool` the spool too. */
void bundle_clean(const struct bundle_context *b, bool spool);

#endif
