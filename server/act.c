/*
 * act: what an organiser does over HTTP (see act.h).
 *
 * An act that needs the password goes through the gate's thread first. That thread may wait: it
 * runs the job once to learn whose session it is, checks the password, and runs the job again to do
 * the act. All others go straight to the writer's queue.
 */
#include "act.h"

#include "content.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

/* ---- writer's thread */

static int find_session(struct act *act, struct db *db, struct session_row *session)
{
    int64_t now_s = time(NULL);
    int result = db_session_get(db, act->hash, session);

    if (result != DB_OK)
        return result;
    if (!session_alive(session, now_s)) {
        live_end(act->context->live, act->hash);
        result = db_session_end(db, act->hash);
        return result == DB_OK ? DB_NO_ROW : result;
    }
    live_seen(act->context->live, act->hash, now_s);
    if (session_seen_due(session, now_s))
        result = db_session_seen(db, act->hash, now_s);
    if (result == DB_OK && act->lang >= 0 && act->lang != session->lang)
        result = db_session_lang(db, act->hash, act->lang);
    if (act->lang < 0)
        act->lang = session->lang;
    return result;
}

/* Whose act it is: fills act->who; DB_NO_ROW: nobody's. */
static int identify(struct act *act, struct db *db)
{
    struct session_row session;
    struct buf name;
    int result;

    if (act->context->by == ACT_BY_SESSION) {
        result = find_session(act, db, &session);
        return result == DB_OK ? db_organiser_get(db, session.organiser, &act->who) : result;
    }
    buf_init(&name, BUF_UNLIMITED);
    result = db_token_find(db, act->hash, &name);
    if (result == DB_OK)
        result = db_organiser_get(db, name.data, &act->who);
    buf_release(&name);
    return result;
}

static int write_audit(struct act *act, struct db *db)
{
    struct audit_act a = {time(NULL), act->who.name, act->kind->audit, act->detail.data};

    return db_audit(db, &a);
}

static int apply(struct job *job, struct db *db)
{
    struct act *act = (struct act *)job;
    int result = identify(act, db);

    act->status = 200;
    if (result < 0)
        return result;
    if (result == DB_NO_ROW)
        act->status = 401;
    else if (act->who.role < act->kind->role)
        act->status = 403;
    else
        act->status = act->verdict;
    if (act->status != 200 || (act->kind->password && !act->proven))
        return DB_OK;
    buf_clear(&act->detail);
    result = act->kind->apply ? act->kind->apply(act, db) : DB_OK;
    if (result == DB_OK && act->status == 200 && act->kind->audit)
        result = write_audit(act, db);
    return result;
}

static void done(struct job *job)
{
    struct act *act = (struct act *)job;

    http_wake(act->request);
}

/* ---- the gate's thread */

static void run_behind_gate(struct gate_task *task)
{
    struct act *act = (struct act *)((char *)task - offsetof(struct act, task));

    act->job.done = NULL;
    act->job.result = writer_run(act->context->writer, &act->job);
    if (act->job.result == JOB_COMMITTED && act->status == 200) {
        enum gate_verdict verdict =
            gate_check(act->context->gate, task, &act->who, act_field(act, "password"));

        act->proven = verdict == GATE_OPEN;
        if (act->proven && act->kind->work)
            act->kind->work(act);
        if (act->proven && act->status == 200)
            act->job.result = writer_run(act->context->writer, &act->job);
        else if (!act->proven)
            act->status = verdict == GATE_WAIT ? 429 : verdict == GATE_BUSY ? 503 : 422;
        if (verdict == GATE_WRONG)
            act->why = "desk.error.password";
        if (act->proven && act->status == 200)
            gate_forget(act->context->gate, act->who.name, &task->from);
    }
    http_wake(act->request);
}

/* ---- request thread */

/* The language that the address asks for, or -1. */
static int chosen_lang(const struct http_request *rq)
{
    const char *lang = http_query(rq, "lang");

    return lang ? lang_of(lang) : -1;
}

static void answer_refusal(struct act *act)
{
    if (act->kind->refuse && act->status != 401 && act->status != 403)
        act->kind->refuse(act);
    else
        act->context->refuse(act);
}

/* Before anything was written. */
static void refuse(struct act *act, int status)
{
    act->status = status;
    act->unchanged = true;
    if (status != 409 && status != 422)
        act->why = NULL;
    answer_refusal(act);
}

/* The transaction failed, perhaps after all was written. */
static void refuse_unknown(struct act *act)
{
    act->status = 503;
    act->why = http_is_post(act->request) ? "desk.error.unknown" : NULL;
    answer_refusal(act);
}

static void on_written(struct http_request *rq, void *ctx)
{
    struct act *act = ctx;

    (void)rq;
    if (act->job.result != JOB_COMMITTED)
        refuse_unknown(act);
    else if (act->status != 200)
        refuse(act, act->status);
    else
        act->kind->answer(act);
}

static void release_act(void *data)
{
    struct act *act = data;

    if (act->kind->release)
        act->kind->release(act);
    input_release(&act->form);
    buf_release(&act->detail);
    sodium_memzero(&act->who, sizeof act->who);
    free(act);
}

/* What says who it is, or NULL. */
static const char *credential(const struct act *act)
{
    const char *given = act->context->by == ACT_BY_TOKEN
                            ? http_bearer(act->request)
                            : http_cookie(act->request, SESSION_COOKIE);

    return given && *given ? given : NULL;
}

/* The status to refuse with before the database is asked, or 200. */
static int check(struct act *act, const char *given)
{
    if (!given)
        return 401;
    session_hash(act->hash, given);
    if (act->context->by == ACT_BY_TOKEN || !http_is_post(act->request))
        return 200;
    if (http_form(act->request, &act->form) != INPUT_OK)
        return 400;
    return session_is_form_token(act_field(act, "form"), given) ? 200 : 403;
}

/* Hands the parked act over; false if there is no place for it. */
static bool reserve(struct act *act)
{
    struct peer_address client;

    if (!act->kind->password)
        return writer_reserve(act->context->writer);
    http_client(act->request, &client);
    return gate_reserve(act->context->gate, &act->task, &client);
}

void act_start(struct http_request *rq, const struct act_context *context,
               const struct act_kind *kind)
{
    struct act *act = xcalloc(1, kind->size);

    act->job = (struct job){.apply = apply, .done = done};
    act->task = (struct gate_task){.run = run_behind_gate};
    act->kind = kind;
    act->context = context;
    act->request = rq;
    act->lang = context->by == ACT_BY_SESSION ? chosen_lang(rq) : -1;
    buf_init(&act->detail, BUF_UNLIMITED);
    http_attach(rq, act, release_act);
    act->status = check(act, credential(act));
    if (act->status == 200) {
        if (kind->begin)
            kind->begin(act);
        act->verdict = act->status;
        act->status = reserve(act) ? 200 : 503;
    }
    if (act->status != 200) {
        refuse(act, act->status);
        return;
    }
    http_park(rq, on_written, act);
    if (kind->password)
        gate_submit(context->gate, &act->task);
    else
        writer_submit(context->writer, &act->job);
}

bool act_may_send_large(void *ctx, const struct http_request *rq)
{
    const struct act_context *context = ctx;
    const char *cookie = http_cookie(rq, SESSION_COOKIE);
    uint8_t hash[HASH_LEN];

    if (!cookie)
        return false;
    session_hash(hash, cookie);
    return live_has(context->live, hash, time(NULL));
}

const char *act_field(const struct act *act, const char *name)
{
    bool again;
    const struct input_member *member = input_find(&act->form, name, &again);

    return member && !again && member->type == INPUT_STRING ? member->string : "";
}

void act_form_token(const struct act *act, char form[SESSION_TOKEN_TEXT])
{
    session_form_token(form, credential(act));
}

int64_t act_number(const struct act *act, size_t i)
{
    return strtoll(http_param(act->request, i), NULL, 10);
}
