/*
 * removed_check: rows in, one line at a time (see removed_check.h). One thread.
 *
 * Always true: the entries that end what the rows name rise from row to row. So no row stands
 * twice, and as many rows as there are such entries are all of them.
 */
#include "removed_check.h"

#include "lines.h"
#include "removed.h"
#include "take.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROW_MAX_BYTES 64

struct removed_check {
    struct removed_check_source source;
    struct lines lines;
    int64_t counts[REMOVAL__KINDS];
    int64_t rows, last; /* last: the entry that ended what the row before names */
    bool seen_header;
    struct buf again; /* a row as removed writes it */
};

static const char *take_line(void *ctx, const char *line, size_t len);

struct removed_check *removed_check_new(const struct removed_check_source *source)
{
    struct removed_check *r = xcalloc(1, sizeof *r);

    r->source = *source;
    r->last = -1;
    lines_init(&r->lines, take_line, r);
    buf_init(&r->again, ROW_MAX_BYTES);
    return r;
}

void removed_check_free(struct removed_check *r)
{
    if (!r)
        return;
    lines_release(&r->lines);
    buf_release(&r->again);
    free(r);
}

const int64_t *removed_check_counts(const struct removed_check *r)
{
    return r->counts;
}

/* The reason that the row gives; -1 if it is not spelled as a row. */
static int read_row(struct removed_check *r, const char *line, size_t len, int64_t *index)
{
    struct cursor c = {line, line + len};

    if (!take_number(&c, index))
        return -1;
    for (int how = 0; how < REMOVAL__KINDS; how++) {
        buf_clear(&r->again);
        removed_row(&r->again, *index, how);
        if (r->again.len == len && memcmp(r->again.data, line, len) == 0)
            return how;
    }
    return -1;
}

static const char *compare_with_log(struct removed_check *r, int64_t index, int how)
{
    const struct audit_sign *s = audit_sign_at(r->source.audit, index);
    int64_t at;
    int its;

    if (!s || !audit_removed(s, r->source.size, &its, &at))
        return "names what the log has not withdrawn or removed";
    if (at < r->source.from)
        return "names what was withdrawn or removed before the delivery before";
    if (its != how)
        return "gives another reason than the log";
    if (at <= r->last)
        return "is not in the log's order";
    r->last = at;
    return NULL;
}

static const char *take_line(void *ctx, const char *line, size_t len)
{
    struct removed_check *r = ctx;
    int64_t index = 0;
    int how;

    if (!r->seen_header) {
        r->seen_header = true;
        return len == strlen(REMOVED_HEADER) && memcmp(line, REMOVED_HEADER, len) == 0
                   ? NULL
                   : "is not the header of the list";
    }
    r->rows++;
    how = read_row(r, line, len, &index);
    if (how < 0 || index >= r->source.size)
        return "is not spelled as a row";
    r->counts[how]++;
    return r->source.audit ? compare_with_log(r, index, how) : NULL;
}

int removed_check_add(struct removed_check *r, const void *data, size_t len, struct buf *why)
{
    const char *wrong = lines_add(&r->lines, data, len);

    if (!wrong)
        return 0;
    buf_printf(why, REMOVED_NAME ": row %" PRId64 " %s", r->rows + !buf_ok(&r->lines.rest), wrong);
    return -1;
}

/* How many submissions were ended by the entries between the two sizes. */
static int64_t ended_since(const struct removed_check_source *s)
{
    struct audit_counts before, now;

    audit_count(s->audit, s->from, &before);
    audit_count(s->audit, s->size, &now);
    return now.sign - now.live - (before.sign - before.live);
}

int removed_check_end(struct removed_check *r, struct buf *why)
{
    int64_t all;

    if (!lines_end(&r->lines) || !r->seen_header) {
        buf_adds(why, REMOVED_NAME " is missing, cut off or no such list");
        return -1;
    }
    if (!r->source.audit)
        return 0;
    all = ended_since(&r->source);
    if (r->rows == all)
        return 0;
    buf_printf(why,
               REMOVED_NAME " names %" PRId64
                            " submissions, but the log has withdrawn or removed %" PRId64
                            " since the delivery before",
               r->rows, all);
    return -1;
}
