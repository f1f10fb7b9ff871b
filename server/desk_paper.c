/*
 * desk_paper: batches of paper rows: a dry run, bringing one in, and taking one out (see desk.h).
 *
 * The rows come as a file or pasted into a form, without JavaScript; larger files go in by
 * `petition import`. Nothing is kept between the dry run and the import: its page carries the rows,
 * which are judged again. All these forms are multipart/form-data, which does not blow up Khmer
 * text threefold: what the dry run took also fits into the form of the import. It also names the
 * newest batch, and the import is refused if there is a newer one: so a form that is sent twice
 * counts once.
 *
 * Judging, importing and removing take too long for a request thread: each runs on a thread of its
 * own while the request is parked. How many there can be is limited by the forms in work.
 */
#include "desk.h"
#include "input.h"
#include "removal.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESK_ROWS_MAX  5000    /* that one page can show */
#define DESK_BYTES_MAX 1000000 /* of rows: leaves room for the rest of a form, and CRLF for LF */
#define SHOWN_BATCHES  200

_Static_assert(DESK_BYTES_MAX + 8 * DESK_ROWS_MAX < HTTP_LARGE_MAX_BYTES, "a form holds the rows");

struct paper_act {
    struct act act;
    void (*work)(struct paper_act *a); /* on the thread of its own */
    struct batch_file file;
    const char *problem; /* key of the text: why the rows are not looked at; or NULL */
    bool uploaded;       /* it is the file's */
    struct batch_removal removal;
    struct batch_result result;
    struct buf label;
    cJSON *rows; /* the verdicts, for the page */
};

static struct batches *batches_of(const struct act *act)
{
    return desk_of(act)->batches;
}

/* ---- a thread of its own */

static void *run_work(void *arg)
{
    struct paper_act *a = arg;

    a->work(a);
    http_wake(a->act.request);
    return NULL;
}

static void start_work(struct paper_act *a, http_handler *resume)
{
    pthread_attr_t detached;
    pthread_t thread;

    a->result.outcome = BATCH_BUSY;
    http_park(a->act.request, resume, a);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &detached, run_work, a) != 0)
        http_wake(a->act.request);
    pthread_attr_destroy(&detached);
}

/* A refusal that gives the rows back, if there are any: they may be nowhere else. */
static void refuse_rows(struct act *act)
{
    const char *rows = act_field(act, "csv");
    cJSON *page = desk_refusal(act);

    if (*rows) {
        page_flag(page, "again", true);
        page_text(page, "csv", rows);
        page_text(page, "typed_label", act_field(act, "label"));
    }
    desk_page_send(act, page, "refused", act->status);
}

/* What is neither done nor shown row by row. */
static void refuse_outcome(struct paper_act *a)
{
    static const struct {
        int status;
        const char *why;
    } refusals[BATCH_OUTCOME__COUNT] = {
        [BATCH_BUSY] = {503, "desk.paper.error.busy"},
        [BATCH_STALE] = {409, "desk.paper.error.stale"},
        [BATCH_CLOSED] = {409, "desk.paper.error.closed"},
        [BATCH_UNKNOWN] = {404, NULL},
        [BATCH_GONE] = {409, "desk.paper.error.gone"},
        [BATCH_FAILED] = {503, "desk.paper.error.failed"},
        [BATCH_INTERRUPTED] = {503, "desk.paper.error.interrupted"},
    };

    a->act.status = refusals[a->result.outcome].status;
    a->act.why = refusals[a->result.outcome].why;
    refuse_rows(&a->act);
}

/* ---- verdicts */

static void add_reason(const struct act *act, cJSON *row, enum sign_field field,
                       enum field_reason reason)
{
    cJSON *problem = page_object(cJSON_GetObjectItem(row, "problems"));

    desk_word(act, problem, "field", "desk.paper.field", sign_field_names[field]);
    desk_word(act, problem, "reason", "desk.paper.reason", field_reason_names[reason]);
}

static void add_verdict(void *ctx, const struct paper_row *row)
{
    struct paper_act *a = ctx;
    cJSON *shown = page_object(a->rows);

    page_format(shown, "line", "%zu", row->line);
    page_text(shown, "name", row->form.name.data);
    page_flag(shown, "good", row->valid);
    page_flag(shown, "repeat", row->repeat);
    page_flag(shown, "no_contact", row->valid && row->form.contact.len == 0);
    page_flag(shown, "cells", row->wrong_cells);
    page_array(shown, "problems");
    for (int field = 0; field < FIELD__COUNT; field++)
        if (row->form.errors[field] != FIELD_OK)
            add_reason(&a->act, shown, (enum sign_field)field, row->form.errors[field]);
}

static void check(struct paper_act *a)
{
    batch_check(batches_of(&a->act), &a->file, &a->result);
}

/* A page with what was sent in its form; what is not text cannot be shown. */
static cJSON *new_check_page(const struct paper_act *a)
{
    cJSON *page = desk_page_new(&a->act, "paper_check");

    if (input_is_utf8(a->file.data, a->file.len))
        page_text(page, "csv", a->file.data);
    page_text(page, "typed_label", a->file.label);
    return page;
}

static void show_problem(struct paper_act *a)
{
    const char *field = a->uploaded ? "file" : "csv";
    cJSON *page = new_check_page(a);
    cJSON *problem = page_object(page_array(page, "problems"));

    page_flag(page, "problems_exist", true);
    page_text(problem, "target", field);
    page_text(problem, "text", desk_say(&a->act, a->problem));
    page_text(page, a->uploaded ? "file_error" : "csv_error", desk_say(&a->act, a->problem));
    desk_page_send(&a->act, page, "paper_check", 422);
}

/* The rows again, what is said of each, and what can be done next. */
static void show_verdicts(struct paper_act *a)
{
    const struct act *act = &a->act;
    const struct paper_totals *totals = &a->result.totals;
    cJSON *page = new_check_page(a);
    bool good = a->result.outcome == BATCH_DONE;

    page_format(page, "after", "%" PRId64, a->file.after);
    page_flag(page, "good", good);
    if (a->result.outcome == BATCH_FAULT) {
        desk_word(act, page, "fault", "desk.paper.fault", paper_fault_names[a->result.fault]);
        page_format(page, "fault_line", "%zu", a->result.line);
    }
    desk_number(act, page, "row_count", totals->rows);
    desk_number(act, page, "wrong", totals->wrong);
    desk_number(act, page, "repeats", totals->repeats);
    desk_number(act, page, "without_contact", totals->without_contact);
    page_flag(page, "any", totals->rows > 0);
    cJSON_AddItemToObject(page, "rows", a->rows);
    a->rows = NULL;
    desk_page_send(act, page, "paper_check", good ? 200 : 422);
}

static void begin_file(struct act *act)
{
    struct paper_act *a = (struct paper_act *)act;

    buf_init(&a->label, BUF_UNLIMITED);
    input_clean_line(&a->label, act_field(act, "label"));
    if (input_code_points(a->label.data) > BATCH_LABEL_MAX) {
        act->status = 422;
        act->why = "desk.paper.error.label";
    }
    a->rows = cJSON_CreateArray();
    a->file = (struct batch_file){.data = act_field(act, "csv"),
                                  .len = strlen(act_field(act, "csv")),
                                  .rows_max = DESK_ROWS_MAX,
                                  .after = strtoll(act_field(act, "after"), NULL, 10),
                                  .label = a->label.data,
                                  .row = add_verdict,
                                  .ctx = a};
}

/* For the dry run the rows may also be a file: one, and then nothing pasted. */
static void begin_check(struct act *act)
{
    struct paper_act *a = (struct paper_act *)act;
    const struct input_member *file = NULL;
    size_t files = 0;
    bool has_text = false, pasted = false;

    begin_file(act);
    for (size_t i = 0; i < act->form.count; i++) {
        const struct input_member *m = &act->form.members[i];
        bool is_text = m->type == INPUT_STRING && strcmp(m->name, "csv") == 0;

        has_text |= is_text;
        pasted |= is_text && *m->string;
        if (m->type == INPUT_FILE && ++files && strcmp(m->name, "file") == 0)
            file = m;
    }
    a->uploaded = files > 0 || !has_text;
    if (files > 1)
        a->problem = "desk.paper.error.files";
    else if (files == 1 && pasted)
        a->problem = "desk.paper.error.both";
    else if (a->uploaded && !file)
        a->problem = "desk.paper.error.file";
    else if ((file ? file->len : a->file.len) > DESK_BYTES_MAX)
        a->problem = "desk.paper.error.large";
    if (file && !a->problem) {
        a->file.data = file->string;
        a->file.len = file->len;
    }
}

static void release_file(struct act *act)
{
    struct paper_act *a = (struct paper_act *)act;

    buf_release(&a->label);
    cJSON_Delete(a->rows);
}

/* Which batch the import must come next to. */
static int apply_check(struct act *act, struct db *db)
{
    struct paper_act *a = (struct paper_act *)act;
    int result;

    a->file.after = 0;
    result = db_batch_last(db, INT64_MAX, &a->file.after);
    return result == DB_NO_ROW ? DB_OK : result;
}

static void on_checked(struct http_request *rq, void *ctx)
{
    struct paper_act *a = ctx;

    (void)rq;
    if (a->result.outcome == BATCH_BUSY || a->result.outcome == BATCH_CLOSED)
        refuse_outcome(a);
    else
        show_verdicts(a);
}

static void answer_check(struct act *act)
{
    struct paper_act *a = (struct paper_act *)act;

    if (a->problem) {
        show_problem(a);
        return;
    }
    a->work = check;
    a->file.lang = desk_lang(act);
    start_work(a, on_checked);
}

/* ---- bringing a batch in */

static void import(struct paper_act *a)
{
    batch_import(batches_of(&a->act), &a->file, &a->result);
}

static void on_imported(struct http_request *rq, void *ctx)
{
    struct paper_act *a = ctx;

    (void)rq;
    if (a->result.outcome == BATCH_DONE)
        desk_redirect(&a->act, "/admin/paper", "paper_in");
    else if (a->result.outcome == BATCH_FAULT || a->result.outcome == BATCH_WRONG_ROWS)
        show_verdicts(a);
    else
        refuse_outcome(a);
}

static void answer_import(struct act *act)
{
    struct paper_act *a = (struct paper_act *)act;

    a->work = import;
    a->file.lang = desk_lang(act);
    a->file.who = act->who.name;
    start_work(a, on_imported);
}

/* ---- the batches */

static const char *state_of(const struct batch_row *b, int64_t in_work)
{
    if (b->id == in_work)
        return "in_work";
    if (b->removed_s)
        return b->live > 0 ? "half_out" : "out";
    return b->done_s ? "in" : "half_in";
}

static void add_batch(const struct act *act, cJSON *list, const struct batch_row *b)
{
    cJSON *batch = page_object(list);
    int64_t in_work = batch_in_work(batches_of(act));

    page_format(batch, "id", "%" PRId64, b->id);
    page_text(batch, "label", b->label.data);
    page_text(batch, "who", b->who.data);
    desk_day(act, batch, "day", b->day);
    desk_number(act, batch, "row_count", (uint64_t)b->rows);
    desk_number(act, batch, "live", (uint64_t)b->live);
    desk_number(act, batch, "without_contact", (uint64_t)b->without_contact);
    desk_word(act, batch, "state", "desk.paper.state", state_of(b, in_work));
    if (b->why != VOID__MAX)
        desk_word(act, batch, "reason", "desk.why", void_why_names[b->why]);
    page_flag(batch, "may_remove",
              b->id != in_work && act->who.role >= ROLE_ORGANISER &&
                  (b->live > 0 || !b->removed_s));
}

/* Newest first. The sums are over all batches that are in. */
static int add_batches(const struct act *act, struct db *db, cJSON *page)
{
    cJSON *list = page_array(page, "batches");
    uint64_t live = 0, without_contact = 0;
    int64_t id = INT64_MAX;
    struct batch_row b;
    int result, shown = 0;

    batch_row_init(&b);
    while ((result = db_batch_last(db, id, &id)) == DB_OK) {
        result = db_batch_get(db, id, &b);
        if (result != DB_OK)
            break;
        live += (uint64_t)b.live;
        without_contact += b.removed_s ? 0 : (uint64_t)b.without_contact;
        if (shown++ < SHOWN_BATCHES)
            add_batch(act, list, &b);
    }
    batch_row_release(&b);
    page_flag(page, "any", shown > 0);
    desk_number(act, page, "live", live);
    desk_number(act, page, "without_contact", without_contact);
    return result == DB_NO_ROW ? DB_OK : result;
}

static void answer_list(struct act *act)
{
    struct db *db = desk_read(act);
    cJSON *page;
    int result;

    if (!db)
        return;
    page = desk_page_new(act, "paper");
    result = add_batches(act, db, page);
    desk_read_end(db);
    if (result == DB_OK) {
        desk_page_send(act, page, "paper", 200);
        return;
    }
    cJSON_Delete(page);
    http_fail(act->request, 503);
}

/* ---- taking a batch out */

static void answer_removal_page(struct act *act)
{
    struct db *db = desk_read(act);
    struct batch_row b;
    cJSON *page;
    int result;

    if (!db)
        return;
    batch_row_init(&b);
    result = db_batch_get(db, act_number(act, 0), &b);
    desk_read_end(db);
    if (result == DB_OK) {
        page = desk_page_new(act, "paper_remove");
        add_batch(act, page_array(page, "batch"), &b);
        desk_reasons(act, page);
        desk_page_send(act, page, "paper_remove", 200);
    } else {
        act->status = result == DB_NO_ROW ? 404 : 503;
        desk_refuse(act);
    }
    batch_row_release(&b);
}

static void begin_removal(struct act *act)
{
    struct paper_act *a = (struct paper_act *)act;

    a->removal = (struct batch_removal){.id = act_number(act, 0),
                                        .why = removal_reason(act_field(act, "why"))};
    act->why = "desk.error.reason";
    if (a->removal.why == VOID__MAX)
        act->status = 422;
}

static void take_out(struct paper_act *a)
{
    batch_remove(batches_of(&a->act), &a->removal, &a->result);
}

static void on_removed(struct http_request *rq, void *ctx)
{
    struct paper_act *a = ctx;

    (void)rq;
    if (a->result.outcome == BATCH_DONE)
        desk_redirect(&a->act, "/admin/paper", "paper_out");
    else
        refuse_outcome(a);
}

static void answer_removal(struct act *act)
{
    struct paper_act *a = (struct paper_act *)act;

    a->work = take_out;
    a->removal.who = act->who.name;
    start_work(a, on_removed);
}

DESK_HANDLER(desk_get_paper, .answer = answer_list)
DESK_HANDLER_OF(desk_post_paper_check, struct paper_act, .role = ROLE_ORGANISER,
                .begin = begin_check, .apply = apply_check, .answer = answer_check,
                .refuse = refuse_rows, .release = release_file)
DESK_HANDLER_OF(desk_post_paper, struct paper_act, .role = ROLE_ORGANISER, .begin = begin_file,
                .answer = answer_import, .refuse = refuse_rows, .release = release_file)
DESK_HANDLER(desk_get_paper_removal, .role = ROLE_ORGANISER, .answer = answer_removal_page)
DESK_HANDLER_OF(desk_post_paper_removal, struct paper_act, .role = ROLE_ORGANISER,
                .begin = begin_removal, .answer = answer_removal)
