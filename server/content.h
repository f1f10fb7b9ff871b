/*
 * content: the folder of public content, read and checked once at start, constant afterwards.
 *
 *   addressees.json  countries.json  mail-domains.conf  text/LANG.txt  letters/LANG.json
 *   catalogue/LANG.json (flat: key -> text)  templates/NAME.html  style.css  petition.js
 *
 * Everything is checked at start: JSON syntax, the 19 addressees, 249 countries, and that every
 * catalogue has every key its templates use. Owns all it returns.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include "entry.h"
#include "identity.h"
#include "template.h"

#define ADDRESSEE_COUNT 19
#define PETITION_GOAL 1000000

enum lang { LANG_EN, LANG_FR, LANG_KM, LANG__COUNT }; /* the order of the hashes in entry 0 */
extern const char *const lang_codes[LANG__COUNT];
/* LANG_EN.., or -1 for another text. */
int lang_of(const char *code);

struct content_file {
    char *data; /* NUL-terminated */
    size_t len;
    uint8_t hash[HASH_LEN]; /* SHA-256 of the bytes */
};

struct content {
    struct content_file text[LANG__COUNT];
    struct content_file addressees_file;
    struct content_file style;      /* style.css, to be inlined */
    struct content_file mail_rules; /* mail-domains.conf */
    cJSON *addressees;              /* the array "addressees" of the file */
    cJSON *letters[LANG__COUNT];
    cJSON *catalogue[LANG__COUNT];
    cJSON *country_options[LANG__COUNT]; /* [{"code","name"}…] in that language's order, KH first */
    struct phone_plan *plans;            /* one per country, sorted by code */
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
/* A text of the catalogue; "[key]" if it is missing. */
const char *content_text(const struct content *c, enum lang lang, const char *key);

#endif
