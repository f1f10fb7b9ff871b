/*
 * delays: how long it takes until a password may be tried again. Pure but for its random key; one
 * user at a time. In memory only: a restart forgets.
 *
 * Two things are counted: the failures of a name from one client, and those of a name from
 * anywhere. After the nth failure of a name from a client, that client waits for that name
 * 2^(n-1) seconds, at most 15 minutes; and if the name has failed m times from anywhere, at least
 * 2^(m-1) seconds, at most 30. Names that do not exist wait like others.
 *
 * So whoever guesses from one address gets a few dozen tries a day, and each further address costs
 * whoever guesses from many the longer waits of a name under attack. And nobody locks others out:
 * how long a client waits is settled by its own failure, at most 30 seconds more than its own
 * failures account for, and nothing that others do later lengthens it. A client that has not failed
 * is never kept waiting. (If the whole name waited, whoever keeps guessing at it could keep its
 * owner out for good, however short the wait, by being the first to ask each time.)
 *
 * What this cannot hold off: guesses at one name from thousands of addresses, each used once. Those
 * are held to some ten a second by the one thread of the gate; passwords of at least 12 characters
 * and one-time codes are there for the rest. And who shares the guesser's address waits with it;
 * the operator can end that.
 */
#ifndef DELAYS_H
#define DELAYS_H

#include "visitor.h"

#define DELAYS_MAX_S      900
#define DELAYS_NAME_MAX_S 30
#define DELAYS_ENTRIES    2048 /* what waits the shortest gives way */

struct delays {
    uint8_t key[32];
    struct delay {
        uint8_t name[16];
        struct visitor from; /* all zero: from anywhere */
        int failures;        /* 0: a free place */
        int64_t until_s;
    } entries[DELAYS_ENTRIES];
};

void delays_init(struct delays *d);
/* Seconds until the client may try the name again; 0: now. Times are monotonic seconds. */
int delays_wait(const struct delays *d, const char *name, const struct visitor *from,
                int64_t now_s);
/* How often the client has failed, at any name. */
int delays_failures(const struct delays *d, const struct visitor *from);
void delays_fail(struct delays *d, const char *name, const struct visitor *from, int64_t now_s);
/* After a right password: what the client has failed, and what the name has; without a client all
 * of the name's, so that everybody may try it at once. */
void delays_forget(struct delays *d, const char *name, const struct visitor *from);

#endif
