/*
 * sign: the handlers of signing (see sign.h).
 *
 * The handler runs on a request thread until it parks; apply() on the writer's; the answer is made
 * on the request thread again. A struct submitting belongs to the request from start to end, and to
 * the writer between submit and done. `recent` and the sealing batch are the writer's alone.
 *
 * What the signer typed is wiped with the struct, whatever the outcome.
 */
#include "sign.h"

#include "input.h"
#include "log.h"
#include "recent.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define NAME_MAX_CODE_POINTS 200

struct signing {
    struct signing_config config;
    struct writer *writer;
    struct publisher *publisher;
    struct seal_batch *seals; /* the writer's */
    struct recent *recent;    /* the writer's */
};

/* A validated form. */
struct sign_form {
    struct buf name, contact; /* as typed, cleaned and trimmed */
    char country[3];
    enum visibility visibility;
    bool updates;
    enum lang lang;
    uint8_t seed[SEED_LEN];
    struct contact canonical;
    enum field_reason errors[FIELD__COUNT];
    struct buf unknown; /* JSON: names of members that are none of ours, as `"name":"unknown",…` */
};

struct submitting {
    struct job job;
    struct signing *signing;
    struct http_request *request;
    bool api;
    struct input input;
    struct sign_form form;
    uint8_t tag[TAG_LEN];
    uint8_t w[HASH_LEN];
    uint8_t opening[OPENING_LEN];
    uint8_t recent_key[RECENT_KEY_LEN];
    day_number day;
    struct buf entry, record;
    /* the writer's verdict */
    int64_t index;
    uint8_t leaf[HASH_LEN];
};

struct signing *signing_new(const struct signing_config *config)
{
    struct signing *s = xcalloc(1, sizeof *s);

    s->config = *config;
    s->seals = seal_batch_new(config->seal_key);
    s->recent = recent_new();
    return s;
}

void signing_free(struct signing *s)
{
    seal_batch_free(s->seals);
    recent_free(s->recent);
    free(s);
}

static int attempt_begin(void *ctx)
{
    struct signing *s = ctx;

    if (seal_batch_begin(s->seals) == 0)
        return DB_OK;
    log_error("the organisers' key cannot be used");
    return DB_BROKEN;
}

static void attempt_end(void *ctx)
{
    struct signing *s = ctx;

    seal_batch_end(s->seals);
}

struct writer_hooks signing_hooks(struct signing *s)
{
    return (struct writer_hooks){attempt_begin, attempt_end, s};
}

void signing_attach(struct signing *s, struct writer *writer, struct publisher *publisher)
{
    s->writer = writer;
    s->publisher = publisher;
}

/* ---- validating */

/* A member as a string: NULL if it is absent, or wrong (and then the error is set). */
static const char *text_of(struct submitting *s, enum sign_field field)
{
    bool again;
    const struct input_member *m = input_find(&s->input, sign_field_names[field], &again);

    if (again)
        s->form.errors[field] = FIELD_DUPLICATE;
    else if (m && m->type != INPUT_STRING)
        s->form.errors[field] = FIELD_WRONG_TYPE;
    else if (m)
        return m->string;
    return NULL;
}

static void set_error(struct submitting *s, enum sign_field field, enum field_reason reason)
{
    if (s->form.errors[field] == FIELD_OK)
        s->form.errors[field] = reason;
}

static void check_name(struct submitting *s)
{
    const char *typed = text_of(s, FIELD_NAME);
    struct buf *name = &s->form.name;

    if (typed)
        input_clean_line(name, typed);
    if (name->len == 0)
        set_error(s, FIELD_NAME, FIELD_MISSING);
    else if (input_code_points(name->data) > NAME_MAX_CODE_POINTS)
        set_error(s, FIELD_NAME, FIELD_TOO_LONG);
    else if (strstr(name->data, "://") || strcasestr(name->data, "www."))
        set_error(s, FIELD_NAME, FIELD_URL);
}

static void check_country(struct submitting *s)
{
    const char *typed = text_of(s, FIELD_COUNTRY);

    if (!typed || !*typed) {
        set_error(s, FIELD_COUNTRY, FIELD_MISSING);
        return;
    }
    if (strlen(typed) != 2 || !content_is_country(s->signing->config.view->content, typed)) {
        set_error(s, FIELD_COUNTRY, FIELD_INVALID);
        return;
    }
    memcpy(s->form.country, typed, sizeof s->form.country);
}

static void check_contact(struct submitting *s)
{
    static const enum field_reason reasons[] = {
        [CONTACT_OK] = FIELD_OK,
        [CONTACT_MISSING] = FIELD_MISSING,
        [CONTACT_TOO_LONG] = FIELD_TOO_LONG,
        [CONTACT_UNRECOGNISED] = FIELD_UNRECOGNISED,
        [CONTACT_BAD_EMAIL] = FIELD_BAD_EMAIL,
        [CONTACT_BAD_PHONE] = FIELD_BAD_PHONE,
    };
    const char *typed = text_of(s, FIELD_CONTACT);
    enum field_reason reason;

    if (typed)
        input_clean_line(&s->form.contact, typed);
    reason = reasons[identity_contact(s->signing->config.identity, &s->form.canonical,
                                      s->form.contact.data, s->form.country)];
    if (reason == FIELD_OK && s->form.canonical.kind == 'p' &&
        !s->signing->config.accept_unconfirmed)
        reason = FIELD_UNCONFIRMED;
    if (reason != FIELD_OK)
        set_error(s, FIELD_CONTACT, reason);
}

static void check_visibility(struct submitting *s)
{
    const char *typed = text_of(s, FIELD_VISIBILITY);

    if (!typed || !*typed)
        return; /* private */
    for (int v = 0; v < VISIBILITY__MAX; v++) {
        if (strcmp(typed, visibility_names[v]) == 0) {
            s->form.visibility = (enum visibility)v;
            return;
        }
    }
    set_error(s, FIELD_VISIBILITY, FIELD_INVALID);
}

/* A form has 1, on, yes, true for yes; JSON has a boolean. */
static void check_updates(struct submitting *s)
{
    static const char *const yes[] = {"1", "on", "yes", "true"};
    static const char *const no[] = {"", "0", "off", "no", "false"};
    bool again;
    const struct input_member *m = input_find(&s->input, "updates", &again);
    const char *typed;

    if (s->api && m && m->type == INPUT_BOOL && !again) {
        s->form.updates = m->truth;
        return;
    }
    if (s->api && m && !again) {
        set_error(s, FIELD_UPDATES, FIELD_WRONG_TYPE);
        return;
    }
    typed = text_of(s, FIELD_UPDATES);
    for (size_t i = 0; typed && i < sizeof yes / sizeof *yes; i++)
        s->form.updates |= strcasecmp(typed, yes[i]) == 0;
    for (size_t i = 0; typed && !s->form.updates && i < sizeof no / sizeof *no; i++)
        if (strcasecmp(typed, no[i]) == 0)
            return;
    if (typed && !s->form.updates)
        set_error(s, FIELD_UPDATES, FIELD_INVALID);
}

static void check_seed(struct submitting *s)
{
    const char *typed = text_of(s, FIELD_SEED);

    if (!typed || !*typed)
        randombytes_buf(s->form.seed, SEED_LEN);
    else if (base64_decode(s->form.seed, SEED_LEN, typed) != 0)
        set_error(s, FIELD_SEED, FIELD_INVALID);
}

/* The API says its language; a form's is in its address. */
static void check_lang(struct submitting *s)
{
    const char *typed = s->api ? text_of(s, FIELD_LANG) : http_lang(s->request);
    int lang = typed ? lang_of(typed) : LANG_EN;

    if (lang < 0)
        set_error(s, FIELD_LANG, FIELD_INVALID);
    else
        s->form.lang = (enum lang)lang;
}

/* JSON is strict about names; a form may carry fields of extensions and password managers. */
static void check_unknown(struct submitting *s)
{
    for (size_t i = 0; s->api && i < s->input.count; i++) {
        const char *name = s->input.members[i].name;
        bool known = strcmp(name, "pow") == 0;

        for (int field = 0; field < FIELD__COUNT && !known; field++)
            known = strcmp(name, sign_field_names[field]) == 0;
        if (known)
            continue;
        buf_json(&s->form.unknown, name);
        buf_printf(&s->form.unknown, ":\"%s\",", field_reason_names[FIELD_UNKNOWN]);
    }
}

/* Every problem at once; true if there is none. */
static bool validate(struct submitting *s)
{
    check_name(s);
    check_country(s); /* before the contact: a local phone number is of the country */
    check_contact(s);
    check_visibility(s);
    check_updates(s);
    check_seed(s);
    check_lang(s);
    check_unknown(s);
    for (int field = 0; field < FIELD__COUNT; field++)
        if (s->form.errors[field] != FIELD_OK)
            return false;
    return s->form.unknown.len == 0;
}

/* ---- committing to it */

/* What makes two submissions the same one sent twice. */
static void hash_recent_key(struct submitting *s)
{
    crypto_generichash_state state;
    const uint8_t choices[] = {(uint8_t)s->form.visibility, s->form.updates};

    crypto_generichash_init(&state, NULL, 0, RECENT_KEY_LEN);
    crypto_generichash_update(&state, s->tag, TAG_LEN);
    crypto_generichash_update(&state, s->w, HASH_LEN);
    crypto_generichash_update(&state, (const uint8_t *)s->form.country, sizeof s->form.country);
    crypto_generichash_update(&state, choices, sizeof choices);
    crypto_generichash_update(&state, (const uint8_t *)s->form.name.data, s->form.name.len);
    crypto_generichash_final(&state, s->recent_key, RECENT_KEY_LEN);
}

/* Builds the entry and the record; all that can be done before the writer's turn. False if the
 * record is too long to seal. */
static bool prepare(struct submitting *s)
{
    const struct signing_config *config = &s->signing->config;
    uint8_t r2[HASH_LEN], secret[HASH_LEN], c[HASH_LEN];
    struct fields fields = {s->form.name.data, s->form.country, config->text_index, 0,
                            s->form.visibility};
    struct seal_record record = {.name = s->form.name.data,
                                 .contact = s->form.contact.data,
                                 .country = s->form.country,
                                 .visibility = s->form.visibility,
                                 .updates = s->form.updates,
                                 .lang = lang_codes[s->form.lang],
                                 .text = config->text_index,
                                 .r = s->opening,
                                 .r2 = r2};
    struct buf text;

    fields.day = record.day = s->day = day_of(time(NULL));
    identity_tag(config->identity, s->tag, &s->form.canonical);
    entry_withdraw_secret(secret, s->form.seed);
    entry_withdraw_hash(s->w, secret);
    randombytes_buf(s->opening, HASH_LEN); /* r */
    randombytes_buf(r2, HASH_LEN);
    entry_contact_hash(s->opening + HASH_LEN, r2, s->form.canonical.canonical);
    buf_init(&text, BUF_UNLIMITED);
    entry_fields(&text, &fields);
    entry_commitment(c, config->genesis, s->opening, &text);
    entry_sign(&s->entry, c, s->w);
    seal_record_json(&s->record, &record);
    hash_recent_key(s);
    buf_wipe(&text);
    sodium_memzero(r2, sizeof r2);
    sodium_memzero(secret, sizeof secret);
    return buf_ok(&s->record);
}

/* ---- the writer's part */

/* A retry after a lost answer: same seed, same everything, and still live. Answers with the index
 * that is stored; DB_NO_ROW if this is no retry. */
static int find_retry(struct submitting *s, struct db *db)
{
    int64_t index = recent_find(s->signing->recent, s->recent_key);
    uint8_t w[HASH_LEN];
    struct buf body;
    bool live = false;
    int result;

    if (index < 0)
        return DB_NO_ROW;
    result = db_submission_live(db, index, &live);
    if (result != DB_OK || !live)
        return result < 0 ? result : DB_NO_ROW;
    buf_init(&body, BUF_UNLIMITED);
    result = db_log_entry(db, index, &body);
    if (result == DB_OK &&
        (entry_sign_w(w, body.data, body.len) != 0 || memcmp(w, s->w, HASH_LEN) != 0))
        result = DB_NO_ROW; /* the place is of a transaction that was rolled back */
    if (result == DB_OK) {
        s->index = index;
        entry_leaf_hash(s->leaf, body.data, body.len);
    }
    buf_release(&body);
    return result;
}

static int apply(struct job *job, struct db *db)
{
    struct submitting *s = (struct submitting *)job;
    bool is_private = s->form.visibility == VISIBILITY_PRIVATE;
    uint8_t sealed[SEALED_MAX];
    struct submission row = {.tag = s->tag,
                             .tier = TIER_UNCONFIRMED,
                             .visibility = s->form.visibility,
                             .day = s->day,
                             .name = is_private ? NULL : s->form.name.data,
                             .opening = is_private ? NULL : s->opening,
                             .sealed = sealed};
    int result = find_retry(s, db);

    if (result != DB_NO_ROW)
        return result;
    seal_add(s->signing->seals, sealed, &row.sealed_len, &s->record);
    memcpy(row.country, s->form.country, sizeof row.country);
    result = db_log_append(db, &s->entry, &s->index);
    if (result == DB_OK)
        result = db_submission_add(db, s->index, &row);
    if (result == DB_OK) {
        entry_leaf_hash(s->leaf, s->entry.data, s->entry.len);
        recent_add(s->signing->recent, s->recent_key, s->index);
    }
    return result;
}

static void done(struct job *job)
{
    struct submitting *s = (struct submitting *)job;

    http_wake(s->request);
}

/* ---- answers */

/* The page again, with what was typed, and what is wrong with it. */
static void reply_page(struct submitting *s, int status, const char *notice)
{
    const struct view *view = s->signing->config.view;
    struct view_form form = {.notice = notice};
    struct publication now;
    struct buf seed, page;
    bool again;

    for (int field = 0; field < FIELD__COUNT; field++) {
        const struct input_member *m = input_find(&s->input, sign_field_names[field], &again);

        form.values[field] = m ? m->string : NULL;
        form.errors[field] = s->form.errors[field];
    }
    buf_init(&seed, BUF_UNLIMITED);
    buf_init(&page, BUF_UNLIMITED);
    if (notice) { /* sent again, it is the same submission */
        buf_base64(&seed, s->form.seed, SEED_LEN);
        form.values[FIELD_SEED] = seed.data;
    }
    publisher_current(s->signing->publisher, &now);
    view_petition(&page, view, s->form.lang, &now, &form);
    buf_wipe(&seed);
    http_reply(s->request, status, "text/html; charset=utf-8", &page);
}

static void reply_invalid(struct submitting *s)
{
    struct buf errors;

    if (!s->api) {
        reply_page(s, 422, NULL);
        return;
    }
    buf_init(&errors, BUF_UNLIMITED);
    buf_addc(&errors, '{');
    buf_add(&errors, s->form.unknown.data, s->form.unknown.len);
    for (int field = 0; field < FIELD__COUNT; field++)
        if (s->form.errors[field] != FIELD_OK)
            buf_printf(&errors, "\"%s\":\"%s\",", sign_field_names[field],
                       field_reason_names[s->form.errors[field]]);
    errors.data[errors.len - 1] = '}'; /* over the last comma */
    http_problem(s->request, 422, "Nothing was stored. Each member of errors says what to mend.",
                 errors.data);
    buf_release(&errors);
}

/* Too busy, or the disk failed: unknown whether it was stored; sending again counts once. */
static void reply_busy(struct submitting *s)
{
    http_set_header(s->request, "Retry-After", "5");
    if (s->api)
        http_problem(s->request, 503, "Please send it again: it counts once.", NULL);
    else
        reply_page(s, 503, "sign.busy");
}

/* What the thank-you page shows, as it lies in its address. */
struct thanks {
    uint8_t index[8]; /* little-endian */
    uint8_t seed[SEED_LEN];
    uint8_t leaf[HASH_LEN];
};

static void reply_thanks_page(struct submitting *s)
{
    struct thanks thanks;
    struct buf location;

    for (int i = 0; i < 8; i++)
        thanks.index[i] = (uint8_t)(s->index >> (8 * i));
    memcpy(thanks.seed, s->form.seed, SEED_LEN);
    memcpy(thanks.leaf, s->leaf, HASH_LEN);
    buf_init(&location, BUF_UNLIMITED);
    buf_printf(&location, "/%s/thanks/", lang_codes[s->form.lang]);
    runkey_wrap(s->signing->config.runkey, &location, (const uint8_t *)&thanks, sizeof thanks,
                time(NULL));
    http_redirect(s->request, 303, location.data);
    buf_wipe(&location);
    sodium_memzero(&thanks, sizeof thanks);
}

static void reply_receipt(struct submitting *s)
{
    char code[CODE_MAX], withdraw[CODE_MAX];
    struct buf body;

    entry_short_code(code, s->index, s->leaf);
    entry_withdraw_code(withdraw, s->index, s->form.seed);
    buf_init(&body, BUF_UNLIMITED);
    buf_printf(&body, "{\"receipt\":{\"code\":\"%s\",\"withdraw\":\"%s\",\"index\":%" PRId64 "}}",
               code, withdraw, s->index);
    sodium_memzero(withdraw, sizeof withdraw);
    http_reply_json(s->request, 202, &body);
}

static void on_written(struct http_request *rq, void *ctx)
{
    struct submitting *s = ctx;

    (void)rq;
    if (s->job.result != JOB_COMMITTED)
        reply_busy(s);
    else if (s->api)
        reply_receipt(s);
    else
        reply_thanks_page(s);
}

/* ---- handlers */

static void release_submitting(void *data)
{
    struct submitting *s = data;

    input_release(&s->input);
    buf_wipe(&s->form.name);
    buf_wipe(&s->form.contact);
    buf_release(&s->form.unknown);
    buf_wipe(&s->record);
    buf_release(&s->entry);
    sodium_memzero(s, sizeof *s);
    free(s);
}

static struct submitting *new_submitting(struct signing *signing, struct http_request *rq, bool api)
{
    struct submitting *s = xcalloc(1, sizeof *s);

    s->job.apply = apply;
    s->job.done = done;
    s->signing = signing;
    s->request = rq;
    s->api = api;
    buf_init(&s->form.name, BUF_UNLIMITED);
    buf_init(&s->form.contact, BUF_UNLIMITED);
    buf_init(&s->form.unknown, BUF_UNLIMITED);
    buf_init(&s->entry, BUF_UNLIMITED);
    buf_init(&s->record, SEAL_PADDED_LONG - 1);
    http_attach(rq, s, release_submitting);
    return s;
}

static void handle(struct signing *signing, struct http_request *rq, bool api)
{
    struct submitting *s = new_submitting(signing, rq, api);
    size_t len;
    const char *body = http_body(rq, &len);
    enum input_reason reason =
        api ? input_parse_json(&s->input, body, len) : input_parse_form(&s->input, body, len);

    if (reason != INPUT_OK) {
        http_fail(rq, 400);
        return;
    }
    if (!signing->config.view->open) {
        check_lang(s);
        if (api)
            http_problem(rq, 403, "Signing is paused.", NULL);
        else
            reply_page(s, 403, NULL);
        return;
    }
    if (!validate(s) || !prepare(s)) {
        if (!buf_ok(&s->record))
            set_error(s, FIELD_NAME, FIELD_TOO_LONG);
        reply_invalid(s);
        return;
    }
    if (!writer_reserve(signing->writer)) {
        reply_busy(s);
        return;
    }
    http_park(rq, on_written, s);
    writer_submit(signing->writer, &s->job);
}

void sign_form(struct http_request *rq, void *ctx)
{
    handle(ctx, rq, false);
}

void sign_api(struct http_request *rq, void *ctx)
{
    handle(ctx, rq, true);
}

void sign_thanks(struct http_request *rq, void *ctx)
{
    struct signing *signing = ctx;
    char short_code[CODE_MAX], withdraw_code[CODE_MAX];
    struct view_thanks shown = {short_code, withdraw_code};
    enum lang lang = (enum lang)lang_of(http_lang(rq));
    struct thanks thanks;
    struct buf page;
    int64_t index = 0;
    int status = 200;

    buf_init(&page, BUF_UNLIMITED);
    if (runkey_unwrap(signing->config.runkey, (uint8_t *)&thanks, sizeof thanks, http_param(rq, 1),
                      time(NULL)) == 0) {
        for (int i = 0; i < 8; i++)
            index |= (int64_t)thanks.index[i] << (8 * i);
        entry_short_code(short_code, index, thanks.leaf);
        entry_withdraw_code(withdraw_code, index, thanks.seed);
        view_thanks(&page, signing->config.view, lang, &shown);
        sodium_memzero(withdraw_code, sizeof withdraw_code);
        sodium_memzero(&thanks, sizeof thanks);
    } else {
        view_thanks_gone(&page, signing->config.view, lang);
        status = 410;
    }
    http_reply(rq, status, "text/html; charset=utf-8", &page);
}
