/*
 * closing: the end of signing, for good.
 *
 * One transaction appends the `close` entry and replaces every tag (db_close_petition); from its
 * commit on nothing comes in any more, and the pages say so. Then the pepper is destroyed, in
 * memory and on the disk, and the WAL, which still holds tags, is emptied. Killed in the middle the
 * petition is open as before, or closed, and the next start does what was left.
 */
#ifndef CLOSING_H
#define CLOSING_H

#include "control.h"
#include "notify.h"
#include "service.h"

struct closing {
    struct service *service;
    struct publisher *publisher; /* NULL without a server */
    const struct notify *notify; /* as above */
    const char *typed;           /* the origin, as a person typed it; NULL: not asked for */
    const atomic_bool *stopping;
    const struct control_sink *sink;
};

/* Tells what closing does, as 'E'. 0; -1 with a line in err if it is closed already. */
int closing_explain(const struct closing *c, struct buf *err) __attribute__((warn_unused_result));
/* 0, with what was done on the sink; or -1 with a line in err: then nothing has changed. *usage:
 * the origin was not typed as it is. */
int closing_run(const struct closing *c, struct buf *err, bool *usage)
    __attribute__((warn_unused_result));

#endif
