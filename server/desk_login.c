/*
 * desk_login: coming in and going out (see desk.h).
 *
 * A log-in is looked at on the gate's thread, which may wait: it reads the organiser, checks the
 * password, then one transaction uses the code up and makes the session. Whatever was wrong, name,
 * password or code, the answer is the same. The form of the log-in is bound to a cookie of its own,
 * so that no other site can log a browser in.
 */
#include "desk.h"
#include "totp.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

#define LOGIN_COOKIE "__Host-petition-login"
#define COOKIE_RULES "; Path=/; Secure; HttpOnly; SameSite=Strict"
#define COOKIE_TEXT  160
#define TYPED_MAX    600 /* bytes of a name or password that are looked at */

enum outcome { OUTCOME_ASK, OUTCOME_IN, OUTCOME_WRONG, OUTCOME_WAIT, OUTCOME_BUSY, OUTCOME_STALE };

struct login {
    struct job job;
    struct gate_task task;
    const struct act_context *context;
    struct http_request *request;
    struct input form;
    const char *name, *password, *code;
    struct organiser_row who;
    char token[SESSION_TOKEN_TEXT];
    uint8_t old[HASH_LEN]; /* of the session the browser still has */
    bool has_old;
    enum outcome outcome;
};

static const struct desk *desk(const struct login *l)
{
    return l->context->user;
}

static enum lang lang_for(const struct http_request *rq)
{
    const char *chosen = http_query(rq, "lang");
    int lang = chosen ? lang_of(chosen) : -1;

    return (enum lang)(lang >= 0 ? lang : lang_of(http_lang(rq)));
}

/* ---- the page */

static void set_cookie(struct http_request *rq, const char *name, const char *value)
{
    char line[COOKIE_TEXT];

    snprintf(line, sizeof line, "%s=%s" COOKIE_RULES "%s", name, value,
             *value ? "" : "; Max-Age=0");
    http_set_header(rq, "Set-Cookie", line);
}

static void show(const struct desk *d, struct http_request *rq, enum outcome outcome, int wait_s)
{
    static const struct {
        int status;
        const char *key;
    } said[] = {
        [OUTCOME_ASK] = {200, NULL},
        [OUTCOME_WRONG] = {422, "desk.login.wrong"},
        [OUTCOME_WAIT] = {429, NULL},
        [OUTCOME_BUSY] = {503, "desk.login.busy"},
        [OUTCOME_STALE] = {403, "desk.login.stale"},
    };
    enum lang lang = lang_for(rq);
    cJSON *page = desk_page_outside(d, lang, "login");
    char token[SESSION_TOKEN_TEXT], form[SESSION_TOKEN_TEXT];
    const char *out = http_query(rq, "said");

    desk_page_languages(page, lang);
    session_new_token(token);
    session_form_token(form, token);
    page_text(page, "form", form);
    if (said[outcome].key)
        page_text(page, "wrong", content_text(d->view->content, lang, said[outcome].key));
    if (outcome == OUTCOME_WAIT)
        page_format(page, "wait", "%d", wait_s);
    if (out && strcmp(out, "out") == 0)
        page_text(page, "said", content_text(d->view->content, lang, "desk.said.out"));
    if (outcome == OUTCOME_WAIT || outcome == OUTCOME_BUSY)
        http_set_header(rq, "Retry-After", "5");
    set_cookie(rq, LOGIN_COOKIE, token);
    desk_page_answer(d, rq, page, "login", said[outcome].status);
}

void desk_get_login(struct http_request *rq, void *ctx)
{
    const struct act_context *context = ctx;

    show(context->user, rq, OUTCOME_ASK, 0);
}

/* ---- writer's thread */

static int apply_find(struct job *job, struct db *db)
{
    struct login *l = (struct login *)job;
    int result = db_organiser_get(db, l->name, &l->who);

    if (result == DB_NO_ROW)
        snprintf(l->who.name, sizeof l->who.name, "%s", l->name);
    return result == DB_NO_ROW ? DB_OK : result;
}

/* Uses the code up; DB_NO_ROW if it is wrong, or has been used. */
static int use_code(struct login *l, struct db *db, int64_t now_s)
{
    uint8_t hash[HASH_LEN];
    int64_t step;

    if (!l->who.has_totp)
        return DB_OK;
    if (totp_match(l->who.totp_secret, l->code, now_s, &step))
        return db_totp_use(db, l->who.name, step);
    totp_recovery_hash(hash, l->code);
    return db_recovery_use(db, l->who.name, hash);
}

static int make_session(struct login *l, struct db *db, int64_t now_s)
{
    struct audit_act act = {now_s, l->who.name, "login", ""};
    uint8_t hash[HASH_LEN];
    int result = db_session_expire(db, now_s - SESSION_LIFE_S, now_s - SESSION_IDLE_S);

    session_hash(hash, l->token);
    if (result == DB_OK && l->has_old)
        result = db_session_end(db, l->old);
    if (result == DB_OK)
        result = db_session_add(db, hash, l->who.name, now_s);
    return result == DB_OK ? db_audit(db, &act) : result;
}

static int apply_login(struct job *job, struct db *db)
{
    struct login *l = (struct login *)job;
    struct organiser_row now;
    int64_t now_s = time(NULL);
    int result = db_organiser_get(db, l->who.name, &now);

    l->outcome = OUTCOME_WRONG;
    /* The password that was looked at must still be the one. */
    if (result == DB_OK && strcmp(now.password, l->who.password) != 0)
        result = DB_NO_ROW;
    if (result == DB_OK) {
        l->who = now;
        result = use_code(l, db, now_s);
    }
    if (result == DB_OK)
        result = make_session(l, db, now_s);
    if (result == DB_OK)
        l->outcome = OUTCOME_IN;
    sodium_memzero(&now, sizeof now);
    return result == DB_NO_ROW ? DB_OK : result;
}

/* ---- the gate's thread */

static enum outcome look(struct login *l)
{
    struct gate *gate = l->context->gate;
    enum gate_verdict verdict;

    l->job.apply = apply_find;
    if (writer_run(l->context->writer, &l->job) != JOB_COMMITTED)
        return OUTCOME_BUSY;
    verdict = gate_check(gate, &l->task, &l->who, l->password);
    if (verdict != GATE_OPEN)
        return verdict == GATE_WAIT   ? OUTCOME_WAIT
               : verdict == GATE_BUSY ? OUTCOME_BUSY
                                      : OUTCOME_WRONG;
    l->job.apply = apply_login;
    if (writer_run(l->context->writer, &l->job) != JOB_COMMITTED)
        return OUTCOME_BUSY;
    if (l->outcome == OUTCOME_IN)
        gate_forget(gate, l->who.name, &l->task.from);
    else
        gate_fail(gate, l->who.name, &l->task.from);
    return l->outcome;
}

static void run(struct gate_task *task)
{
    struct login *l = (struct login *)((char *)task - offsetof(struct login, task));

    l->outcome = look(l);
    http_wake(l->request);
}

/* ---- request thread */

static void answer(struct http_request *rq, void *ctx)
{
    struct login *l = ctx;

    if (l->outcome != OUTCOME_IN) {
        show(desk(l), rq, l->outcome, l->task.wait_s);
        return;
    }
    set_cookie(rq, SESSION_COOKIE, l->token);
    http_redirect(rq, 303, "/admin");
}

static void release(void *data)
{
    struct login *l = data;

    input_release(&l->form);
    sodium_memzero(l, sizeof *l);
    free(l);
}

static const char *field(const struct login *l, const char *name)
{
    bool again;
    const struct input_member *member = input_find(&l->form, name, &again);

    return member && !again && member->type == INPUT_STRING && strlen(member->string) < TYPED_MAX
               ? member->string
               : "";
}

/* What was sent; OUTCOME_ASK if it is to be looked at. */
static enum outcome read_form(struct login *l)
{
    const char *cookie = http_cookie(l->request, LOGIN_COOKIE);
    const char *old = http_cookie(l->request, SESSION_COOKIE);
    struct peer_address client;
    size_t len;
    const char *body = http_body(l->request, &len);

    if (input_parse_form(&l->form, body, len) != INPUT_OK || !cookie ||
        !session_is_form_token(field(l, "form"), cookie))
        return OUTCOME_STALE;
    l->name = field(l, "name");
    l->password = field(l, "password");
    l->code = field(l, "code");
    l->has_old = old && *old;
    if (l->has_old)
        session_hash(l->old, old);
    /* Too long for a name: nobody's, as another one would be. */
    if (strlen(l->name) > ORGANISER_NAME_MAX)
        l->name = "?";
    http_client(l->request, &client);
    return gate_reserve(l->context->gate, &l->task, &client) ? OUTCOME_ASK : OUTCOME_BUSY;
}

void desk_post_login(struct http_request *rq, void *ctx)
{
    struct login *l = xcalloc(1, sizeof *l);

    l->context = ctx;
    l->request = rq;
    l->task.run = run;
    session_new_token(l->token);
    http_attach(rq, l, release);
    l->outcome = read_form(l);
    if (l->outcome != OUTCOME_ASK) {
        show(desk(l), rq, l->outcome, 0);
        return;
    }
    http_park(rq, answer, l);
    gate_submit(l->context->gate, &l->task);
}

/* ---- going out */

static int apply_logout(struct act *act, struct db *db)
{
    live_end(act->context->live, act->hash);
    return db_session_end(db, act->hash);
}

static int apply_logout_all(struct act *act, struct db *db)
{
    live_end(act->context->live, act->hash);
    return db_session_end_all(db, act->who.name);
}

static void answer_logout(struct act *act)
{
    set_cookie(act->request, SESSION_COOKIE, "");
    http_set_header(act->request, "Clear-Site-Data", "\"cache\", \"storage\"");
    desk_redirect(act, "/admin/login", "out");
}

DESK_HANDLER(desk_post_logout, .audit = "logout", .apply = apply_logout, .answer = answer_logout)
DESK_HANDLER(desk_post_logout_all, .audit = "logout.all", .apply = apply_logout_all,
             .answer = answer_logout)
