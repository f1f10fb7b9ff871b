/*
 * desk: the organisers' pages under /admin: the table of their addresses.
 *
 * Each handler is an act (act.h) by a session, but for the two of the log-in. GET looks, on a
 * connection that only reads; POST does one thing in one transaction, and redirects to a page.
 */
#ifndef DESK_H
#define DESK_H

#include "desk_page.h"

#define DESK_ROUTES_MAX 40

/* Fills the table; ctx is the act_context whose `user` is the struct desk. How many there are. */
size_t desk_routes(struct http_route routes[DESK_ROUTES_MAX], struct act_context *context);

/* A handler of one kind of act; the members of struct act_kind follow. */
#define DESK_HANDLER(name, ...) DESK_HANDLER_OF(name, struct act, __VA_ARGS__)
#define DESK_HANDLER_OF(name, type, ...)                                                           \
    void name(struct http_request *rq, void *ctx)                                                  \
    {                                                                                              \
        static const struct act_kind kind = {.size = sizeof(type), __VA_ARGS__};                   \
                                                                                                   \
        act_start(rq, ctx, &kind);                                                                 \
    }

http_handler desk_get_login, desk_post_login, desk_post_logout, desk_post_logout_all;
http_handler desk_get_overview;
http_handler desk_get_deliveries, desk_post_delivery, desk_get_delivery, desk_get_bundle,
    desk_get_all_bundles;
http_handler desk_get_letters, desk_get_letter;
http_handler desk_get_handover, desk_post_handover, desk_get_complete, desk_post_complete;
http_handler desk_get_find, desk_post_find, desk_post_void_preview, desk_post_void;
http_handler desk_get_paper, desk_post_paper_check, desk_post_paper, desk_get_paper_removal,
    desk_post_paper_removal;
http_handler desk_get_audit;
http_handler desk_get_exports, desk_post_sealed, desk_post_counts_csv, desk_post_counts_json;
http_handler desk_get_account, desk_post_password, desk_post_totp, desk_post_totp_confirm,
    desk_post_totp_off;
http_handler desk_get_organisers, desk_post_organiser, desk_post_role, desk_post_remove,
    desk_post_totp_remove;

#endif
