/*
 * organiser: passwords, tokens, and what an organiser does over the API: deliveries and exports.
 *
 * Every request is an act (act.h) by a bearer token. Tokens are stored hashed.
 */
#ifndef ORGANISER_H
#define ORGANISER_H

#include "act.h"
#include "delivery.h"

/* 1 to ORGANISER_NAME_MAX bytes without spaces, and not the operator's. */
bool organiser_is_name(const char *name);

/* ---- for the commands; threads that may wait. 0, or -1 with a line in err. */

int organiser_add(struct writer *writer, const char *name, const char *password, struct buf *err)
    __attribute__((warn_unused_result));
int organiser_passwd(struct writer *writer, const char *name, const char *password, struct buf *err)
    __attribute__((warn_unused_result));
int organiser_token(struct writer *writer, const char *name, char token[SESSION_TOKEN_TEXT],
                    struct buf *err) __attribute__((warn_unused_result));
/* Queues a delivery in the name of whoever runs the command. */
int organiser_start_delivery(struct writer *writer, int64_t *id, struct buf *err)
    __attribute__((warn_unused_result));
/* Its state; *why is set for a failed one. */
int organiser_delivery_state(struct writer *writer, int64_t id, enum delivery_state *state,
                             struct buf *why) __attribute__((warn_unused_result));
/* Writes one act of the operator into the audit trail. */
int organiser_audit(struct writer *writer, const char *act, const char *detail, struct buf *err)
    __attribute__((warn_unused_result));

/* ---- handlers; ctx is the act_context, whose `user` is the struct organiser_api */

struct organiser_api {
    struct delivery *delivery;
    const struct delivery_config *delivery_config; /* for the paths */
};

/* The context's refuse(). */
void organiser_refuse(struct act *act);

http_handler organiser_post_delivery; /* POST /api/v1/deliveries */
http_handler organiser_get_delivery;  /* GET /api/v1/deliveries/{n} */
http_handler organiser_get_bundle;    /* GET /api/v1/deliveries/{n}/bundles/{n}.zip */
http_handler organiser_get_counts;    /* GET /api/v1/export/counts.csv */
http_handler organiser_get_sealed;    /* GET /api/v1/export/sealed.jsonl */

#endif
