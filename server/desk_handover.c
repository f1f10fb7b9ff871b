/*
 * desk_handover: what happens to a delivery once it is made: handed over, and completed (see
 * desk.h).
 */
#include "desk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void go_back(struct act *act, const char *said)
{
    char path[60];

    snprintf(path, sizeof path, "/admin/deliveries/%" PRId64, act_number(act, 0));
    desk_redirect(act, path, said);
}

/* A form about one delivery, and of it one addressee. */
static cJSON *new_form(const struct act *act, const char *name)
{
    cJSON *page = desk_page_new(act, name);
    char today[11];

    day_text(today, day_of(time(NULL)));
    page_format(page, "id", "%" PRId64, act_number(act, 0));
    page_format(page, "number", "%" PRId64, act_number(act, 1));
    page_text(page, "today", today);
    return page;
}

/* Sets the status if the delivery is not one that is done. */
static int need_done(struct act *act, struct db *db)
{
    struct delivery_row row;
    int result;

    delivery_row_init(&row);
    result = db_delivery_get(db, act_number(act, 0), &row);
    if (result == DB_NO_ROW)
        act->status = 404;
    else if (row.state != DELIVERY_DONE)
        act->status = 409;
    delivery_row_release(&row);
    return result == DB_NO_ROW ? DB_OK : result;
}

/* ---- handing over */

struct handover_act {
    struct act act;
    struct handover_row row;
    bool wrong_day, wrong_note;
};

static void begin_handover(struct act *act)
{
    struct handover_act *h = (struct handover_act *)act;

    h->row.addressee = (int)act_number(act, 1);
    buf_init(&h->row.note, BUF_UNLIMITED);
    buf_init(&h->row.who, BUF_UNLIMITED);
    input_clean_line(&h->row.note, act_field(act, "note"));
    h->wrong_day =
        !day_parse(&h->row.day, act_field(act, "day")) || h->row.day > day_of(time(NULL));
    h->wrong_note = input_code_points(h->row.note.data) > HANDOVER_NOTE_MAX;
    if (h->wrong_day || h->wrong_note)
        act->status = 422;
    if (h->row.addressee < 1 || h->row.addressee > ADDRESSEE_COUNT)
        act->status = 404;
}

static void release_handover(struct act *act)
{
    struct handover_act *h = (struct handover_act *)act;

    buf_release(&h->row.note);
    buf_release(&h->row.who);
}

static int apply_handover(struct act *act, struct db *db)
{
    struct handover_act *h = (struct handover_act *)act;
    int result = need_done(act, db);

    if (result != DB_OK || act->status != 200)
        return result;
    buf_clear(&h->row.who);
    buf_adds(&h->row.who, act->who.name);
    buf_printf(&act->detail, "%" PRId64 "/%d %s", act_number(act, 0), h->row.addressee,
               act_field(act, "day"));
    return db_handover_set(db, act_number(act, 0), &h->row);
}

static void answer_handover(struct act *act)
{
    delivery_changed(desk_of(act)->delivery_config);
    go_back(act, "handed");
}

static void show_handover(struct act *act, cJSON *page, const char *day, const char *note)
{
    page_text(page, "day", day);
    page_text(page, "note", note);
    desk_page_send(act, page, "handover", act->status);
}

static void answer_handover_form(struct act *act)
{
    cJSON *page = new_form(act, "handover");

    show_handover(act, page, cJSON_GetStringValue(cJSON_GetObjectItem(page, "today")), "");
}

static void refuse_handover(struct act *act)
{
    const struct handover_act *h = (const struct handover_act *)act;
    cJSON *page;

    if (act->status != 422) {
        desk_refuse(act);
        return;
    }
    page = new_form(act, "handover");
    if (h->wrong_day)
        desk_problem(act, page, "day", "desk.error.day");
    if (h->wrong_note)
        desk_problem(act, page, "note", "desk.error.note");
    show_handover(act, page, act_field(act, "day"), act_field(act, "note"));
}

/* ---- completing */

static void begin_complete(struct act *act)
{
    act->why = "desk.error.confirm";
    if (strcmp(act_field(act, "sure"), "yes") != 0)
        act->status = 422;
}

static int apply_complete(struct act *act, struct db *db)
{
    int result = need_done(act, db);

    act->why = NULL;
    if (result != DB_OK || act->status != 200)
        return result;
    buf_printf(&act->detail, "%" PRId64, act_number(act, 0));
    result = db_delivery_complete(db, act_number(act, 0), time(NULL));
    if (result == DB_NO_ROW)
        act->status = 409;
    return result == DB_NO_ROW ? DB_OK : result;
}

/* A server that dies before the files are gone deletes them at its next start. */
static void answer_complete(struct act *act)
{
    int result = delivery_forget_names(desk_of(act)->delivery_config, act_number(act, 0));

    go_back(act, result == 0 ? "completed" : "undeleted");
}

static void answer_complete_form(struct act *act)
{
    desk_page_send(act, new_form(act, "complete"), "complete", 200);
}

DESK_HANDLER(desk_get_handover, .role = ROLE_ORGANISER, .apply = need_done,
             .answer = answer_handover_form)
DESK_HANDLER_OF(desk_post_handover, struct handover_act, .role = ROLE_ORGANISER,
                .audit = "handover", .begin = begin_handover, .apply = apply_handover,
                .answer = answer_handover, .refuse = refuse_handover, .release = release_handover)
DESK_HANDLER(desk_get_complete, .role = ROLE_ORGANISER, .apply = need_done,
             .answer = answer_complete_form)
DESK_HANDLER(desk_post_complete, .role = ROLE_ORGANISER, .audit = "delivery.complete",
             .begin = begin_complete, .apply = apply_complete, .answer = answer_complete)
