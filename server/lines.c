/*
 * lines: bytes in, lines out (see lines.h). One thread.
 */
#include "lines.h"

#include <string.h>

#define LINE_MAX_BYTES 16384

void lines_init(struct lines *l, lines_each *each, void *ctx)
{
    *l = (struct lines){.each = each, .ctx = ctx};
    buf_init(&l->rest, LINE_MAX_BYTES);
}

void lines_release(struct lines *l)
{
    buf_wipe(&l->rest);
}

void lines_begin(struct lines *l)
{
    buf_clear(&l->rest);
}

const char *lines_add(struct lines *l, const void *data, size_t len)
{
    const char *at = data, *end = at + len;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline ? newline + 1 : end, *wrong;

        buf_add(&l->rest, at, (size_t)(next - at));
        if (!buf_ok(&l->rest))
            return "is longer than a row can be";
        if (newline) {
            wrong = l->each(l->ctx, l->rest.data, l->rest.len);
            buf_clear(&l->rest);
            if (wrong)
                return wrong;
        }
        at = next;
    }
    return NULL;
}

bool lines_end(const struct lines *l)
{
    return l->rest.len == 0;
}
