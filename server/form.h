/*
 * form: a signer's form, from untrusted members to typed values.
 *
 * Every problem is found at once, each bound to its field. Nothing here depends on who has signed.
 */
#ifndef FORM_H
#define FORM_H

#include "input.h"
#include "view.h"

#define NAME_MAX_CODE_POINTS 200

struct form_rules {
    const struct content *content;
    const struct identity *identity;
    bool accept_unconfirmed; /* false: only e-mail addresses */
    bool api;                /* JSON: strict about types and names; says its own language */
    bool paper;              /* a row of a paper sheet: the contact may be missing */
};

struct form {
    struct buf name, contact; /* as typed, cleaned and trimmed */
    char country[3];
    enum visibility visibility;
    bool updates;
    enum lang lang;           /* of the page, set by the caller; the API's member changes it */
    uint8_t seed[SEED_LEN];   /* given, or random */
    struct contact canonical; /* "" : paper, without one */
    enum field_reason errors[FIELD__COUNT];
    struct buf unknown; /* JSON: names of members that are none of ours, as `"name":"unknown",` */
};

void form_init(struct form *f);
/* Overwrites what was typed. */
void form_release(struct form *f);

/* Fills the form; true if there is no problem. The seed is set unless its member is wrong. */
bool form_validate(struct form *f, const struct input *in, const struct form_rules *rules);

#endif
