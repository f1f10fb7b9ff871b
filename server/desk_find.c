/*
 * desk_find: one submission by a code of its receipt, and its removal (see desk.h).
 *
 * By the number of its log entry, by the short code, or by the withdrawal code; never by a name or
 * a contact, which the server could not. Codes come in the body of a POST and go nowhere else.
 */
#include "desk.h"
#include "removal.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum code_kind { CODE_NONE, CODE_INDEX, CODE_SHORT, CODE_WITHDRAW };

struct asked {
    enum code_kind kind;
    int64_t index;
    char plain[CODE_MAX]; /* CODE_SHORT: as it is printed */
    uint8_t seed[SEED_LEN];
};

static void read_code(struct asked *a, const char *typed)
{
    char *end;

    *a = (struct asked){0};
    typed += strspn(typed, " #");
    if (entry_parse_withdraw_code(&a->index, a->seed, typed) == 0) {
        a->kind = CODE_WITHDRAW;
        return;
    }
    if (entry_parse_short_code(&a->index, a->plain, typed) == 0) {
        a->kind = CODE_SHORT;
        return;
    }
    a->index = strtoll(typed, &end, 10);
    if (end != typed && a->index > 0 && a->index < INT64_MAX && end[strspn(end, " ")] == '\0')
        a->kind = CODE_INDEX;
}

/* True if the code is that of the submission, not only of its place. */
static bool fits(const struct asked *a, const struct submission_view *s)
{
    uint8_t leaf[HASH_LEN], secret[HASH_LEN], expected[HASH_LEN], given[HASH_LEN];
    char code[CODE_MAX];

    if (a->kind == CODE_SHORT) {
        merkle_leaf(leaf, s->body.data, s->body.len);
        entry_short_code(code, a->index, leaf);
        return strcmp(code, a->plain) == 0;
    }
    if (a->kind == CODE_WITHDRAW) {
        entry_withdraw_secret(secret, a->seed);
        entry_withdraw_hash(given, secret);
        return entry_sign_w(expected, s->body.data, s->body.len) == 0 &&
               sodium_memcmp(expected, given, HASH_LEN) == 0;
    }
    return true;
}

/* ---- what is found */

/* How a submission that is not live ended. */
static int add_end(const struct act *act, struct db *db, cJSON *found, int64_t index)
{
    enum void_why why;
    int64_t at;
    int result = db_submission_end(db, index, &at, &why);

    if (result != DB_OK)
        return result == DB_NO_ROW ? DB_OK : result;
    if (why == VOID__MAX)
        desk_word(act, found, "state", "desk.found", "withdrawn");
    else
        desk_word(act, found, "state", "desk.found", "removed");
    if (why != VOID__MAX)
        desk_word(act, found, "reason", "desk.why", void_why_names[why]);
    page_format(found, "end", "%" PRId64, at);
    return DB_OK;
}

static int add_found(const struct act *act, struct db *db, cJSON *page, int64_t index,
                     const struct submission_view *s)
{
    const struct content *content = desk_of(act)->view->content;
    cJSON *found = cJSON_AddObjectToObject(page, "found");

    page_format(found, "index", "%" PRId64, index);
    desk_word(act, found, "tier", "desk.tier", tier_names[s->tier]);
    page_text(found, "country", content_country_name(content, s->country, desk_lang(act)));
    desk_day(act, found, "day", s->day);
    desk_word(act, found, "visibility", "desk.visibility", visibility_names[s->visibility]);
    page_text(found, "name", s->name.data);
    if (s->batch)
        page_format(found, "batch", "%" PRId64, s->batch);
    page_flag(found, "live", s->live);
    if (!s->live)
        return add_end(act, db, found, index);
    desk_word(act, found, "state", "desk.found", "live");
    desk_reasons(act, found);
    return DB_OK;
}

/* Looks the code up and shows the page. */
static void look_up(struct act *act, const struct asked *asked)
{
    struct submission_view s;
    struct db *db = desk_read(act);
    cJSON *page;
    int result;

    if (!db)
        return;
    page = desk_page_new(act, "find");
    buf_init(&s.name, BUF_UNLIMITED);
    buf_init(&s.body, BUF_UNLIMITED);
    result = db_submission_show(db, asked->index, &s);
    if (result == DB_OK && fits(asked, &s))
        result = add_found(act, db, page, asked->index, &s);
    else if (result >= 0)
        page_flag(page, "nothing", true);
    buf_release(&s.name);
    buf_release(&s.body);
    desk_read_end(db);
    if (result >= 0) {
        desk_page_send(act, page, "find", cJSON_HasObjectItem(page, "found") ? 200 : 404);
        return;
    }
    cJSON_Delete(page);
    http_fail(act->request, 503);
}

static void answer_find_form(struct act *act)
{
    desk_page_send(act, desk_page_new(act, "find"), "find", 200);
}

static void answer_find(struct act *act)
{
    struct asked asked;
    cJSON *page;

    read_code(&asked, act_field(act, "code"));
    if (asked.kind != CODE_NONE) {
        look_up(act, &asked);
    } else {
        page = desk_page_new(act, "find");
        page_flag(page, "mistyped", true);
        desk_page_send(act, page, "find", 422);
    }
    sodium_memzero(&asked, sizeof asked);
}

/* ---- removing: a preview first, then for good */

struct void_act {
    struct act act;
    int64_t index;
    enum void_why why;
    uint64_t before, after; /* signatures */
};

static void begin_void(struct act *act)
{
    struct void_act *v = (struct void_act *)act;

    v->index = strtoll(act_field(act, "index"), NULL, 10);
    v->why = removal_reason(act_field(act, "why"));
    act->why = "desk.error.reason";
    if (v->why == VOID__MAX || v->index <= 0)
        act->status = 422;
}

static int apply_void(struct act *act, struct db *db)
{
    struct void_act *v = (struct void_act *)act;
    struct totals totals;
    int result;

    act->why = "desk.error.not_live";
    buf_printf(&act->detail, "%" PRId64 " %s", v->index, void_why_names[v->why]);
    result = db_totals(db, &totals);
    v->before = totals.signatures;
    if (result == DB_OK)
        result = removal_apply(db, v->index, v->why);
    if (result == DB_NO_ROW)
        act->status = 409;
    if (result == DB_OK)
        result = db_totals(db, &totals);
    v->after = totals.signatures;
    return result == DB_NO_ROW ? DB_OK : result;
}

static void answer_void(struct act *act)
{
    desk_redirect(act, "/admin/find", "removed");
}

/* What removing would do, without doing it. */
static int apply_void_preview(struct act *act, struct db *db)
{
    struct void_act *v = (struct void_act *)act;
    struct totals totals;
    bool alone = false;
    int result = db_submission_alone(db, v->index, &alone);

    act->why = "desk.error.not_live";
    if (result == DB_NO_ROW)
        act->status = 409;
    if (result == DB_OK)
        result = db_totals(db, &totals);
    if (result != DB_OK)
        return result == DB_NO_ROW ? DB_OK : result;
    v->before = totals.signatures;
    v->after = totals.signatures - alone;
    return DB_OK;
}

static void answer_void_preview(struct act *act)
{
    const struct void_act *v = (const struct void_act *)act;
    cJSON *page = desk_page_new(act, "void");

    page_format(page, "index", "%" PRId64, v->index);
    page_text(page, "why", void_why_names[v->why]);
    desk_word(act, page, "reason", "desk.why", void_why_names[v->why]);
    desk_number(act, page, "before", v->before);
    desk_number(act, page, "after", v->after);
    page_flag(page, "repeat", v->before == v->after);
    desk_page_send(act, page, "void", 200);
}

DESK_HANDLER(desk_get_find, .role = ROLE_ORGANISER, .answer = answer_find_form)
DESK_HANDLER(desk_post_find, .role = ROLE_ORGANISER, .answer = answer_find)
DESK_HANDLER_OF(desk_post_void_preview, struct void_act, .role = ROLE_ORGANISER,
                .begin = begin_void, .apply = apply_void_preview, .answer = answer_void_preview)
DESK_HANDLER_OF(desk_post_void, struct void_act, .role = ROLE_ORGANISER, .audit = "void",
                .begin = begin_void, .apply = apply_void, .answer = answer_void)
