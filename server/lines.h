/*
 * lines: the lines of a text whose bytes come in pieces.
 *
 * Each line is given with its end, once that was read; no more than one line is kept. One thread.
 */
#ifndef LINES_H
#define LINES_H

#include "buf.h"

/* NULL, or what is wrong with the line: a constant sentence without its stop. */
typedef const char *lines_each(void *ctx, const char *line, size_t len);

struct lines {
    lines_each *each;
    void *ctx;
    struct buf rest; /* the beginning of a line; not ok: it was longer than a line may be */
};

void lines_init(struct lines *l, lines_each *each, void *ctx);
void lines_release(struct lines *l); /* wipes */

/* The next text. */
void lines_begin(struct lines *l);
/* NULL, or what was said of the first line that is wrong. */
const char *lines_add(struct lines *l, const void *data, size_t len)
    __attribute__((warn_unused_result));
/* True if the last line had its end. */
bool lines_end(const struct lines *l);

#endif
