/*
 * delays: how long a name must wait after wrong passwords. Pure but for its random key; one user at
 * a time. In memory only: a restart forgets.
 *
 * After the nth failure in a row a name waits 2^(n-1) seconds, at most 15 minutes; names that do
 * not exist wait like others. When all names together have failed more than DELAYS_BUDGET times in
 * a minute, names that have failed wait for the next minute; one that has not is never kept
 * waiting, so that nobody locks others out.
 */
#ifndef DELAYS_H
#define DELAYS_H

#include "buf.h"

#define DELAYS_BUDGET 60
#define DELAYS_NAMES  256 /* remembered; the one that failed longest ago gives way */
#define DELAYS_MAX_S  900

struct delays {
    uint8_t key[32];
    int64_t minute; /* of the budget */
    int spent;
    struct delayed_name {
        uint8_t hash[16];
        int failures;
        int64_t failed_s; /* the last time */
    } names[DELAYS_NAMES];
};

void delays_init(struct delays *d);
/* Seconds until the name may be tried again; 0: now. Times are monotonic seconds. */
int delays_wait(const struct delays *d, const char *name, int64_t now_s);
void delays_fail(struct delays *d, const char *name, int64_t now_s);
void delays_forget(struct delays *d, const char *name);

#endif
