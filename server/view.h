/*
 * view: the visitor's pages as HTML.
 *
 * Pure: content and figures in, bytes out; any thread, any number at once. It knows the words and
 * the layout, not where the page goes. Every page has its language, a skip link and no script it
 * needs; every page has the language switch, but the thank-you page, which it would lead away from.
 */
#ifndef VIEW_H
#define VIEW_H

#include "content.h"
#include "figures.h"

/* What every page needs to know of the configuration. */
struct view {
    const struct content *content;
    const char *base_url;          /* "" or scheme://host; for canonical and share links */
    const char *organiser_name;    /* "" : the catalogue's "the organisers" */
    const char *organiser_contact; /* may be "" */
    const char *minisign_key;      /* "RW…" */
    bool open;                     /* false: signing is paused, unless the petition is closed */
    uint32_t count_step;
    int publish_every_s;
};

/* The fields of the sign form, in the order of the page. */
enum sign_field {
    FIELD_NAME,
    FIELD_CONTACT,
    FIELD_COUNTRY,
    FIELD_VISIBILITY,
    FIELD_UPDATES,
    FIELD_SEED,
    FIELD_LANG,
    FIELD__COUNT
};
extern const char *const sign_field_names[FIELD__COUNT];

/* Why a field is refused. One catalogue text each: "error.<field>.<reason>" if there is one, else
 * "error.<reason>". The API sends the reason's name. */
enum field_reason {
    FIELD_OK,
    FIELD_MISSING,
    FIELD_TOO_LONG,
    FIELD_INVALID,      /* not one of the choices, not the syntax */
    FIELD_WRONG_TYPE,   /* JSON: not a string, or not a boolean */
    FIELD_DUPLICATE,    /* given more than once */
    FIELD_UNKNOWN,      /* JSON: no such member */
    FIELD_URL,          /* a name with a web address in it */
    FIELD_UNRECOGNISED, /* a contact that is neither e-mail nor phone */
    FIELD_BAD_EMAIL,
    FIELD_BAD_PHONE,
    FIELD_UNCONFIRMED, /* a phone, where only proven mailboxes count */
    FIELD_REASON__COUNT
};
extern const char *const field_reason_names[FIELD_REASON__COUNT];

/* What the visitor typed, to be shown again, and what is wrong with it. NULL: empty. */
struct view_form {
    const char *values[FIELD__COUNT];
    enum field_reason errors[FIELD__COUNT];
    bool at_risk;
    const char *notice; /* catalogue key of a notice above the form ("sign.busy"), or NULL */
};

/* The petition page. `form` is NULL for the page as published. */
void view_petition(struct buf *out, const struct view *v, enum lang lang,
                   const struct publication *p, const struct view_form *form);
/* After signing. Codes as ASCII. */
struct view_thanks {
    const char *short_code, *withdraw_code;
    bool at_risk; /* shown once: nothing below, nothing that leads back or is kept */
    bool published;
    const char *address; /* of the page */
    int reload_s;        /* the page loads itself anew until it is published; 0: it does not */
    const char *ticket;  /* what the full receipt is made of, for its form; NULL: it cannot be */
};
#define VIEW_STILL "still" /* in the query of `address`: the page does not load itself anew */
void view_thanks(struct buf *out, const struct view *v, enum lang lang,
                 const struct view_thanks *t);
/* The second step: the warning and the two downloads. */
struct view_save {
    const char *ticket;
    int64_t index;
    bool published;
};
void view_save(struct buf *out, const struct view *v, enum lang lang, const struct view_save *s);
/* The thank-you page whose link is too old or altered. */
void view_thanks_gone(struct buf *out, const struct view *v, enum lang lang);

/* Withdrawing: the form, with what went wrong, or that it is done. */
enum withdraw_state {
    WITHDRAW_ASK,
    WITHDRAW_MISSING,
    WITHDRAW_MISTYPED,
    WITHDRAW_UNKNOWN,
    WITHDRAW_BUSY,
    WITHDRAW_DONE,
    WITHDRAW_STATE__COUNT
};
struct view_withdrawal {
    enum withdraw_state state;
    const char *typed; /* the code, so that a slip is mended and not all typed again; or NULL */
};
void view_withdraw(struct buf *out, const struct view *v, enum lang lang,
                   const struct view_withdrawal *w);

/* Checking a receipt: the form, with what is wrong with what was pasted, or what the log says. */
enum receipt_state {
    RECEIPT_ASK,
    RECEIPT_MISSING,
    RECEIPT_MALFORMED, /* neither a short code nor a .tlog-proof */
    RECEIPT_PRIVATE,   /* the private opening: it must not be shown to anybody */
    RECEIPT_CODE,      /* a withdrawal code: as that */
    RECEIPT_FOREIGN,   /* of another log */
    RECEIPT_FORGED,    /* not signed with the log's key */
    RECEIPT_BROKEN,    /* its entry is not in its own tree */
    RECEIPT_FORK,      /* signed with the log's key, and not of the log that is shown */
    RECEIPT_UNKNOWN,   /* no signature has this code */
    RECEIPT_LATER,     /* the log is not that long */
    RECEIPT_BUSY,
    RECEIPT_FOUND,
    RECEIPT_STATE__COUNT
};
struct view_receipt {
    enum receipt_state state;
    const char *typed; /* to be shown again, or NULL */
    /* RECEIPT_FOUND only: */
    int64_t index, since, end; /* as in lookup.h */
    enum void_why why;
    const int64_t *deliveries;
    size_t delivery_count;
    bool more_deliveries;
    int64_t proven; /* the size of the tree that the receipt speaks of; 0: it was a code */
};
void view_receipt(struct buf *out, const struct view *v, enum lang lang,
                  const struct view_receipt *r);
/* How anybody checks the log, with what commands. */
void view_verify(struct buf *out, const struct view *v, enum lang lang);
void view_privacy(struct buf *out, const struct view *v, enum lang lang);
/* The public figures: count, by country, by day, by tier, as tables. */
void view_progress(struct buf *out, const struct view *v, enum lang lang,
                   const struct publication *p);
/* Any error: 400 403 404 405 410 411 413 415 422 429 500 503. `path` is not shown. */
void view_error(struct buf *out, const struct view *v, enum lang lang, int status);

/* "2017-10-23" in the words of the language, as text: "23 October 2017". */
void view_day(struct buf *out, const struct content *c, enum lang lang, const char *day);

/* The value of the style-src hash for the inlined style sheet: "sha256-…". */
void view_style_hash(struct buf *out, const struct view *v);

#endif
