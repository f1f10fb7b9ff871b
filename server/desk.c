/*
 * desk: where the organisers' pages are (see desk.h).
 */
#include "desk.h"

#include <assert.h>
#include <string.h>

size_t desk_routes(struct http_route routes[DESK_ROUTES_MAX], struct act_context *context)
{
    static const struct http_route table[] = {
        {HTTP_GET, HTTP_BODY_NONE, "/admin", desk_get_overview, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/login", desk_get_login, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/login", desk_post_login, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/logout", desk_post_logout, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/logout-all", desk_post_logout_all, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/deliveries", desk_get_deliveries, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/deliveries", desk_post_delivery, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/deliveries/{n}", desk_get_delivery, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/deliveries/{n}/bundles/{n}.zip", desk_get_bundle, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/deliveries/{n}/all.zip", desk_get_all_bundles, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/deliveries/{n}/handover/{n}", desk_get_handover, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/deliveries/{n}/handover/{n}", desk_post_handover, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/deliveries/{n}/complete", desk_get_complete, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/deliveries/{n}/complete", desk_post_complete, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/letters", desk_get_letters, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/letters/{n}/{text}", desk_get_letter, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/find", desk_get_find, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/find", desk_post_find, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/void/preview", desk_post_void_preview, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/void", desk_post_void, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/paper", desk_get_paper, NULL},
        {HTTP_POST, HTTP_BODY_LARGE_FORM, "/admin/paper", desk_post_paper, NULL},
        {HTTP_POST, HTTP_BODY_LARGE_FORM, "/admin/paper/check", desk_post_paper_check, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/paper/{n}/remove", desk_get_paper_removal, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/paper/{n}/remove", desk_post_paper_removal, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/audit", desk_get_audit, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/exports", desk_get_exports, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/exports/sealed.jsonl", desk_post_sealed, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/exports/counts.csv", desk_post_counts_csv, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/exports/counts.json", desk_post_counts_json, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/account", desk_get_account, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/account/password", desk_post_password, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/account/totp", desk_post_totp, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/account/totp/confirm", desk_post_totp_confirm, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/account/totp/off", desk_post_totp_off, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/admin/organisers", desk_get_organisers, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/organisers", desk_post_organiser, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/organisers/role", desk_post_role, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/organisers/remove", desk_post_remove, NULL},
        {HTTP_POST, HTTP_BODY_FORM, "/admin/organisers/totp", desk_post_totp_remove, NULL},
    };
    size_t count = sizeof table / sizeof *table;

    static_assert(sizeof table / sizeof *table <= DESK_ROUTES_MAX, "room for all");
    memcpy(routes, table, sizeof table);
    for (size_t i = 0; i < count; i++)
        routes[i].ctx = context;
    return count;
}
