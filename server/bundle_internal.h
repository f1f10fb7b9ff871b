/*
 * bundle_internal: what the files of bundle share, and nobody else sees.
 *
 * bundle_spool.c writes the spool, bundle.c makes the bundles of it, bundle_figures.c the figures.
 */
#ifndef BUNDLE_INTERNAL_H
#define BUNDLE_INTERNAL_H

#include "bundle.h"

#define SPOOL_LIST     "spool.json"
#define SPOOL_LIST_MAX (16 * 1024 * 1024)

/* The variants of the annexes: which an addressee gets is its "names" in addressees.json. */
enum variant { VARIANT_NAMES, VARIANT_PLAIN, VARIANT__COUNT = BUNDLE_SNAPSHOTS };
extern const struct bundle_variant {
    const char *file, *member, *addressee;
} bundle_variants[VARIANT__COUNT];

/* Whether so many bytes can be written. 0, or -1 with a sentence in why. */
int bundle_need_space(const struct bundle_context *b, int64_t bytes, struct buf *why);
/* ,"name":"text" on a line of its own */
void bundle_add_text(struct buf *out, const char *name, const char *text);

#endif
