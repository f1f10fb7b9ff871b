/*
 * sign: from a form, or a JSON object, to a submission and its receipt.
 *
 * Validates (every problem at once), canonicalises, commits to it, parks the request and gives the
 * job to the writer; answers when it is durable. No answer depends on who has signed before.
 */
#ifndef SIGN_H
#define SIGN_H

#include "hours.h"
#include "http.h"
#include "publisher.h"
#include "submit.h"
#include "thanks.h"

struct signing;

struct signing_config {
    const struct view *view; /* with the content, and whether signing is open */
    const struct identity *identity;
    const struct thanks *thanks; /* complete before the first request */
    struct submitter *submitter;
    bool accept_unconfirmed;
    struct hours *hours; /* counts what is new */
};

struct signing *signing_new(const struct signing_config *config);
void signing_free(struct signing *s);
/* What the writer calls around every transaction attempt: the life of the ephemeral sealing key. */
struct writer_hooks signing_hooks(struct signing *s);
/* The engines, once they run: before the first request. */
void signing_attach(struct signing *s, struct writer *writer, struct publisher *publisher);

/* Handlers; ctx is the struct signing. */
http_handler sign_form; /* POST /{lang}/sign */
http_handler sign_api;  /* POST /api/v1/signatures */

#endif
