/*
 * db_desk: the organisers' part of the database: passwords, tokens, the audit trail, deliveries,
 * and one submission as the desk shows it.
 * Roles, codes and sessions are in db_session.c.
 *
 * Runs where db.c runs: on the thread that owns the connection. The statements are in db_sql.c.
 */
#include "db_internal.h"

#include "sha256.h"

#include <inttypes.h>
#include <string.h>

const char *const delivery_state_names[4] = {"queued", "running", "done", "failed"};

/* ---- organisers */

int db_organiser_add(struct db *db, const char *name, const char *password_hash, day_number day)
{
    db_bind_text(db, SQL_ORGANISER_ADD, 1, name);
    db_bind_text(db, SQL_ORGANISER_ADD, 2, password_hash);
    db_bind_int(db, SQL_ORGANISER_ADD, 3, day);
    return db_exec(db, SQL_ORGANISER_ADD);
}

int db_organiser_passwd(struct db *db, const char *name, const char *password_hash)
{
    int result;

    db_bind_text(db, SQL_ORGANISER_PASSWD, 1, name);
    db_bind_text(db, SQL_ORGANISER_PASSWD, 2, password_hash);
    result = db_exists(db, SQL_ORGANISER_PASSWD);
    return result == DB_OK ? db_session_end_all(db, name) : result;
}

int db_organiser_find(struct db *db, const char *name)
{
    db_bind_text(db, SQL_ORGANISER_FIND, 1, name);
    return db_exists(db, SQL_ORGANISER_FIND);
}

int db_token_add(struct db *db, const uint8_t hash[HASH_LEN], const char *name, day_number day)
{
    db_bind_blob(db, SQL_TOKEN_ADD, 1, hash, HASH_LEN);
    db_bind_text(db, SQL_TOKEN_ADD, 2, name);
    db_bind_int(db, SQL_TOKEN_ADD, 3, day);
    return db_exec(db, SQL_TOKEN_ADD);
}

int db_token_find(struct db *db, const uint8_t hash[HASH_LEN], struct buf *name)
{
    int result;

    db_bind_blob(db, SQL_TOKEN_FIND, 1, hash, HASH_LEN);
    result = db_step(db, SQL_TOKEN_FIND);
    if (result == DB_OK)
        db_add_column(db, SQL_TOKEN_FIND, 0, name);
    db_finish(db, SQL_TOKEN_FIND);
    return result;
}

/* hash = SHA-256("petition-audit/v1\n" || hash of the row before || line) */
void db_audit_hash(uint8_t hash[HASH_LEN], int64_t id, const struct audit_act *act)
{
    static const char domain[] = "petition-audit/v1\n";
    struct sha256 state;
    struct buf line;

    buf_init(&line, BUF_UNLIMITED);
    buf_printf(&line, "{\"id\":%" PRId64 ",\"at\":%" PRId64 ",\"who\":", id, act->at_s);
    buf_json(&line, act->who);
    buf_adds(&line, ",\"act\":");
    buf_json(&line, act->act);
    buf_adds(&line, ",\"detail\":");
    buf_json(&line, act->detail);
    buf_addc(&line, '}');
    sha256_begin(&state);
    sha256_add(&state, domain, sizeof domain - 1);
    sha256_add(&state, hash, HASH_LEN);
    sha256_add(&state, line.data, line.len);
    sha256_end(&state, hash);
    buf_release(&line);
}

int db_audit(struct db *db, const struct audit_act *act)
{
    uint8_t hash[HASH_LEN] = {0};
    int64_t id = 0;
    size_t len;
    int result = db_step(db, SQL_AUDIT_LAST);

    if (result < 0)
        return result;
    if (result == DB_OK) {
        id = db_column_int(db, SQL_AUDIT_LAST, 0);
        memcpy(hash, db_column_blob(db, SQL_AUDIT_LAST, 1, &len), HASH_LEN);
    }
    db_finish(db, SQL_AUDIT_LAST);
    db_audit_hash(hash, ++id, act);
    db_bind_int(db, SQL_AUDIT_ADD, 1, id);
    db_bind_int(db, SQL_AUDIT_ADD, 2, act->at_s);
    db_bind_text(db, SQL_AUDIT_ADD, 3, act->who);
    db_bind_text(db, SQL_AUDIT_ADD, 4, act->act);
    db_bind_text(db, SQL_AUDIT_ADD, 5, act->detail);
    db_bind_blob(db, SQL_AUDIT_ADD, 6, hash, HASH_LEN);
    return db_exec(db, SQL_AUDIT_ADD);
}

int db_audit_read(struct db *db, db_audit_each *each, void *ctx)
{
    const enum sql rows = SQL_AUDIT_ROWS;
    uint8_t hash[HASH_LEN] = {0};
    int64_t expected = 1;
    bool sound = true;
    int result;

    db_bind_int(db, rows, 1, 0);
    while ((result = db_step(db, rows)) == DB_OK) {
        struct audit_act act = {db_column_int(db, rows, 1), db_column_text(db, rows, 2),
                                db_column_text(db, rows, 3), db_column_text(db, rows, 4)};
        int64_t id = db_column_int(db, rows, 0);

        db_audit_hash(hash, id, &act);
        sound = sound && id == expected++ &&
                memcmp(hash, db_column_blob(db, rows, 5, NULL), HASH_LEN) == 0;
        result = each(ctx, id, &act, sound);
        if (result != 0)
            break;
    }
    db_finish(db, rows);
    return result == DB_NO_ROW ? DB_OK : result;
}

int db_audit_newest(struct db *db, const char *act, int64_t *at_s)
{
    int result;

    db_bind_text(db, SQL_AUDIT_NEWEST, 1, act);
    result = db_step(db, SQL_AUDIT_NEWEST);
    if (result == DB_OK)
        *at_s = db_column_int(db, SQL_AUDIT_NEWEST, 0);
    db_finish(db, SQL_AUDIT_NEWEST);
    return result;
}

/* ---- deliveries */

void delivery_row_init(struct delivery_row *d)
{
    *d = (struct delivery_row){0};
    buf_init(&d->figures, BUF_UNLIMITED);
    buf_init(&d->why, BUF_UNLIMITED);
}

void delivery_row_release(struct delivery_row *d)
{
    buf_release(&d->figures);
    buf_release(&d->why);
}

int db_delivery_add(struct db *db, const char *who, int64_t now_s, int64_t *id)
{
    int result;

    db_bind_text(db, SQL_DELIVERY_ADD, 1, who);
    db_bind_int(db, SQL_DELIVERY_ADD, 2, now_s);
    result = db_step(db, SQL_DELIVERY_ADD);
    if (result == DB_OK)
        *id = db_column_int(db, SQL_DELIVERY_ADD, 0);
    db_finish(db, SQL_DELIVERY_ADD);
    return result;
}

static enum delivery_state delivery_state_of(const char *name)
{
    for (int i = 0; i < 4; i++)
        if (strcmp(delivery_state_names[i], name) == 0)
            return (enum delivery_state)i;
    return DELIVERY_FAILED;
}

int db_delivery_get(struct db *db, int64_t id, struct delivery_row *out)
{
    int result;

    db_bind_int(db, SQL_DELIVERY_GET, 1, id);
    result = db_step(db, SQL_DELIVERY_GET);
    if (result == DB_OK) {
        out->id = id;
        out->state = delivery_state_of(db_column_text(db, SQL_DELIVERY_GET, 0));
        out->requested_s = db_column_int(db, SQL_DELIVERY_GET, 1);
        out->frozen_s = db_column_int(db, SQL_DELIVERY_GET, 2);
        out->size = db_column_int(db, SQL_DELIVERY_GET, 3);
        buf_clear(&out->figures);
        db_add_column(db, SQL_DELIVERY_GET, 4, &out->figures);
        buf_clear(&out->why);
        db_add_column(db, SQL_DELIVERY_GET, 5, &out->why);
        out->completed_s = db_column_int(db, SQL_DELIVERY_GET, 6);
        snprintf(out->organiser, sizeof out->organiser, "%s",
                 db_column_text(db, SQL_DELIVERY_GET, 7));
    }
    db_finish(db, SQL_DELIVERY_GET);
    return result;
}

int db_delivery_next(struct db *db, int64_t *id)
{
    int result = db_step(db, SQL_DELIVERY_NEXT);

    if (result == DB_OK)
        *id = db_column_int(db, SQL_DELIVERY_NEXT, 0);
    db_finish(db, SQL_DELIVERY_NEXT);
    return result;
}

int db_delivery_set_state(struct db *db, int64_t id, enum delivery_state state, const char *why)
{
    db_bind_int(db, SQL_DELIVERY_STATE, 1, id);
    db_bind_text(db, SQL_DELIVERY_STATE, 2, delivery_state_names[state]);
    db_bind_text(db, SQL_DELIVERY_STATE, 3, why);
    return db_exec(db, SQL_DELIVERY_STATE);
}

int db_delivery_set_frozen(struct db *db, const struct delivery_row *d)
{
    db_bind_int(db, SQL_DELIVERY_FROZEN, 1, d->id);
    db_bind_int(db, SQL_DELIVERY_FROZEN, 2, d->frozen_s);
    db_bind_int(db, SQL_DELIVERY_FROZEN, 3, d->size);
    db_bind_text(db, SQL_DELIVERY_FROZEN, 4, d->figures.data);
    return db_exec(db, SQL_DELIVERY_FROZEN);
}

int db_bundle_set(struct db *db, int64_t delivery, const struct bundle_row *b)
{
    db_bind_int(db, SQL_BUNDLE_SET, 1, delivery);
    db_bind_int(db, SQL_BUNDLE_SET, 2, b->addressee);
    db_bind_blob(db, SQL_BUNDLE_SET, 3, b->sha256, HASH_LEN);
    db_bind_int(db, SQL_BUNDLE_SET, 4, b->bytes);
    return db_exec(db, SQL_BUNDLE_SET);
}

int db_bundles(struct db *db, int64_t delivery, struct bundle_row *rows, size_t *count)
{
    size_t cap = *count, len;
    int result;

    *count = 0;
    db_bind_int(db, SQL_BUNDLES, 1, delivery);
    while ((result = db_step(db, SQL_BUNDLES)) == DB_OK && *count < cap) {
        struct bundle_row *b = &rows[(*count)++];

        b->addressee = (int)db_column_int(db, SQL_BUNDLES, 0);
        memcpy(b->sha256, db_column_blob(db, SQL_BUNDLES, 1, &len), HASH_LEN);
        b->bytes = db_column_int(db, SQL_BUNDLES, 2);
    }
    db_finish(db, SQL_BUNDLES);
    return result == DB_NO_ROW ? DB_OK : result;
}

int db_delivery_last(struct db *db, int64_t before, int64_t *id)
{
    int result;

    db_bind_int(db, SQL_DELIVERY_LAST, 1, before);
    result = db_step(db, SQL_DELIVERY_LAST);
    if (result == DB_OK)
        *id = db_column_int(db, SQL_DELIVERY_LAST, 0);
    db_finish(db, SQL_DELIVERY_LAST);
    return result;
}

int db_delivery_complete(struct db *db, int64_t id, int64_t now_s)
{
    db_bind_int(db, SQL_DELIVERY_COMPLETE, 1, id);
    db_bind_int(db, SQL_DELIVERY_COMPLETE, 2, now_s);
    return db_exists(db, SQL_DELIVERY_COMPLETE);
}

/* ---- handing over */

int db_handover_set(struct db *db, int64_t delivery, const struct handover_row *h)
{
    db_bind_int(db, SQL_HANDOVER_SET, 1, delivery);
    db_bind_int(db, SQL_HANDOVER_SET, 2, h->addressee);
    db_bind_int(db, SQL_HANDOVER_SET, 3, h->day);
    db_bind_text(db, SQL_HANDOVER_SET, 4, h->note.data);
    db_bind_text(db, SQL_HANDOVER_SET, 5, h->who.data);
    return db_exec(db, SQL_HANDOVER_SET);
}

int db_handovers(struct db *db, int64_t delivery, struct handover_row *rows, size_t *count)
{
    size_t cap = *count;
    int result;

    *count = 0;
    db_bind_int(db, SQL_HANDOVERS, 1, delivery);
    while ((result = db_step(db, SQL_HANDOVERS)) == DB_OK && *count < cap) {
        struct handover_row *h = &rows[(*count)++];

        h->addressee = (int)db_column_int(db, SQL_HANDOVERS, 0);
        h->day = (day_number)db_column_int(db, SQL_HANDOVERS, 1);
        buf_init(&h->note, BUF_UNLIMITED);
        db_add_column(db, SQL_HANDOVERS, 2, &h->note);
        buf_init(&h->who, BUF_UNLIMITED);
        db_add_column(db, SQL_HANDOVERS, 3, &h->who);
    }
    db_finish(db, SQL_HANDOVERS);
    return result == DB_NO_ROW ? DB_OK : result;
}

/* ---- what the desk looks up */

int db_submission_show(struct db *db, int64_t index, struct submission_view *out)
{
    const enum sql show = SQL_SUBMISSION_SHOW;
    int result;

    db_bind_int(db, show, 1, index);
    result = db_step(db, show);
    if (result == DB_OK) {
        out->live = db_column_int(db, show, 0) != 0;
        out->tier = (enum tier)db_column_int(db, show, 1);
        out->visibility = (enum visibility)db_column_int(db, show, 2);
        memcpy(out->country, db_column_text(db, show, 3), sizeof out->country);
        out->day = (day_number)db_column_int(db, show, 4);
        buf_clear(&out->name);
        db_add_column(db, show, 5, &out->name);
        out->batch = db_column_int(db, show, 6);
        buf_clear(&out->body);
        db_add_column(db, show, 7, &out->body);
    }
    db_finish(db, show);
    return result;
}

int db_named(struct db *db, uint64_t *count)
{
    int result = db_step(db, SQL_SUBMISSION_NAMED);

    if (result == DB_OK)
        *count = (uint64_t)db_column_int(db, SQL_SUBMISSION_NAMED, 0);
    db_finish(db, SQL_SUBMISSION_NAMED);
    return result;
}

int db_tally_csv(struct db *db, struct buf *out)
{
    char day[11];
    int result;

    while ((result = db_step(db, SQL_TALLY_ALL)) == DB_OK) {
        day_text(day, (day_number)db_column_int(db, SQL_TALLY_ALL, 2));
        buf_printf(out, "%s,%s,%s,%" PRId64 "\r\n", db_column_text(db, SQL_TALLY_ALL, 0),
                   tier_names[db_column_int(db, SQL_TALLY_ALL, 1)], day,
                   db_column_int(db, SQL_TALLY_ALL, 3));
    }
    db_finish(db, SQL_TALLY_ALL);
    return result == DB_NO_ROW ? DB_OK : result;
}
