/*
 * identity: who is the same person. Canonical contacts, and the keyed tag that stands for one.
 *
 * The rules must not change while a petition is open: tags would no longer match. This module is
 * the only holder of the pepper.
 *
 * E-mail: trim, NFKC, lower case, domain to A-labels (IDNA2008, libidn2), then the domain's rule of
 * mail-domains.conf (drop "+tag", drop dots, aliases). Phone: digits of any script, separators
 * dropped, to E.164 with the calling code, trunk prefix and length range of the chosen country.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "buf.h"

#define TAG_LEN           32
#define PEPPER_LEN        32
#define PEPPER_KEY_LABEL  "petition-pepper/v1" /* of its key file (files.h) */
#define CONTACT_MAX_BYTES 254                  /* as typed, after trimming */
#define PHONE_LENGTHS_MAX 16

/* How a country dials. `calling` is NULL for the few without a numbering plan. */
struct phone_plan {
    char code[3];        /* ISO 3166-1 alpha-2 */
    const char *calling; /* digits without '+'; owned by the caller */
    const char *trunk;   /* digits dropped before the calling code, often "0", may be "" */
    uint8_t lengths[PHONE_LENGTHS_MAX]; /* possible lengths of the national number, ascending */
    size_t length_count;
};

struct contact {
    char kind;           /* 'e' e-mail or 'p' phone */
    char canonical[512]; /* NUL-terminated; "user@example.org" or "+85512345678" */
};

enum contact_reason {
    CONTACT_OK,
    CONTACT_MISSING,
    CONTACT_TOO_LONG,
    CONTACT_UNRECOGNISED, /* neither an e-mail address nor a phone number */
    CONTACT_BAD_EMAIL,    /* has an @, but is no address */
    CONTACT_BAD_PHONE,    /* digits, but no number of the chosen or the dialled country */
};

struct identity; /* plans, mail rules and the pepper; constant but for identity_forget */

/* Reads the mail rules (one line: DOMAIN FLAGS CANONICAL-DOMAIN). `plans` must outlive the object.
 * The pepper is copied into guarded memory; NULL: there is none any more. NULL, with a line in err,
 * if the rules are wrong. */
struct identity *identity_new(const uint8_t pepper[PEPPER_LEN], const struct phone_plan *plans,
                              size_t plan_count, const char *mail_rules, struct buf *err);
void identity_free(struct identity *id);

/* Canonicalises what was typed (valid UTF-8). `country` decides how a local phone number is read;
 * it may be unknown or "" (then only international numbers are). */
enum contact_reason identity_contact(const struct identity *id, struct contact *out,
                                     const char *typed, const char *country);

/* Wipes the pepper. Waits for tags that are being computed. Any thread. */
void identity_forget(struct identity *id);

/* tag = BLAKE2b-256(key = pepper, "petition-tag/v1\n" || kind || canonical); without a pepper
 * random bytes, which stand for nobody. Thread-safe. */
void identity_tag(const struct identity *id, uint8_t tag[TAG_LEN], const struct contact *c);

#endif
