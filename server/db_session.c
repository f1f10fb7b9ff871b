/*
 * db_session: who may do what, and who is logged in: roles, one-time codes, sessions.
 *
 * Runs where db.c runs: on the thread that owns the connection. The statements are in db_sql.c.
 */
#include "db_internal.h"

#include <string.h>

const char *const role_names[ROLE__COUNT] = {"reader", "organiser", "owner"};

/* ---- organisers */

int db_organiser_get(struct db *db, const char *name, struct organiser_row *out)
{
    const enum sql get = SQL_ORGANISER_GET;
    const void *secret;
    size_t len;
    int result;

    *out = (struct organiser_row){0};
    db_bind_text(db, get, 1, name);
    result = db_step(db, get);
    if (result == DB_OK) {
        snprintf(out->name, sizeof out->name, "%s", db_column_text(db, get, 0));
        snprintf(out->password, sizeof out->password, "%s", db_column_text(db, get, 1));
        out->role = (enum role)db_column_int(db, get, 2);
        secret = db_column_blob(db, get, 3, &len);
        out->has_totp = secret && len == TOTP_SECRET_LEN;
        if (out->has_totp)
            memcpy(out->totp_secret, secret, TOTP_SECRET_LEN);
        out->totp_step = db_column_int(db, get, 4);
        out->recovery_left = (int)db_column_int(db, get, 5);
    }
    db_finish(db, get);
    return result;
}

int db_organiser_next(struct db *db, const char *after, char name[ORGANISER_NAME_MAX + 1])
{
    int result;

    db_bind_text(db, SQL_ORGANISER_NEXT, 1, after);
    result = db_step(db, SQL_ORGANISER_NEXT);
    if (result == DB_OK)
        snprintf(name, ORGANISER_NAME_MAX + 1, "%s", db_column_text(db, SQL_ORGANISER_NEXT, 0));
    db_finish(db, SQL_ORGANISER_NEXT);
    return result;
}

int db_organiser_set_role(struct db *db, const char *name, enum role role)
{
    db_bind_text(db, SQL_ORGANISER_ROLE, 1, name);
    db_bind_int(db, SQL_ORGANISER_ROLE, 2, role);
    return db_exists(db, SQL_ORGANISER_ROLE);
}

int db_organiser_owners(struct db *db, int64_t *count)
{
    int result = db_step(db, SQL_ORGANISER_OWNERS);

    if (result == DB_OK)
        *count = db_column_int(db, SQL_ORGANISER_OWNERS, 0);
    db_finish(db, SQL_ORGANISER_OWNERS);
    return result;
}

int db_organiser_remove(struct db *db, const char *name)
{
    static const enum sql clear[] = {SQL_SESSION_END_ALL, SQL_TOKEN_CLEAR, SQL_RECOVERY_CLEAR};

    for (size_t i = 0; i < sizeof clear / sizeof *clear; i++) {
        int result;

        db_bind_text(db, clear[i], 1, name);
        result = db_exec(db, clear[i]);
        if (result != DB_OK)
            return result;
    }
    db_bind_text(db, SQL_ORGANISER_REMOVE, 1, name);
    return db_exists(db, SQL_ORGANISER_REMOVE);
}

/* ---- one-time codes */

int db_totp_set(struct db *db, const char *name, const uint8_t *secret, int64_t step)
{
    int result;

    db_bind_text(db, SQL_RECOVERY_CLEAR, 1, name);
    result = db_exec(db, SQL_RECOVERY_CLEAR);
    if (result != DB_OK)
        return result;
    db_bind_text(db, SQL_TOTP_SET, 1, name);
    db_bind_blob(db, SQL_TOTP_SET, 2, secret, TOTP_SECRET_LEN);
    db_bind_int(db, SQL_TOTP_SET, 3, step);
    return db_exists(db, SQL_TOTP_SET);
}

int db_totp_use(struct db *db, const char *name, int64_t step)
{
    db_bind_text(db, SQL_TOTP_STEP, 1, name);
    db_bind_int(db, SQL_TOTP_STEP, 2, step);
    return db_exists(db, SQL_TOTP_STEP);
}

static int with_code(struct db *db, enum sql which, const char *name, const uint8_t *hash)
{
    db_bind_text(db, which, 1, name);
    db_bind_blob(db, which, 2, hash, HASH_LEN);
    return db_exists(db, which);
}

int db_recovery_add(struct db *db, const char *name, const uint8_t hash[HASH_LEN])
{
    int result = with_code(db, SQL_RECOVERY_ADD, name, hash);

    return result == DB_NO_ROW ? DB_OK : result;
}

int db_recovery_use(struct db *db, const char *name, const uint8_t hash[HASH_LEN])
{
    return with_code(db, SQL_RECOVERY_USE, name, hash);
}

/* ---- sessions */

int db_session_add(struct db *db, const uint8_t hash[HASH_LEN], const char *organiser,
                   int64_t now_s)
{
    db_bind_blob(db, SQL_SESSION_ADD, 1, hash, HASH_LEN);
    db_bind_text(db, SQL_SESSION_ADD, 2, organiser);
    db_bind_int(db, SQL_SESSION_ADD, 3, now_s);
    return db_exec(db, SQL_SESSION_ADD);
}

int db_session_get(struct db *db, const uint8_t hash[HASH_LEN], struct session_row *out)
{
    const enum sql get = SQL_SESSION_GET;
    int result;

    db_bind_blob(db, get, 1, hash, HASH_LEN);
    result = db_step(db, get);
    if (result == DB_OK) {
        snprintf(out->organiser, sizeof out->organiser, "%s", db_column_text(db, get, 0));
        out->lang = db_column_text(db, get, 1) ? (int)db_column_int(db, get, 1) : -1;
        out->created_s = db_column_int(db, get, 2);
        out->seen_s = db_column_int(db, get, 3);
    }
    db_finish(db, get);
    return result;
}

int db_session_next(struct db *db, uint8_t hash[HASH_LEN], int64_t *seen_s)
{
    const enum sql next = SQL_SESSION_NEXT;
    const void *found;
    size_t len;
    int result;

    db_bind_blob(db, next, 1, hash, HASH_LEN);
    result = db_step(db, next);
    if (result == DB_OK) {
        found = db_column_blob(db, next, 0, &len);
        if (found && len == HASH_LEN)
            memcpy(hash, found, HASH_LEN);
        *seen_s = db_column_int(db, next, 1);
    }
    db_finish(db, next);
    return result;
}

static int change_session(struct db *db, enum sql which, const uint8_t *hash, int64_t value)
{
    db_bind_blob(db, which, 1, hash, HASH_LEN);
    db_bind_int(db, which, 2, value);
    return db_exec(db, which);
}

int db_session_seen(struct db *db, const uint8_t hash[HASH_LEN], int64_t now_s)
{
    return change_session(db, SQL_SESSION_SEEN, hash, now_s);
}

int db_session_lang(struct db *db, const uint8_t hash[HASH_LEN], int lang)
{
    return change_session(db, SQL_SESSION_LANG, hash, lang);
}

int db_session_end(struct db *db, const uint8_t hash[HASH_LEN])
{
    db_bind_blob(db, SQL_SESSION_END, 1, hash, HASH_LEN);
    return db_exec(db, SQL_SESSION_END);
}

int db_session_end_all(struct db *db, const char *organiser)
{
    db_bind_text(db, SQL_SESSION_END_ALL, 1, organiser);
    return db_exec(db, SQL_SESSION_END_ALL);
}

int db_session_expire(struct db *db, int64_t created_s, int64_t seen_s)
{
    db_bind_int(db, SQL_SESSION_EXPIRE, 1, created_s);
    db_bind_int(db, SQL_SESSION_EXPIRE, 2, seen_s);
    return db_exec(db, SQL_SESSION_EXPIRE);
}
