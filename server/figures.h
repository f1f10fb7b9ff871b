/*
 * figures: what may be shown of the counts, so that one probe shows nothing.
 *
 * A shown count is a multiple F >= 0 of `step`, kept with a secret jitter j in 0..step-1. It moves
 * up when the true value reaches F + step + j, to the largest multiple <= true - j; down when the
 * true value is < F - j, to the largest multiple <= true + j; only then is j redrawn. Tables are
 * multiples of `step`, with smaller cells folded into "other" (two at least).
 * With step 1 everything is exact. Pure functions, any thread.
 */
#ifndef FIGURES_H
#define FIGURES_H

#include "tlog.h"

struct shown {
    uint64_t value;  /* F, what is shown */
    uint32_t jitter; /* j, secret */
};

/* Draws a number in 0..bound-1; bound > 0. A test passes its own. */
typedef uint32_t figures_draw(void *ctx, uint32_t bound);
uint32_t figures_draw_random(void *ctx, uint32_t bound); /* from the system's generator */

/* Moves *s towards the true value as described above; true if it changed. If *s was made with
 * another step, it starts anew at the largest multiple <= true. */
bool figures_step(struct shown *s, uint64_t truth, uint32_t step, figures_draw *draw, void *ctx);

/* One line of a table. */
struct cell {
    char key[12]; /* country code, tier or YYYY-MM-DD; "other" for the folded rest */
    uint64_t n;
};

/* Turns true cells into shown ones, in place: every cell of at least `step` is rounded down to a
 * multiple of it, the others (and, if there is only one, the smallest of the rest too) are summed
 * and, if their sum rounds to anything, appended as "other". Cells of 0 vanish. The order of those
 * that stay is kept. Returns the new number of cells. */
size_t figures_fold(struct cell *cells, size_t count, uint32_t step);

/* "1,234,567" with the thousands separator of the language (en "," fr U+202F km ","). */
void figures_number(struct buf *out, uint64_t n, const char *lang);

/* The next milestone above n: 100, 500, 1,000, 5,000, 10,000, 50,000, 100,000, 250,000, 500,000,
 * 750,000, 1,000,000; at or above the goal: the goal. */
uint64_t figures_next_milestone(uint64_t n, uint64_t goal);

/* What the public sees between two publications: one state of the log, already stepped and
 * folded. */
struct table {
    struct cell *cells;
    size_t count;
};
struct publication {
    uint64_t count;     /* shown signatures */
    uint64_t confirmed; /* shown confirmed signatures, never more than count */
    int64_t log_size;   /* entries of the log at this publication */
    int64_t at_s;       /* Unix time */
    bool closed;        /* the petition is: nobody can sign any more */
    uint32_t step;      /* count_step; 1: all is exact and today is in the tables */
    struct table by_country, by_day, by_tier; /* live submissions */
    struct tlog_edge *edge; /* of the log at log_size; NULL once it has been published */
};
void publication_release(struct publication *p);

/* True when a publication is due. Pure: times are monotonic seconds. */
struct publish_rule {
    int every_s; /* publish_every */
    int min_new; /* publish_min */
};
bool figures_publication_due(const struct publish_rule *rule, int64_t since_last_s,
                             int64_t new_entries);

#endif
