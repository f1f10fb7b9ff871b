/*
 * hours: how many submissions came in each hour, since the start of the server. In memory only: the
 * database knows days, and a finer time is nobody's business. Any thread.
 */
#ifndef HOURS_H
#define HOURS_H

#include <stdatomic.h>
#include <stdint.h>

#define HOURS_COUNT 24

struct hours {
    int64_t since_s;
    struct hours_slot {
        atomic_int_least64_t hour; /* hours since 1970 */
        atomic_uint_least64_t n;
    } slots[HOURS_COUNT];
};

void hours_init(struct hours *h, int64_t now_s);
void hours_add(struct hours *h, int64_t now_s);
/* counts[0] is the oldest hour, counts[HOURS_COUNT - 1] the one of now. */
void hours_read(const struct hours *h, int64_t now_s, uint64_t counts[HOURS_COUNT]);

#endif
