/*
 * desk_organisers: who may come to the desk; for owners (see desk.h).
 *
 * There is always an owner: the last one can neither be made anything less nor removed. Whoever is
 * removed stays in the journal; sessions, tokens and codes go with the account.
 */
#include "desk.h"
#include "organiser.h"
#include "password.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

static int role_of(const char *word)
{
    for (int role = 0; role < ROLE__COUNT; role++)
        if (strcmp(word, role_names[role]) == 0)
            return role;
    return -1;
}

static void add_roles(const struct act *act, cJSON *object, int current)
{
    cJSON *roles = page_array(object, "roles");

    for (int i = 0; i < ROLE__COUNT; i++) {
        cJSON *role = page_object(roles);

        page_text(role, "word", role_names[i]);
        desk_word(act, role, "role_name", "desk.role", role_names[i]);
        page_flag(role, "selected", i == current);
    }
}

static int add_organisers(const struct act *act, struct db *db, cJSON *page)
{
    cJSON *list = page_array(page, "organisers");
    struct organiser_row row;
    char name[ORGANISER_NAME_MAX + 1] = "";
    int result;

    row = (struct organiser_row){0};
    while ((result = db_organiser_next(db, name, name)) == DB_OK &&
           (result = db_organiser_get(db, name, &row)) == DB_OK) {
        cJSON *item = page_object(list);

        page_text(item, "name", row.name);
        desk_word(act, item, "role_now", "desk.role", role_names[row.role]);
        page_flag(item, "has_totp", row.has_totp);
        add_roles(act, item, (int)row.role);
    }
    sodium_memzero(&row, sizeof row);
    return result == DB_NO_ROW ? DB_OK : result;
}

struct organiser_act {
    struct act act;
    const char *name;
    int role;
    bool wrong_name, wrong_new;
    char hash[PASSWORD_HASH_MAX];
};

/* What was typed into the form for a new organiser, but no password, and what is wrong with it. */
static void add_typed(const struct organiser_act *o, cJSON *page)
{
    const struct act *act = &o->act;

    page_text(page, "typed_name", o->name);
    if (o->wrong_name)
        desk_problem(act, page, "name", "desk.error.organiser");
    else if (act->status == 409)
        desk_problem(act, page, "name", "desk.error.exists");
    if (o->wrong_new)
        desk_problem(act, page, "new", "desk.error.first_password");
    if (act->verdict == 200 && !act->proven)
        desk_problem(act, page, "own", "desk.error.password");
}

/* `refused`: the new organiser that was not added, or NULL. */
static void show_organisers(struct act *act, const struct organiser_act *refused)
{
    struct db *db = desk_read(act);
    cJSON *page;
    int result;

    if (!db)
        return;
    page = desk_page_new(act, "organisers");
    result = add_organisers(act, db, page);
    add_roles(act, page, refused ? refused->role : (int)ROLE_READER);
    if (refused)
        add_typed(refused, page);
    desk_read_end(db);
    if (result == DB_OK) {
        desk_page_send(act, page, "organisers", act->status);
        return;
    }
    cJSON_Delete(page);
    http_fail(act->request, 503);
}

static void answer_organisers(struct act *act)
{
    show_organisers(act, NULL);
}

/* ---- changes */

static void begin_change(struct act *act)
{
    struct organiser_act *o = (struct organiser_act *)act;

    o->name = act_field(act, "name");
    o->role = role_of(act_field(act, "role"));
    o->wrong_name = !organiser_is_name(o->name);
    if (o->wrong_name)
        act->status = 422;
}

static void begin_add(struct act *act)
{
    struct organiser_act *o = (struct organiser_act *)act;

    begin_change(act);
    o->wrong_new = !password_is_good(act_field(act, "new"));
    if (o->wrong_new || o->role < 0)
        act->status = 422;
}

static void work_add(struct act *act)
{
    struct organiser_act *o = (struct organiser_act *)act;
    struct buf err;

    buf_init(&err, BUF_UNLIMITED);
    if (password_hash(o->hash, act_field(act, "new"), &err) != 0)
        act->status = 503;
    buf_release(&err);
}

static int apply_add(struct act *act, struct db *db)
{
    struct organiser_act *o = (struct organiser_act *)act;
    int result = db_organiser_find(db, o->name);

    if (result == DB_OK)
        act->status = 409;
    if (result != DB_NO_ROW)
        return result;
    buf_printf(&act->detail, "%s %s", o->name, role_names[o->role]);
    result = db_organiser_add(db, o->name, o->hash, day_of(time(NULL)));
    return result == DB_OK ? db_organiser_set_role(db, o->name, (enum role)o->role) : result;
}

/* A role that the form does not offer is nothing to be typed again. */
static void refuse_add(struct act *act)
{
    const struct organiser_act *o = (const struct organiser_act *)act;

    if (o->role >= 0 && (act->status == 409 || act->status == 422))
        show_organisers(act, o);
    else
        desk_refuse(act);
}

static void begin_role(struct act *act)
{
    begin_change(act);
    if (((struct organiser_act *)act)->role < 0)
        act->status = 422;
}

/* Looks whether there is such an organiser, and another owner if that one ceases to be one. */
static int check_owners(struct act *act, struct db *db, bool stays_owner)
{
    const struct organiser_act *o = (struct organiser_act *)act;
    struct organiser_row row;
    int64_t owners = 0;
    int result = db_organiser_owners(db, &owners);

    if (result == DB_OK)
        result = db_organiser_get(db, o->name, &row);
    act->why = "desk.error.last_owner";
    if (result == DB_NO_ROW)
        act->status = 404;
    else if (result == DB_OK && row.role == ROLE_OWNER && !stays_owner && owners == 1)
        act->status = 409;
    sodium_memzero(&row, sizeof row);
    return result == DB_NO_ROW ? DB_OK : result;
}

static int apply_role(struct act *act, struct db *db)
{
    struct organiser_act *o = (struct organiser_act *)act;
    int result = check_owners(act, db, o->role == ROLE_OWNER);

    if (result != DB_OK || act->status != 200)
        return result;
    buf_printf(&act->detail, "%s %s", o->name, role_names[o->role]);
    return db_organiser_set_role(db, o->name, (enum role)o->role);
}

static int apply_remove(struct act *act, struct db *db)
{
    struct organiser_act *o = (struct organiser_act *)act;
    int result = check_owners(act, db, false);

    if (result != DB_OK || act->status != 200)
        return result;
    buf_adds(&act->detail, o->name);
    return db_organiser_remove(db, o->name);
}

static int apply_totp_remove(struct act *act, struct db *db)
{
    struct organiser_act *o = (struct organiser_act *)act;
    int result = db_totp_set(db, o->name, NULL, 0);

    if (result == DB_NO_ROW)
        act->status = 404;
    buf_adds(&act->detail, o->name);
    return result == DB_NO_ROW ? DB_OK : result;
}

static void answer_change(struct act *act)
{
    desk_redirect(act, "/admin/organisers", "changed");
}

DESK_HANDLER(desk_get_organisers, .role = ROLE_OWNER, .answer = answer_organisers)
DESK_HANDLER_OF(desk_post_organiser, struct organiser_act, .role = ROLE_OWNER, .password = true,
                .audit = "organiser.add", .begin = begin_add, .work = work_add, .apply = apply_add,
                .answer = answer_change, .refuse = refuse_add)
DESK_HANDLER_OF(desk_post_role, struct organiser_act, .role = ROLE_OWNER, .password = true,
                .audit = "organiser.role", .begin = begin_role, .apply = apply_role,
                .answer = answer_change)
DESK_HANDLER_OF(desk_post_remove, struct organiser_act, .role = ROLE_OWNER, .password = true,
                .audit = "organiser.remove", .begin = begin_change, .apply = apply_remove,
                .answer = answer_change)
DESK_HANDLER_OF(desk_post_totp_remove, struct organiser_act, .role = ROLE_OWNER, .password = true,
                .audit = "totp.remove", .begin = begin_change, .apply = apply_totp_remove,
                .answer = answer_change)
