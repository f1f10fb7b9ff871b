/*
 * ticket: what the address of a thank-you page carries: the codes, and what the full receipt is
 * made of.
 *
 * The server keeps nothing for its thank-you pages, so their address brings everything back: index,
 * seed and leaf, as before, under K_run (runkey.h); and, sealed apart, what is known only while
 * somebody signs: r, r2, the contact and FIELDS. That part names the signer, so it must be worth
 * nothing to whoever finds the address later, in the history of a browser or in the log of an
 * app, even with the server's disk and memory in hand: it is under a key that lives in the memory
 * of the process, for three quarters of an hour at most (ephemeral.h). Then, and after a restart,
 * the page still shows its codes for its half hour, without the receipt.
 *
 * The alternatives: a table in memory would hold names and contacts for whoever seizes the
 * machine, and either grow with the load or forget under it; a field of the page alone would need
 * the form to be answered without a redirection, and a reload would sign again.
 *
 * A name of 200 letters and a contact of 254 bytes make an address of at most 2,500 bytes; a usual
 * one has 500.
 */
#ifndef TICKET_H
#define TICKET_H

#include "ephemeral.h"
#include "opening.h"
#include "runkey.h"

struct ticket {
    uint8_t seed[SEED_LEN];
    uint8_t leaf[HASH_LEN];
    struct opening opening; /* its index is always there, its genesis never */
    bool full;              /* the rest of it is there */
};
void ticket_init(struct ticket *t);
/* Overwrites it. */
void ticket_release(struct ticket *t);

struct ticket_keys {
    const struct runkey *runkey;
    struct ephemeral *ephemeral;
};

/* Appends the ticket as base64url. */
void ticket_write(struct buf *out, const struct ticket_keys *keys, const struct ticket *t,
                  int64_t now_s);
/* 0; -1 if it is altered, foreign or too old. `full` is false if the second part is too old, or was
 * not there. */
int ticket_read(struct ticket *out, const struct ticket_keys *keys, const char *text, int64_t now_s)
    __attribute__((warn_unused_result));

#endif
