/*
 * things: what `petition verify` is given, recognised by its content.
 *
 * A receipt's proof (tlog_proof.h), a private opening (opening.h), a signed checkpoint, a bundle, a
 * log (log_source.h). Reading is parsing, too: what is here is well-formed, and nothing of it has
 * been checked, but for a bundle's own sums and signature. One thread.
 */
#ifndef THINGS_H
#define THINGS_H

#include "bundle_check.h"
#include "log_source.h"
#include "opening.h"
#include "tlog_proof.h"

enum thing_kind { THING_PROOF, THING_OPENING, THING_CHECKPOINT, THING_BUNDLE, THING_LOG };

struct thing {
    const char *name; /* as given */
    enum thing_kind kind;
    struct tlog_proof proof;
    struct opening opening;
    struct buf note;              /* of a checkpoint */
    struct checkpoint checkpoint; /* of a checkpoint, a proof or a bundle: once it is opened */
    struct bundle_check *bundle;
    struct log_source *log;
};

/* Recognises and reads; `minisign_key` (or NULL) is for bundles. 0, or -1 with a sentence in why.
 * Release it either way. */
int thing_read(struct thing *t, const char *name, const char *minisign_key, struct buf *why)
    __attribute__((warn_unused_result));
void thing_release(struct thing *t);

#endif
