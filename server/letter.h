/*
 * letter: what a bundle says in words: the letters, the summary, the README.
 *
 * Pure: public content and the figures of a delivery in, bytes out. The words are in
 * letters/LANG.json, readme/LANG.txt, the catalogues and the templates; nothing of the petition
 * stands in the program.
 *
 * A letter is what letters/LANG.json has for "ADDRESSEE-PERSON" over what it has as "shared". Its
 * member "recipient" (style, name, office, role, place), if there is one, goes over the same
 * members of the person in addressees.json: for a letter that is not in that file's language.
 *
 * In letters and README {word} stands for: signatures confirmed submissions repeats withdrawn
 * removed countries delivery addressee (numbers, written as the language does) date day
 * (2017-10-23) organiser sender (the organiser with the contact) origin (where to read the
 * petition: the base_url or, without one, the log's origin) base_url minisign_key. Any other {word}
 * stays as it is.
 */
#ifndef LETTER_H
#define LETTER_H

#include "content.h"

struct letter_source {
    const struct content *content;
    const cJSON *figures;          /* as bundle_figures writes them, parsed */
    const char *organiser_name;    /* "" : the catalogue's "the organisers" */
    const char *organiser_contact; /* may be "" */
    const char *origin;            /* of the log */
    const char *base_url;          /* may be "" */
    const char *minisign_key;      /* "RW…" */
    int position;                  /* 0..18: the addressee the bundle is for */
};

/* One letter of the bundle: to the person at `person` (from 0) of the addressee. */
struct letter_to {
    int person;
    enum lang lang;
};

/* The bundle's letters, in their order: by person, then as the person's list of languages says.
 * Fills at most `cap` and returns how many there are. */
size_t letter_list(const struct letter_source *s, struct letter_to *letters, size_t cap);

/* The hash of a letter's style sheet, "sha256-…": for whoever shows it under a policy. */
void letter_style_hash(struct buf *out, const struct content *content);

void letter_write(struct buf *out, const struct letter_source *s, const struct letter_to *to);

/* The figures as a page, in English. */
void letter_summary(struct buf *out, const struct letter_source *s);

/* README.txt: in English, then in every other language the bundle has a letter in. */
void letter_readme(struct buf *out, const struct letter_source *s);

#endif
