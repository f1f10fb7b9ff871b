/*
 * desk_export: the sealed records and the counts as downloads; each needs the password once more
 * (see desk.h).
 */
#include "desk.h"
#include "export.h"
#include "log.h"

#include <inttypes.h>

static void answer_exports(struct act *act)
{
    desk_page_send(act, desk_page_new(act, "exports"), "exports", 200);
}

static void answer_sealed(struct act *act)
{
    struct buf err;

    buf_init(&err, BUF_UNLIMITED);
    if (export_reply(act->request, desk_of(act)->delivery_config->database, &err) != 0) {
        log_error("export: %s", err.data);
        http_fail(act->request, 503);
    }
    buf_release(&err);
}

static void send_counts(struct act *act, int (*write)(struct db *db, struct buf *out),
                        const char *type, const char *disposition)
{
    struct db *db = desk_read(act);
    struct buf text;
    int result;

    if (!db)
        return;
    buf_init(&text, BUF_UNLIMITED);
    result = write(db, &text);
    desk_read_end(db);
    if (result == DB_OK) {
        http_set_header(act->request, "Content-Disposition", disposition);
        http_reply(act->request, 200, type, &text);
    } else {
        http_fail(act->request, 503);
    }
    buf_release(&text);
}

static void answer_counts_csv(struct act *act)
{
    send_counts(act, export_counts_csv, "text/csv; charset=utf-8",
                "attachment; filename=\"counts.csv\"");
}

static void answer_counts_json(struct act *act)
{
    send_counts(act, export_counts_json, "application/json",
                "attachment; filename=\"counts.json\"");
}

DESK_HANDLER(desk_get_exports, .role = ROLE_ORGANISER, .answer = answer_exports)
DESK_HANDLER(desk_post_sealed, .role = ROLE_ORGANISER, .password = true, .audit = "export.sealed",
             .answer = answer_sealed)
DESK_HANDLER(desk_post_counts_csv, .role = ROLE_ORGANISER, .password = true,
             .audit = "export.counts", .answer = answer_counts_csv)
DESK_HANDLER(desk_post_counts_json, .role = ROLE_ORGANISER, .password = true,
             .audit = "export.counts", .answer = answer_counts_json)
