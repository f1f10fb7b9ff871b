/*
 * hours: submissions by hour, in a ring (see hours.h). Only the writer's thread adds.
 */
#include "hours.h"

void hours_init(struct hours *h, int64_t now_s)
{
    h->since_s = now_s;
    for (int i = 0; i < HOURS_COUNT; i++) {
        atomic_init(&h->slots[i].hour, 0);
        atomic_init(&h->slots[i].n, 0);
    }
}

void hours_add(struct hours *h, int64_t now_s)
{
    int64_t hour = now_s / 3600;
    struct hours_slot *slot = &h->slots[hour % HOURS_COUNT];

    if (atomic_load(&slot->hour) != hour) {
        atomic_store(&slot->n, 0);
        atomic_store(&slot->hour, hour);
    }
    atomic_fetch_add(&slot->n, 1);
}

void hours_read(const struct hours *h, int64_t now_s, uint64_t counts[HOURS_COUNT])
{
    for (int i = 0; i < HOURS_COUNT; i++) {
        int64_t hour = now_s / 3600 - HOURS_COUNT + 1 + i;
        const struct hours_slot *slot = &h->slots[hour % HOURS_COUNT];

        counts[i] = atomic_load(&slot->hour) == hour ? atomic_load(&slot->n) : 0;
    }
}
