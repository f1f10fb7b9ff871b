/*
 * withdraw: taking a signature back, with the code that only its signer has.
 *
 * A right code appends a `wd` entry, erases the personal columns and lowers the count, once; the
 * answer is the same whether it was used before, and whether the contact was counted.
 */
#ifndef WITHDRAW_H
#define WITHDRAW_H

#include "http.h"
#include "view.h"
#include "writer.h"

struct withdrawing_config {
    const struct view *view;
    struct writer *writer;
};

/* Handlers; ctx is the struct withdrawing_config. */
http_handler withdraw_form; /* POST /{lang}/withdraw */
http_handler withdraw_api;  /* POST /api/v1/withdraw */

/* The same for a thread that may wait: WITHDRAW_DONE and *index, or what is wrong. */
enum withdraw_state withdraw_code(struct writer *writer, const char *code, int64_t *index);

#endif
