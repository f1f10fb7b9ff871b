/*
 * form: the checks of a signer's form (see form.h). Pure but for the random seed; any thread.
 */
#include "form.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

struct check {
    struct form *form;
    const struct input *in;
    const struct form_rules *rules;
};

/* A member as a string: NULL if it is absent, or wrong (and then the error is set). */
static const char *text_of(struct check *c, enum sign_field field)
{
    bool again;
    const struct input_member *m = input_find(c->in, sign_field_names[field], &again);

    if (again)
        c->form->errors[field] = FIELD_DUPLICATE;
    else if (m && m->type != INPUT_STRING)
        c->form->errors[field] = FIELD_WRONG_TYPE;
    else if (m)
        return m->string;
    return NULL;
}

static void set_error(struct check *c, enum sign_field field, enum field_reason reason)
{
    if (c->form->errors[field] == FIELD_OK)
        c->form->errors[field] = reason;
}

static void check_name(struct check *c)
{
    const char *typed = text_of(c, FIELD_NAME);
    struct buf *name = &c->form->name;

    if (typed)
        input_clean_line(name, typed);
    if (name->len == 0)
        set_error(c, FIELD_NAME, FIELD_MISSING);
    else if (input_code_points(name->data) > NAME_MAX_CODE_POINTS)
        set_error(c, FIELD_NAME, FIELD_TOO_LONG);
    else if (strstr(name->data, "://") || strcasestr(name->data, "www."))
        set_error(c, FIELD_NAME, FIELD_URL);
}

static void check_country(struct check *c)
{
    const char *typed = text_of(c, FIELD_COUNTRY);

    if (!typed || !*typed) {
        set_error(c, FIELD_COUNTRY, FIELD_MISSING);
        return;
    }
    if (strlen(typed) != 2 || !content_is_country(c->rules->content, typed)) {
        set_error(c, FIELD_COUNTRY, FIELD_INVALID);
        return;
    }
    memcpy(c->form->country, typed, sizeof c->form->country);
}

static void check_contact(struct check *c)
{
    static const enum field_reason reasons[] = {
        [CONTACT_OK] = FIELD_OK,
        [CONTACT_MISSING] = FIELD_MISSING,
        [CONTACT_TOO_LONG] = FIELD_TOO_LONG,
        [CONTACT_UNRECOGNISED] = FIELD_UNRECOGNISED,
        [CONTACT_BAD_EMAIL] = FIELD_BAD_EMAIL,
        [CONTACT_BAD_PHONE] = FIELD_BAD_PHONE,
    };
    const char *typed = text_of(c, FIELD_CONTACT);
    enum field_reason reason;

    if (typed)
        input_clean_line(&c->form->contact, typed);
    if (c->rules->paper && c->form->contact.len == 0)
        return;
    reason = reasons[identity_contact(c->rules->identity, &c->form->canonical,
                                      c->form->contact.data, c->form->country)];
    if (reason == FIELD_OK && c->form->canonical.kind == 'p' && !c->rules->accept_unconfirmed)
        reason = FIELD_UNCONFIRMED;
    if (reason != FIELD_OK)
        set_error(c, FIELD_CONTACT, reason);
}

static void check_visibility(struct check *c)
{
    const char *typed = text_of(c, FIELD_VISIBILITY);

    if (!typed || !*typed)
        return; /* private */
    for (int v = 0; v < VISIBILITY__MAX; v++) {
        if (strcmp(typed, visibility_names[v]) == 0) {
            c->form->visibility = (enum visibility)v;
            return;
        }
    }
    set_error(c, FIELD_VISIBILITY, FIELD_INVALID);
}

/* A form has 1, on, yes, true for yes; JSON has a boolean. */
static void check_updates(struct check *c)
{
    static const char *const yes[] = {"1", "on", "yes", "true"};
    static const char *const no[] = {"", "0", "off", "no", "false"};
    bool again;
    const struct input_member *m = input_find(c->in, "updates", &again);
    const char *typed;

    if (c->rules->api && m && m->type == INPUT_BOOL && !again) {
        c->form->updates = m->truth;
        return;
    }
    if (c->rules->api && m && !again) {
        set_error(c, FIELD_UPDATES, FIELD_WRONG_TYPE);
        return;
    }
    typed = text_of(c, FIELD_UPDATES);
    for (size_t i = 0; typed && i < sizeof yes / sizeof *yes; i++)
        c->form->updates |= strcasecmp(typed, yes[i]) == 0;
    for (size_t i = 0; typed && !c->form->updates && i < sizeof no / sizeof *no; i++)
        if (strcasecmp(typed, no[i]) == 0)
            return;
    if (typed && !c->form->updates)
        set_error(c, FIELD_UPDATES, FIELD_INVALID);
}

static void check_seed(struct check *c)
{
    const char *typed = text_of(c, FIELD_SEED);

    if (!typed || !*typed)
        randombytes_buf(c->form->seed, SEED_LEN);
    else if (base64_decode(c->form->seed, SEED_LEN, typed) != 0)
        set_error(c, FIELD_SEED, FIELD_INVALID);
}

/* The API says its language; a form's is in its address, which the caller knows. */
static void check_lang(struct check *c)
{
    const char *typed = c->rules->api ? text_of(c, FIELD_LANG) : NULL;
    int lang = typed ? lang_of(typed) : (int)c->form->lang;

    if (lang < 0)
        set_error(c, FIELD_LANG, FIELD_INVALID);
    else
        c->form->lang = (enum lang)lang;
}

/* JSON is strict about names; a form may carry fields of extensions and password managers. */
static void check_unknown(struct check *c)
{
    for (size_t i = 0; c->rules->api && i < c->in->count; i++) {
        const char *name = c->in->members[i].name;
        bool known = strcmp(name, "pow") == 0;

        for (int field = 0; field < FIELD__COUNT && !known; field++)
            known = strcmp(name, sign_field_names[field]) == 0;
        if (known)
            continue;
        buf_json(&c->form->unknown, name);
        buf_printf(&c->form->unknown, ":\"%s\",", field_reason_names[FIELD_UNKNOWN]);
    }
}

void form_init(struct form *f)
{
    *f = (struct form){.lang = LANG_EN};
    buf_init(&f->name, BUF_UNLIMITED);
    buf_init(&f->contact, BUF_UNLIMITED);
    buf_init(&f->unknown, BUF_UNLIMITED);
}

void form_release(struct form *f)
{
    buf_wipe(&f->name);
    buf_wipe(&f->contact);
    buf_release(&f->unknown);
    sodium_memzero(f, sizeof *f);
}

bool form_validate(struct form *f, const struct input *in, const struct form_rules *rules)
{
    struct check c = {f, in, rules};

    check_name(&c);
    check_country(&c); /* before the contact: a local phone number is of the country */
    check_contact(&c);
    check_visibility(&c);
    check_updates(&c);
    check_seed(&c);
    check_lang(&c);
    check_unknown(&c);
    for (int field = 0; field < FIELD__COUNT; field++)
        if (f->errors[field] != FIELD_OK)
            return false;
    return f->unknown.len == 0;
}
