/*
 * organiser: accounts and tokens for the commands (see organiser.h). The API is organiser_api.c.
 *
 * Runs on threads that may wait: the control socket's, or a command's own.
 */
#include "organiser.h"

#include "input.h"
#include "password.h"
#include "session.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

struct account_job {
    struct job job;
    const char *name, *password_hash;
    const uint8_t *token_hash;
    const char *act, *detail;
    int64_t id;
    struct delivery_row row;
    int found; /* DB_OK or DB_NO_ROW */
};

static int audit(struct db *db, const char *act, const char *detail)
{
    struct audit_act a = {time(NULL), OPERATOR_NAME, act, detail};

    return db_audit(db, &a);
}

/* Runs the job; -1 with a line if the database fails, or with `refusal` if it found the contrary of
 * what is needed. */
static int run(struct writer *writer, struct account_job *j, const char *refusal, struct buf *err)
{
    if (writer_run(writer, &j->job) != JOB_COMMITTED) {
        buf_adds(err, "the database could not be written");
        return -1;
    }
    if (refusal && j->found != DB_OK) {
        buf_adds(err, refusal);
        return -1;
    }
    return 0;
}

/* ---- passwords */

bool organiser_is_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > ORGANISER_NAME_MAX || !input_is_utf8(name, len) ||
        strcmp(name, OPERATOR_NAME) == 0)
        return false;
    for (; *name; name++)
        if ((unsigned char)*name <= ' ' || *name == 0x7f)
            return false;
    return true;
}

static int apply_add(struct job *job, struct db *db)
{
    struct account_job *j = (struct account_job *)job;
    int result = db_organiser_find(db, j->name);

    j->found = result == DB_NO_ROW ? DB_OK : DB_NO_ROW; /* it must not be there */
    if (result != DB_NO_ROW)
        return result;
    result = db_organiser_add(db, j->name, j->password_hash, day_of(time(NULL)));
    return result == DB_OK ? audit(db, "organiser.add", j->name) : result;
}

static int apply_passwd(struct job *job, struct db *db)
{
    struct account_job *j = (struct account_job *)job;
    int result = db_organiser_passwd(db, j->name, j->password_hash);

    j->found = result;
    if (result == DB_OK)
        result = audit(db, "organiser.passwd", j->name);
    return result == DB_NO_ROW ? DB_OK : result;
}

int organiser_add(struct writer *writer, const char *name, const char *password, struct buf *err)
{
    char hash[PASSWORD_HASH_MAX];
    struct account_job j = {.job = {.apply = apply_add}, .name = name, .password_hash = hash};

    if (!organiser_is_name(name)) {
        buf_printf(err, "an organiser's name has 1 to %d characters, no spaces, and is not \"%s\"",
                   ORGANISER_NAME_MAX, OPERATOR_NAME);
        return -1;
    }
    if (password_hash(hash, password, err) != 0)
        return -1;
    return run(writer, &j, "there is an organiser of that name already", err);
}

int organiser_passwd(struct writer *writer, const char *name, const char *password, struct buf *err)
{
    char hash[PASSWORD_HASH_MAX];
    struct account_job j = {.job = {.apply = apply_passwd}, .name = name, .password_hash = hash};

    if (password_hash(hash, password, err) != 0)
        return -1;
    return run(writer, &j, "there is no organiser of that name", err);
}

/* ---- tokens */

static int apply_token(struct job *job, struct db *db)
{
    struct account_job *j = (struct account_job *)job;
    int result = db_organiser_find(db, j->name);

    j->found = result;
    if (result == DB_OK)
        result = db_token_add(db, j->token_hash, j->name, day_of(time(NULL)));
    if (result == DB_OK)
        result = audit(db, "token.add", j->name);
    return result == DB_NO_ROW ? DB_OK : result;
}

int organiser_token(struct writer *writer, const char *name, char token[SESSION_TOKEN_TEXT],
                    struct buf *err)
{
    uint8_t hash[HASH_LEN];
    struct account_job j = {.job = {.apply = apply_token}, .name = name, .token_hash = hash};

    session_new_token(token);
    session_hash(hash, token);
    return run(writer, &j, "there is no organiser of that name", err);
}

/* ---- deliveries by command */

static int apply_delivery(struct job *job, struct db *db)
{
    struct account_job *j = (struct account_job *)job;
    char detail[32];
    int result = db_delivery_add(db, OPERATOR_NAME, time(NULL), &j->id);

    snprintf(detail, sizeof detail, "%" PRId64, j->id);
    return result == DB_OK ? audit(db, "delivery.start", detail) : result;
}

int organiser_start_delivery(struct writer *writer, int64_t *id, struct buf *err)
{
    struct account_job j = {.job = {.apply = apply_delivery}};
    int result = run(writer, &j, NULL, err);

    *id = j.id;
    return result;
}

static int apply_delivery_state(struct job *job, struct db *db)
{
    struct account_job *j = (struct account_job *)job;
    int result = db_delivery_get(db, j->id, &j->row);

    j->found = result;
    return result == DB_NO_ROW ? DB_OK : result;
}

int organiser_delivery_state(struct writer *writer, int64_t id, enum delivery_state *state,
                             struct buf *why)
{
    struct account_job j = {.job = {.apply = apply_delivery_state}, .id = id};
    int result;

    delivery_row_init(&j.row);
    result = run(writer, &j, "there is no such delivery", why);
    if (result == 0) {
        *state = j.row.state;
        buf_add(why, j.row.why.data, j.row.why.len);
    }
    delivery_row_release(&j.row);
    return result;
}

static int apply_audit(struct job *job, struct db *db)
{
    struct account_job *j = (struct account_job *)job;

    return audit(db, j->act, j->detail);
}

int organiser_audit(struct writer *writer, const char *act, const char *detail, struct buf *err)
{
    struct account_job j = {.job = {.apply = apply_audit}, .act = act, .detail = detail};

    return run(writer, &j, NULL, err);
}
