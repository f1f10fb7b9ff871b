/*
 * thanks: what a signer sees after signing, and the full receipt as a second step.
 *
 * The page shows the codes, and until the entry is published it says when it will be and loads
 * itself anew. The full receipt is two files: the public .tlog-proof, and the private opening,
 * which proves to anybody who signed. Both are made when they are asked for, from what the page's
 * address carries (ticket.h), and sent as the answer to a POST that nobody may keep.
 */
#ifndef THANKS_H
#define THANKS_H

#include "lookup.h"
#include "ticket.h"
#include "view.h"

struct thanks {
    const struct view *view;
    struct ticket_keys keys;
    struct lookup *lookup;
    uint8_t genesis[HASH_LEN]; /* leaf hash of entry 0 */
};

/* Answers a form: 303 to the page of the ticket. */
void thanks_redirect(struct http_request *rq, const struct thanks *t, const struct ticket *ticket);
/* Answers the form of somebody at risk: the codes at once, without an address of their own, and
 * nothing else; the browser is asked to forget what it holds of this site. */
void thanks_at_risk(struct http_request *rq, const struct thanks *t, const struct ticket *ticket);

/* Handlers; ctx is the struct thanks. */
http_handler thanks_page; /* GET /{lang}/thanks/{text} */
http_handler thanks_save; /* POST /{lang}/receipt/save: ticket, file (empty, proof or opening) */

#endif
