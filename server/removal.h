/*
 * removal: an organiser or the operator takes a submission out, with a reason, in the public log.
 */
#ifndef REMOVAL_H
#define REMOVAL_H

#include "writer.h"

/* The reasons that a person may give; VOID__MAX for another word. (`lost` is for restoring only.)
 */
enum void_why removal_reason(const char *word);

/* Writer's thread: appends the `void` entry and erases. DB_NO_ROW if it is no live submission. */
int removal_apply(struct db *db, int64_t index, enum void_why why) DB_CHECKED;

/* For commands; a thread that may wait. Also writes the audit trail, as the operator. 0, or -1 with
 * a line in err. */
int removal_run(struct writer *writer, const char *index, const char *reason, struct buf *err)
    __attribute__((warn_unused_result));

#endif
