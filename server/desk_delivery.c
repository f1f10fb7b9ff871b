/*
 * desk_delivery: deliveries from the preview to the download, and the letters (see desk.h).
 *
 * A delivery is made by its own thread (delivery.h); the page only looks how far it is, and asks
 * the browser to come again while it runs. A reader sees the list, but nothing can be downloaded.
 */
#include "desk.h"
#include "download.h"
#include "letter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LETTERS_MAX 16 /* of one addressee */

/* ---- addressees */

static const cJSON *addressee_at(const struct act *act, int position)
{
    return cJSON_GetArrayItem(desk_of(act)->view->content->addressees, position);
}

static const char *member(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

    return text ? text : "";
}

static struct letter_source letter_source(const struct act *act, int position)
{
    const struct bundle_context *b = &desk_of(act)->delivery_config->bundle;

    return (struct letter_source){.content = b->content,
                                  .organiser_name = b->organiser_name,
                                  .organiser_contact = b->organiser_contact,
                                  .origin = b->origin,
                                  .base_url = b->base_url,
                                  .minisign_key = desk_of(act)->view->minisign_key,
                                  .position = position};
}

/* Who it is, and how many letters they get. */
static void add_addressee(const struct act *act, cJSON *row, int position)
{
    const struct content *content = desk_of(act)->view->content;
    const cJSON *addressee = addressee_at(act, position);
    const char *place = member(addressee, "place");
    struct letter_source source = letter_source(act, position);

    page_format(row, "number", "%d", position + 1);
    page_format(row, "letter_count", "%zu", letter_list(&source, NULL, 0));
    page_text(row, "place",
              *place ? place
                     : content_country_name(content, member(addressee, "country"), desk_lang(act)));
}

/* As above, and whether with names if a bundle was made today. */
static void add_preview_of(const struct act *act, cJSON *row, int position)
{
    add_addressee(act, row, position);
    page_flag(row, "names", delivery_has_names(desk_of(act)->view->content, position + 1));
}

/* The people of an addressee, with a link to each of their letters. */
static void add_people(const struct act *act, cJSON *row, int position)
{
    struct letter_source source = letter_source(act, position);
    const cJSON *people = cJSON_GetObjectItemCaseSensitive(addressee_at(act, position), "people");
    struct letter_to letters[LETTERS_MAX];
    size_t count = letter_list(&source, letters, LETTERS_MAX);
    cJSON *list = page_array(row, "letters");

    for (size_t i = 0; i < count; i++) {
        const cJSON *person = cJSON_GetArrayItem(people, letters[i].person);
        const char *code = lang_codes[letters[i].lang];
        cJSON *letter = page_object(list);

        page_text(letter, "person", member(person, "name"));
        page_text(letter, "office", member(person, "office"));
        page_text(letter, "code", code);
        page_format(letter, "path", "/admin/letters/%d/%d-%s", position + 1, letters[i].person + 1,
                    code);
    }
}

/* ---- the list and the preview */

static const char *state_word(const struct delivery_row *row)
{
    return row->completed_s ? "completed" : delivery_state_names[row->state];
}

static void add_state(const struct act *act, cJSON *item, const struct delivery_row *row)
{
    double progress = delivery_progress(desk_of(act)->delivery, row->id);
    bool running = row->state == DELIVERY_QUEUED || row->state == DELIVERY_RUNNING;

    page_format(item, "id", "%" PRId64, row->id);
    desk_word(act, item, "state", "desk.state", state_word(row));
    desk_time(item, "requested", row->requested_s);
    page_text(item, "by", row->organiser);
    if (row->size > 0)
        desk_number(act, item, "size", (uint64_t)row->size);
    if (running)
        page_format(item, "progress", "%d", (int)(100 * progress));
    page_flag(item, "running", running);
    page_flag(item, "done", row->state == DELIVERY_DONE);
    page_flag(item, "failed", row->state == DELIVERY_FAILED);
    page_flag(item, "completed", row->completed_s != 0);
}

static int add_list(const struct act *act, struct db *db, cJSON *page)
{
    cJSON *list = page_array(page, "deliveries");
    int64_t id = INT64_MAX;
    int result;

    while ((result = db_delivery_last(db, id, &id)) == DB_OK) {
        struct delivery_row row;

        delivery_row_init(&row);
        result = db_delivery_get(db, id, &row);
        if (result == DB_OK)
            add_state(act, page_object(list), &row);
        delivery_row_release(&row);
        if (result != DB_OK)
            break;
    }
    return result == DB_NO_ROW ? DB_OK : result;
}

/* What a delivery of now would hold: the rows, and those with a name. */
static int add_preview(const struct act *act, struct db *db, cJSON *page)
{
    uint64_t named = 0;
    struct totals totals;
    cJSON *rows = page_array(page, "preview");
    int result = db_totals(db, &totals);

    if (result == DB_OK)
        result = db_named(db, &named);
    if (result != DB_OK)
        return result;
    desk_number(act, page, "rows", totals.live);
    desk_number(act, page, "named", named);
    for (int i = 0; i < ADDRESSEE_COUNT; i++) {
        cJSON *row = page_object(rows);

        add_preview_of(act, row, i);
        add_people(act, row, i);
    }
    return DB_OK;
}

/* Sends the page, or says that the database could not be read. */
static void send(struct act *act, struct db *db, cJSON *page, const char *name, int result)
{
    desk_read_end(db);
    if (result == DB_OK) {
        desk_page_send(act, page, name, 200);
        return;
    }
    cJSON_Delete(page);
    act->status = result == DB_NO_ROW ? 404 : 503;
    desk_refuse(act);
}

static void answer_deliveries(struct act *act)
{
    struct db *db = desk_read(act);
    cJSON *page;
    int result;

    if (!db)
        return;
    page = desk_page_new(act, "deliveries");
    result = add_list(act, db, page);
    if (result == DB_OK)
        result = add_preview(act, db, page);
    send(act, db, page, "deliveries", result);
}

static void answer_letters(struct act *act)
{
    cJSON *page = desk_page_new(act, "letters"), *rows = page_array(page, "preview");

    for (int i = 0; i < ADDRESSEE_COUNT; i++) {
        cJSON *row = page_object(rows);

        add_preview_of(act, row, i);
        add_people(act, row, i);
    }
    desk_page_send(act, page, "letters", 200);
}

/* ---- one delivery */

struct start_act {
    struct act act;
    int64_t id;
};

static int apply_start(struct act *act, struct db *db)
{
    struct start_act *s = (struct start_act *)act;
    int result = db_delivery_add(db, act->who.name, time(NULL), &s->id);

    buf_printf(&act->detail, "%" PRId64, s->id);
    return result;
}

static void answer_start(struct act *act)
{
    struct start_act *s = (struct start_act *)act;
    char path[60];

    delivery_wake(desk_of(act)->delivery);
    snprintf(path, sizeof path, "/admin/deliveries/%" PRId64, s->id);
    desk_redirect(act, path, "started");
}

static void add_handover(const struct act *act, cJSON *row, const struct handover_row *h)
{
    page_flag(row, "handed", true);
    desk_day(act, row, "handed_day", h->day);
    page_text(row, "handed_note", h->note.data);
    page_text(row, "handed_by", h->who.data);
}

/* Its file, as it is on the disk; one that is not there counts as one with names. Whether it can be
 * downloaded. */
static bool add_file(const struct act *act, cJSON *row, const struct delivery_row *d, int addressee)
{
    struct buf path;
    bool is_there, nameless, here;

    buf_init(&path, BUF_UNLIMITED);
    is_there = delivery_find_bundle(&path, desk_of(act)->delivery_config, d->id, addressee);
    nameless = is_there && bundle_is_nameless(path.data, d->id, addressee);
    buf_release(&path);
    here = is_there && (nameless || !d->completed_s);
    page_flag(row, "names", !nameless);
    page_flag(row, "here", here);
    page_flag(row, "left", is_there && !nameless && d->completed_s);
    page_flag(row, "gone", !is_there && d->completed_s);
    page_flag(row, "missing", !is_there && !d->completed_s);
    return here;
}

static uint64_t kib(int64_t bytes)
{
    return (uint64_t)(bytes + 1023) / 1024;
}

/* One line for each addressee: its file, and whether it was handed over. */
static int add_bundles(const struct act *act, struct db *db, cJSON *page,
                       const struct delivery_row *d)
{
    struct bundle_row bundles[ADDRESSEE_COUNT];
    struct handover_row handed[ADDRESSEE_COUNT];
    size_t count = ADDRESSEE_COUNT, handed_count = ADDRESSEE_COUNT;
    cJSON *rows = page_array(page, "bundles");
    int64_t here = 0;
    int result = db_bundles(db, d->id, bundles, &count);

    if (result != DB_OK)
        return result;
    result = db_handovers(db, d->id, handed, &handed_count);
    for (size_t i = 0; i < count && d->state == DELIVERY_DONE; i++) {
        cJSON *row = page_object(rows);

        add_addressee(act, row, bundles[i].addressee - 1);
        if (add_file(act, row, d, bundles[i].addressee))
            here += bundles[i].bytes;
        desk_number(act, row, "bytes", kib(bundles[i].bytes));
        for (size_t h = 0; h < handed_count; h++)
            if (handed[h].addressee == bundles[i].addressee)
                add_handover(act, row, &handed[h]);
    }
    if (here > 0)
        desk_number(act, page, "all_bytes", kib(here));
    for (size_t h = 0; h < handed_count; h++) {
        buf_release(&handed[h].note);
        buf_release(&handed[h].who);
    }
    return result;
}

static void answer_delivery(struct act *act)
{
    struct db *db = desk_read(act);
    struct delivery_row row;
    cJSON *page;
    int result;

    if (!db)
        return;
    page = desk_page_new(act, "delivery");
    delivery_row_init(&row);
    result = db_delivery_get(db, act_number(act, 0), &row);
    if (result == DB_OK) {
        add_state(act, page, &row);
        page_text(page, "failure", row.why.data);
        result = add_bundles(act, db, page, &row);
    }
    delivery_row_release(&row);
    send(act, db, page, "delivery", result);
}

/* Reads the delivery; sets the status if it is not one that is done. */
static int get_done(struct act *act, struct db *db, struct delivery_row *row)
{
    int result = db_delivery_get(db, act_number(act, 0), row);

    if (result == DB_NO_ROW || row->state != DELIVERY_DONE)
        act->status = 404;
    return result == DB_NO_ROW ? DB_OK : result;
}

static int apply_bundle(struct act *act, struct db *db)
{
    int number = (int)act_number(act, 1);
    struct delivery_row row;
    int result;

    delivery_row_init(&row);
    result = get_done(act, db, &row);
    if (number < 1 || number > ADDRESSEE_COUNT)
        act->status = 404;
    if (act->status == 200)
        act->status = download_status(desk_of(act)->delivery_config, &row, number);
    delivery_row_release(&row);
    buf_printf(&act->detail, "%" PRId64 "/%d", act_number(act, 0), number);
    return result;
}

static void answer_bundle(struct act *act)
{
    download_bundle(act->request, desk_of(act)->delivery_config, act_number(act, 0),
                    (int)act_number(act, 1));
}

struct all_act {
    struct act act;
    struct delivery_row row;
};

static void begin_all(struct act *act)
{
    delivery_row_init(&((struct all_act *)act)->row);
}

static void release_all(struct act *act)
{
    delivery_row_release(&((struct all_act *)act)->row);
}

static int apply_all(struct act *act, struct db *db)
{
    struct delivery_row *row = &((struct all_act *)act)->row;
    int result = get_done(act, db, row);

    if (act->status == 200)
        act->status = download_all_status(desk_of(act)->delivery_config, row);
    buf_printf(&act->detail, "%" PRId64 "/all", act_number(act, 0));
    return result;
}

static void answer_all(struct act *act)
{
    download_all(act->request, desk_of(act)->delivery_config, &((struct all_act *)act)->row);
}

/* ---- a letter, as it would be sent now */

/* The letter that the address names; false if there is none. */
static bool find_letter(const struct act *act, struct letter_source *source, struct letter_to *out)
{
    int position = (int)act_number(act, 0) - 1;
    struct letter_to letters[LETTERS_MAX];
    size_t count = 0;
    char name[20];

    if (position >= 0 && position < ADDRESSEE_COUNT) {
        *source = letter_source(act, position);
        count = letter_list(source, letters, LETTERS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%d-%s", letters[i].person + 1, lang_codes[letters[i].lang]);
        *out = letters[i];
        if (strcmp(name, http_param(act->request, 1)) == 0)
            return true;
    }
    return false;
}

/* The figures of this moment, as a delivery would have them; NULL if they cannot be read. */
static cJSON *current_figures(const struct act *act, struct db *db)
{
    struct delivery_row row = {.id = 1, .frozen_s = time(NULL), .size = db_log_size(db)};
    struct publication tables = {0};
    struct buf text;
    cJSON *figures = NULL;

    buf_init(&text, BUF_UNLIMITED);
    if (db_delivery_last(db, INT64_MAX, &row.id) == DB_OK)
        row.id++;
    if (publication_collect(&tables, db, desk_of(act)->delivery_config->count_step) == DB_OK &&
        bundle_figures(&text, &row, db, &tables) == 0)
        figures = cJSON_Parse(text.data);
    publication_release(&tables);
    buf_release(&text);
    return figures;
}

static void answer_letter(struct act *act)
{
    struct letter_source source;
    struct letter_to to;
    cJSON *figures;
    struct buf html;
    struct db *db;

    if (!find_letter(act, &source, &to)) {
        act->status = 404;
        desk_refuse(act);
        return;
    }
    db = desk_read(act);
    if (!db)
        return;
    figures = current_figures(act, db);
    desk_read_end(db);
    if (!figures) {
        http_fail(act->request, 503);
        return;
    }
    source.figures = figures;
    buf_init(&html, BUF_UNLIMITED);
    letter_write(&html, &source, &to);
    cJSON_Delete(figures);
    http_reply(act->request, 200, DESK_HTML, &html);
}

DESK_HANDLER(desk_get_deliveries, .role = ROLE_READER, .answer = answer_deliveries)
DESK_HANDLER_OF(desk_post_delivery, struct start_act, .role = ROLE_ORGANISER,
                .audit = "delivery.start", .apply = apply_start, .answer = answer_start)
DESK_HANDLER(desk_get_delivery, .role = ROLE_READER, .answer = answer_delivery)
DESK_HANDLER(desk_get_bundle, .role = ROLE_ORGANISER, .audit = "bundle.download",
             .apply = apply_bundle, .answer = answer_bundle)
DESK_HANDLER_OF(desk_get_all_bundles, struct all_act, .role = ROLE_ORGANISER,
                .audit = "bundle.download", .begin = begin_all, .apply = apply_all,
                .answer = answer_all, .release = release_all)
DESK_HANDLER(desk_get_letters, .role = ROLE_READER, .answer = answer_letters)
DESK_HANDLER(desk_get_letter, .role = ROLE_READER, .answer = answer_letter)
