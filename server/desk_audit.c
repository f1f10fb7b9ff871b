/*
 * desk_audit: who did what, newest first, and whether the chain of hashes holds (see desk.h).
 *
 * Every look reads and checks the whole trail: it grows by what people do, not by signatures.
 */
#include "desk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 50

struct reading {
    const struct act *act;
    int64_t before; /* rows with a smaller id are shown */
    cJSON *rows;
    int64_t last, sound_to;
};

/* ---- one act */

/* The acts whose detail ends with a word of the program's, and where the catalogue has texts. */
static const struct {
    const char *act, *texts;
} worded[] = {
    {"void", "desk.why"},
    {"paper.remove", "desk.why"},
    {"organiser.add", "desk.role"},
    {"organiser.role", "desk.role"},
};

/* The text of a key, or `otherwise` if the catalogue has none. */
static const char *text_or(const struct reading *r, const char *key, const char *otherwise)
{
    const char *text = desk_say(r->act, key);

    return strcmp(text, key) == 0 ? otherwise : text;
}

/* The detail in the page's language. What is stored, and covered by the hash, stays as it is. */
static void add_detail(const struct reading *r, cJSON *row, const struct audit_act *act)
{
    static const char log_size[] = "log size ";
    const char *space = strrchr(act->detail, ' '), *texts = NULL;
    char key[80];

    for (size_t i = 0; space && i < sizeof worded / sizeof *worded; i++)
        if (strcmp(act->act, worded[i].act) == 0)
            texts = worded[i].texts;
    if (texts) {
        snprintf(key, sizeof key, "%s.%.40s", texts, space + 1);
        page_format(row, "detail", "%.*s", (int)(space - act->detail), act->detail);
        page_text(row, "meaning", text_or(r, key, space + 1));
    } else if (strncmp(act->detail, log_size, sizeof log_size - 1) == 0) {
        page_text(row, "log_size", act->detail + sizeof log_size - 1);
    } else {
        page_text(row, "detail", act->detail);
    }
}

/* The last PAGE_ROWS rows before `before` stay in the list, the newest first. */
static int add_row(void *ctx, int64_t id, const struct audit_act *act, bool sound)
{
    struct reading *r = ctx;
    cJSON *row;
    char key[80];

    r->last = id;
    if (sound)
        r->sound_to = id;
    if (id >= r->before)
        return 0;
    row = cJSON_CreateObject();
    snprintf(key, sizeof key, "desk.act.%.60s", act->act);
    page_format(row, "id", "%" PRId64, id);
    desk_time(row, "at", act->at_s);
    page_text(row, "by", act->who);
    page_text(row, "did", text_or(r, key, act->act));
    add_detail(r, row, act);
    cJSON_InsertItemInArray(r->rows, 0, row);
    cJSON_DeleteItemFromArray(r->rows, PAGE_ROWS);
    return 0;
}

/* ---- the page */

static void answer_audit(struct act *act)
{
    const char *before = http_query(act->request, "before");
    struct reading r = {.act = act, .before = before ? strtoll(before, NULL, 10) : INT64_MAX};
    struct db *db = desk_read(act);
    cJSON *page;
    const cJSON *oldest;
    int result;

    if (!db)
        return;
    page = desk_page_new(act, "audit");
    r.rows = page_array(page, "rows");
    result = db_audit_read(db, add_row, &r);
    desk_read_end(db);
    oldest = cJSON_GetArrayItem(r.rows, cJSON_GetArraySize(r.rows) - 1);
    page_format(page, "last", "%" PRId64, r.last);
    page_format(page, "sound_to", "%" PRId64, r.sound_to);
    page_flag(page, "broken", r.sound_to != r.last);
    if (oldest && strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(oldest, "id")), "1") != 0)
        page_text(page, "older", cJSON_GetStringValue(cJSON_GetObjectItem(oldest, "id")));
    if (result == DB_OK) {
        desk_page_send(act, page, "audit", 200);
        return;
    }
    cJSON_Delete(page);
    http_fail(act->request, 503);
}

DESK_HANDLER(desk_get_audit, .role = ROLE_READER, .answer = answer_audit)
