/*
 * receipt: what became of a signature, for whoever has its short code or its .tlog-proof.
 *
 * Answered from the published log alone (lookup.h). Nothing that was pasted is kept or logged, and
 * what could hurt its owner (the private opening, a withdrawal code) is refused and not repeated.
 */
#ifndef RECEIPT_H
#define RECEIPT_H

#include "lookup.h"
#include "view.h"

struct receipts {
    const struct view *view;
    struct lookup *lookup;
};

http_handler receipt_form; /* POST /{lang}/receipt; ctx is the struct receipts */

#endif
