/*
 * figures: stepped counts, folded tables, numbers for people (see figures.h).
 *
 * Any thread may call it: there is no state. A shown count depends on the true value and on its
 * own past only; who calls figures_step, once per publication, keeps both parts of it secret but
 * the value. Collecting the true cells, and leaving out the running day, is left to the caller.
 */
#include "figures.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUBLISH_AT_LATEST_S 600 /* with any new entry */

uint32_t figures_draw_random(void *ctx, uint32_t bound)
{
    (void)ctx;
    return randombytes_uniform(bound);
}

bool figures_step(struct shown *s, uint64_t truth, uint32_t step, figures_draw *draw, void *ctx)
{
    assert(step > 0);
    if (s->value % step != 0 || s->jitter >= step)
        s->value = truth - truth % step; /* made with another step */
    else if (truth >= s->value + step + s->jitter)
        s->value = (truth - s->jitter) / step * step;
    else if (truth + s->jitter < s->value)
        s->value = (truth + s->jitter) / step * step;
    else
        return false;
    s->jitter = draw(ctx, step);
    return true;
}

static size_t drop_zeros(struct cell *cells, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (cells[i].n > 0)
            cells[kept++] = cells[i];
    return kept;
}

/* Which of the cells of at least `step` is the smallest; `count` if there is none. */
static size_t smallest_large(const struct cell *cells, size_t count, uint32_t step)
{
    size_t found = count;

    for (size_t i = 0; i < count; i++)
        if (cells[i].n >= step && (found == count || cells[i].n < cells[found].n))
            found = i;
    return found;
}

static size_t count_small(const struct cell *cells, size_t count, uint32_t step)
{
    size_t small = 0;

    for (size_t i = 0; i < count; i++)
        small += cells[i].n < step;
    return small;
}

/* A lone small cell would be the difference between the total and the rest, so it takes a second
 * one with it. Where there is no second one, its sum is below `step`; so "other" always stands for
 * two cells at least, and there is room for it. */
size_t figures_fold(struct cell *cells, size_t count, uint32_t step)
{
    size_t kept = 0, partner = SIZE_MAX;
    uint64_t sum = 0;

    assert(step > 0);
    count = drop_zeros(cells, count);
    if (count_small(cells, count, step) == 1)
        partner = smallest_large(cells, count, step);
    for (size_t i = 0; i < count; i++) {
        if (cells[i].n < step || i == partner) {
            sum += cells[i].n;
            continue;
        }
        cells[kept] = cells[i];
        cells[kept++].n -= cells[i].n % step;
    }
    if (sum >= step)
        cells[kept++] = (struct cell){.key = "other", .n = sum - sum % step};
    return kept;
}

void figures_number(struct buf *out, uint64_t n, const char *lang)
{
    const char *separator = strcmp(lang, "fr") == 0 ? "\u202f" : ",";
    char digits[21];
    size_t len;

    len = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, n);
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            buf_adds(out, separator);
        buf_addc(out, digits[i]);
    }
}

uint64_t figures_next_milestone(uint64_t n, uint64_t goal)
{
    static const uint64_t milestones[] = {100,    500,    1000,   5000,   10000,  50000,
                                          100000, 250000, 500000, 750000, 1000000};

    for (size_t i = 0; i < sizeof milestones / sizeof *milestones; i++)
        if (milestones[i] > n && milestones[i] < goal)
            return milestones[i];
    return goal;
}

void publication_release(struct publication *p)
{
    free(p->by_country.cells);
    free(p->by_day.cells);
    free(p->by_tier.cells);
    free(p->edge);
    p->by_country = p->by_day = p->by_tier = (struct table){.cells = NULL};
    p->edge = NULL;
}

bool figures_publication_due(const struct publish_rule *rule, int64_t since_last_s,
                             int64_t new_entries)
{
    if (new_entries <= 0)
        return false;
    return (since_last_s >= rule->every_s && new_entries >= rule->min_new) ||
           since_last_s >= PUBLISH_AT_LATEST_S;
}
