/*
 * submit: committing to a form and storing it (see submit.h; DESIGN, "Exact bytes").
 *
 * Preparing runs on any thread, applying on the writer's, which alone uses the sealing batch.
 * Who may submit, and what is answered, is left to the callers.
 */
#include "submit.h"

#include "log.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

struct submitter {
    struct submit_config config;
    struct seal_batch *seals; /* the writer's */
    atomic_bool closed;
};

struct submitter *submitter_new(const struct submit_config *config)
{
    struct submitter *s = xcalloc(1, sizeof *s);

    s->config = *config;
    s->seals = seal_batch_new(config->seal_key);
    return s;
}

void submitter_free(struct submitter *s)
{
    seal_batch_free(s->seals);
    free(s);
}

void submitter_close(struct submitter *s)
{
    atomic_store(&s->closed, true);
}

bool submitter_closed(const struct submitter *s)
{
    return atomic_load(&s->closed);
}

int submitter_begin(struct submitter *s)
{
    if (seal_batch_begin(s->seals) == 0)
        return DB_OK;
    log_error("the organisers' key cannot be used");
    return DB_BROKEN;
}

void submitter_end(struct submitter *s)
{
    seal_batch_end(s->seals);
}

void draft_init(struct draft *d, const struct form *form, enum tier tier)
{
    *d = (struct draft){.form = form, .tier = tier};
    buf_init(&d->entry, BUF_UNLIMITED);
    buf_init(&d->record, SEAL_PADDED_LONG - 1);
    buf_init(&d->fields, BUF_UNLIMITED);
}

void draft_release(struct draft *d)
{
    buf_wipe(&d->record);
    buf_wipe(&d->fields);
    buf_release(&d->entry);
    sodium_memzero(d, sizeof *d);
}

bool submission_prepare(const struct submitter *s, struct draft *d)
{
    const struct form *form = d->form;
    uint8_t secret[HASH_LEN], c[HASH_LEN];
    struct fields fields = {form->name.data, form->country, s->config.text_index, 0,
                            form->visibility};
    struct seal_record record = {.name = form->name.data,
                                 .contact = form->contact.data,
                                 .country = form->country,
                                 .visibility = form->visibility,
                                 .updates = form->updates,
                                 .lang = lang_codes[form->lang],
                                 .text = s->config.text_index,
                                 .r = d->opening,
                                 .r2 = d->r2};

    fields.day = record.day = d->day = day_of(time(NULL));
    if (*form->canonical.canonical)
        identity_tag(s->config.identity, d->tag, &form->canonical);
    else
        randombytes_buf(d->tag, TAG_LEN);
    entry_withdraw_secret(secret, form->seed);
    entry_withdraw_hash(d->w, secret);
    randombytes_buf(d->opening, HASH_LEN); /* r */
    randombytes_buf(d->r2, HASH_LEN);
    entry_contact_hash(d->opening + HASH_LEN, d->r2, form->canonical.canonical);
    entry_fields(&d->fields, &fields);
    entry_commitment(c, s->config.genesis, d->opening, &d->fields);
    entry_sign(&d->entry, c, d->w);
    merkle_leaf(d->leaf, d->entry.data, d->entry.len);
    seal_record_json(&d->record, &record);
    sodium_memzero(secret, sizeof secret);
    return buf_ok(&d->record);
}

int submission_apply(struct submitter *s, struct draft *d, struct db *db)
{
    const struct form *form = d->form;
    bool is_private = form->visibility == VISIBILITY_PRIVATE;
    uint8_t sealed[SEALED_MAX];
    struct submission row = {.tag = d->tag,
                             .tier = d->tier,
                             .visibility = form->visibility,
                             .day = d->day,
                             .name = is_private ? NULL : form->name.data,
                             .opening = is_private ? NULL : d->opening,
                             .sealed = sealed,
                             .batch = d->batch};
    int result;

    if (db_close_index(db) > 0)
        return DB_NO_ROW;
    seal_add(s->seals, sealed, &row.sealed_len, &d->record);
    memcpy(row.country, form->country, sizeof row.country);
    result = db_log_append(db, &d->entry, &d->index);
    return result == DB_OK ? db_submission_add(db, d->index, &row) : result;
}
