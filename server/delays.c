/*
 * delays: how long a name must wait after wrong passwords (see delays.h).
 */
#include "delays.h"

#include <sodium.h>
#include <string.h>

void delays_init(struct delays *d)
{
    *d = (struct delays){0};
    randombytes_buf(d->key, sizeof d->key);
}

static void hash_name(const struct delays *d, uint8_t hash[16], const char *name)
{
    crypto_generichash(hash, 16, (const uint8_t *)name, strlen(name), d->key, sizeof d->key);
}

/* The name's place, or -1. */
static int find(const struct delays *d, const uint8_t hash[16])
{
    for (int i = 0; i < DELAYS_NAMES; i++)
        if (d->names[i].failures > 0 && memcmp(d->names[i].hash, hash, 16) == 0)
            return i;
    return -1;
}

/* A place for a new name: a free one, or that of the longest ago. */
static int make_room(const struct delays *d)
{
    int oldest = 0;

    for (int i = 0; i < DELAYS_NAMES; i++) {
        if (d->names[i].failures == 0)
            return i;
        if (d->names[i].failed_s < d->names[oldest].failed_s)
            oldest = i;
    }
    return oldest;
}

static int64_t delay_of(int failures)
{
    return failures > 10 ? DELAYS_MAX_S : INT64_C(1) << (failures - 1);
}

int delays_wait(const struct delays *d, const char *name, int64_t now_s)
{
    int64_t until, next_minute = (now_s / 60 + 1) * 60;
    uint8_t hash[16];
    int at;

    hash_name(d, hash, name);
    at = find(d, hash);
    if (at < 0)
        return 0;
    until = d->names[at].failed_s + delay_of(d->names[at].failures);
    if (d->minute == now_s / 60 && d->spent > DELAYS_BUDGET && until < next_minute)
        until = next_minute;
    return until > now_s ? (int)(until - now_s) : 0;
}

void delays_fail(struct delays *d, const char *name, int64_t now_s)
{
    uint8_t hash[16];
    int at;

    hash_name(d, hash, name);
    at = find(d, hash);
    if (at < 0) {
        at = make_room(d);
        d->names[at] = (struct delayed_name){0};
        memcpy(d->names[at].hash, hash, sizeof hash);
    }
    d->names[at].failures += d->names[at].failures < 1000;
    d->names[at].failed_s = now_s;
    if (d->minute != now_s / 60)
        d->spent = 0;
    d->minute = now_s / 60;
    d->spent++;
}

void delays_forget(struct delays *d, const char *name)
{
    uint8_t hash[16];
    int at;

    hash_name(d, hash, name);
    at = find(d, hash);
    if (at >= 0)
        d->names[at] = (struct delayed_name){0};
}
