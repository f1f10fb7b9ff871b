/*
 * content: the folder of public content, read and checked once at start, constant afterwards.
 *
 *   addressees.json  countries.json  mail-domains.conf  text/LANG.txt  letters/LANG.json
 *   readme/LANG.txt  catalogue/LANG.json (flat: key -> text)  catalogue/desk-LANG.json (as that,
 *   for the organisers' pages)  templates/NAME.html  style.css  verify.txt
 *
 * Everything is checked at start: UTF-8, JSON syntax, the 19 addressees and the letters of their
 * people, 249 countries, that the catalogues have the same keys and that they have every key the
 * templates use. Owns all it returns.
 *
 * A petition text is a title line and blocks between empty lines: "# " opens a heading, lines
 * that all start with "- " are a list, anything else is a paragraph.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include "entry.h"
#include "identity.h"
#include "template.h"

#define ADDRESSEE_COUNT 19
#define PETITION_GOAL   1000000

enum lang { LANG_EN, LANG_FR, LANG_KM, LANG__COUNT }; /* the order of the hashes in entry 0 */
extern const char *const lang_codes[LANG__COUNT];
/* LANG_EN.., or -1 for another text. */
int lang_of(const char *code);

struct content_file {
    char *data; /* NUL-terminated */
    size_t len;
    uint8_t hash[HASH_LEN]; /* SHA-256 of the bytes */
};

struct country_name {
    const char *in[LANG__COUNT];
};

struct content {
    struct content_file text[LANG__COUNT];
    /* The text parsed: {"title", "blocks": [{"heading"} or {"paragraph"} or {"list":{"items"}}]} */
    cJSON *petition[LANG__COUNT];
    struct content_file readme[LANG__COUNT]; /* what a bundle's README.txt says */
    struct content_file addressees_file;
    struct content_file style;      /* style.css, to be inlined */
    struct content_file mail_rules; /* mail-domains.conf */
    cJSON *addressees;              /* the array "addressees" of the file */
    cJSON *commands;                /* of verify.txt: name -> what to type */
    cJSON *letters[LANG__COUNT];
    cJSON *catalogue[LANG__COUNT];
    cJSON *country_options[LANG__COUNT]; /* [{"code","name"}…] in that language's order, KH first */
    struct phone_plan *plans;            /* one per country, sorted by code */
    struct country_name *names;          /* of the country at the same place in plans */
    size_t plan_count;
    cJSON *countries; /* the array "countries" of the file */
    struct template_set *templates;
};

/* NULL, with one line in err that names the file, if anything is missing or wrong. */
struct content *content_open(const char *public_dir, struct buf *err);
void content_close(struct content *c);

/* The template of that name; it exists, or the program is wrong (checked by content_open for the
 * names in its table). */
const struct template *content_template(const struct content *c, const char *name);

/* True for one of the 249 codes. */
bool content_is_country(const struct content *c, const char *code);
/* The country's name, or the code itself if there is none; "other" has one in the catalogue. */
const char *content_country_name(const struct content *c, const char *code, enum lang lang);
/* A text of the catalogue; the key itself if it is missing. */
const char *content_text(const struct content *c, enum lang lang, const char *key);

#endif
