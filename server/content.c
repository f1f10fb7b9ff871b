/*
 * content: reads and checks the folder of public content (see content.h).
 *
 * content_open runs once, in the main thread, before anything is served; what it returns is never
 * written again, so every thread reads it without a lock. A mistake in a file is one line that
 * names the file; nothing is repaired or skipped. What the words mean is left to view.
 */
#include "content.h"

#include "input.h"
#include "petition_text.h"
#include "sha256.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (1024 * 1024)
#define COUNTRY_COUNT  249
#define HOME_COUNTRY   "KH" /* first in the list of the form */

const char *const lang_codes[LANG__COUNT] = {"en", "fr", "km"};

/* Every page; partials are found by the templates that use them. */
/* clang-format off */
static const char *const template_names[] = {
    "petition", "thanks", "thanks_gone", "save", "receipt", "verify", "withdraw", "privacy",
    "progress", "error", "letter", "summary", "desk-login", "desk-refused", "desk-overview",
    "desk-deliveries", "desk-delivery", "desk-letters", "desk-handover", "desk-complete",
    "desk-find", "desk-void", "desk-audit", "desk-exports", "desk-account", "desk-totp",
    "desk-recovery", "desk-organisers", "desk-paper", "desk-paper_check", "desk-paper_remove",
};
/* clang-format on */
#define TEMPLATE_COUNT (sizeof template_names / sizeof *template_names)

struct template_set {
    struct template *of[TEMPLATE_COUNT];
};

/* What the steps of content_open share. */
struct loader {
    struct content *c;
    const char *dir;
    struct buf *err;
    cJSON *partials; /* name -> source, while templates are compiled */
};

int lang_of(const char *code)
{
    for (int i = 0; i < LANG__COUNT; i++)
        if (strcmp(code, lang_codes[i]) == 0)
            return i;
    return -1;
}

__attribute__((format(printf, 3, 4))) static int fail(struct loader *l, const char *file,
                                                      const char *format, ...)
{
    va_list args;
    char message[200];

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    buf_printf(l->err, "%s/%s: %s", l->dir, file, message);
    return -1;
}

/* ---- files ---- */

/* KIND and LANG.EXT, in storage of the caller. */
static const char *lang_file(char room[40], const char *kind, int lang, const char *ext)
{
    snprintf(room, 40, "%s%s.%s", kind, lang_codes[lang], ext);
    return room;
}

static int read_file(struct loader *l, const char *file, struct content_file *out)
{
    struct buf path, data;
    int result;

    buf_init(&path, 4096);
    buf_init(&data, FILE_MAX_BYTES);
    buf_printf(&path, "%s/%s", l->dir, file);
    result = buf_read_file(&data, path.data);
    buf_release(&path);
    if (result != 0)
        result = fail(l, file, "cannot be read, or is larger than 1 MiB");
    else if (!input_is_utf8(data.data, data.len))
        result = fail(l, file, "is not UTF-8");
    if (result == 0) {
        sha256_of(out->hash, data.data, data.len);
        out->data = buf_detach(&data, &out->len);
    }
    buf_release(&data);
    return result;
}

/* Parses a file, which stays in *bytes for the caller to free. */
static int read_json(struct loader *l, const char *file, struct content_file *bytes, cJSON **out)
{
    const char *end;
    int line = 1;

    if (read_file(l, file, bytes) != 0)
        return -1;
    *out = cJSON_ParseWithLengthOpts(bytes->data, bytes->len + 1, &end, 1);
    if (*out)
        return 0;
    for (const char *p = bytes->data; p < end; p++)
        line += *p == '\n';
    return fail(l, file, "line %d is not JSON", line);
}

/* Parses KIND and LANG.json of every language. */
static int read_json_of_each(struct loader *l, const char *kind, cJSON *out[LANG__COUNT])
{
    struct content_file bytes;
    char file[40];
    int result = 0;

    for (int i = 0; result == 0 && i < LANG__COUNT; i++) {
        bytes = (struct content_file){0};
        result = read_json(l, lang_file(file, kind, i, "json"), &bytes, &out[i]);
        free(bytes.data);
    }
    return result;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* The first child of an array or object, or NULL; the others follow by ->next. */
static const cJSON *first(const cJSON *list)
{
    return list ? list->child : NULL;
}

/* The string of that name, or "" if there is none. */
static const char *string_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(member(object, name));

    return text ? text : "";
}

/* ---- petition text ---- */

static int load_texts(struct loader *l)
{
    char file[40];

    for (int i = 0; i < LANG__COUNT; i++) {
        struct content_file *text = &l->c->text[i];

        if (read_file(l, lang_file(file, "readme/", i, "txt"), &l->c->readme[i]) != 0 ||
            read_file(l, lang_file(file, "text/", i, "txt"), text) != 0)
            return -1;
        l->c->petition[i] = petition_text_parse(text->data);
        if (*string_of(l->c->petition[i], "title") == '\0' ||
            !first(member(l->c->petition[i], "blocks")))
            return fail(l, file, "needs a title in its first line and text behind it");
    }
    return 0;
}

/* ---- countries ---- */

static bool is_country_code(const char *code)
{
    return strlen(code) == 2 && strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2;
}

static bool all_digits(const char *text)
{
    return text[strspn(text, "0123456789")] == '\0';
}

/* The possible lengths of a national number, ascending; false if they are not that. */
static bool read_lengths(struct phone_plan *plan, const cJSON *lengths)
{
    if (!cJSON_IsArray(lengths))
        return false;
    for (const cJSON *item = first(lengths); item; item = item->next) {
        int last = plan->length_count ? plan->lengths[plan->length_count - 1] : 0;

        if (plan->length_count == PHONE_LENGTHS_MAX || !cJSON_IsNumber(item) ||
            item->valueint <= last || item->valueint > 17)
            return false;
        plan->lengths[plan->length_count++] = (uint8_t)item->valueint;
    }
    return true;
}

/* Fills one place of plans and names; false if the country is not well formed. */
static bool read_country(struct phone_plan *plan, struct country_name *name, const cJSON *country)
{
    const cJSON *calling = member(country, "calling"), *trunk = member(country, "trunk");
    const char *code = string_of(country, "code");

    if (!is_country_code(code) || !cJSON_IsString(trunk) || !all_digits(trunk->valuestring) ||
        !(cJSON_IsNull(calling) || (cJSON_IsString(calling) && all_digits(calling->valuestring))))
        return false;
    memcpy(plan->code, code, sizeof plan->code);
    plan->calling = cJSON_GetStringValue(calling);
    plan->trunk = trunk->valuestring;
    for (int i = 0; i < LANG__COUNT; i++) {
        name->in[i] = string_of(member(country, "names"), lang_codes[i]);
        if (*name->in[i] == '\0')
            return false;
    }
    return read_lengths(plan, member(country, "lengths")) &&
           (!plan->calling || plan->length_count > 0);
}

static int compare_codes(const void *a, const void *b)
{
    const cJSON *const *left = a, *const *right = b;

    return strcmp(string_of(*left, "code"), string_of(*right, "code"));
}

static int compare_plan(const void *code, const void *plan)
{
    return strcmp(code, ((const struct phone_plan *)plan)->code);
}

/* The country's place in plans and names, or plan_count. */
static size_t find_country(const struct content *c, const char *code)
{
    const struct phone_plan *plan =
        bsearch(code, c->plans, c->plan_count, sizeof *c->plans, compare_plan);

    return plan ? (size_t)(plan - c->plans) : c->plan_count;
}

/* Fills plans and names in the order of the codes. */
static int read_countries(struct loader *l, const char *file)
{
    const cJSON *sorted[COUNTRY_COUNT];
    size_t n = 0;

    if (cJSON_GetArraySize(l->c->countries) != COUNTRY_COUNT)
        return fail(l, file, "must list %d countries", COUNTRY_COUNT);
    for (const cJSON *country = first(l->c->countries); country; country = country->next)
        sorted[n++] = country;
    qsort(sorted, n, sizeof *sorted, compare_codes);
    for (size_t i = 0; i < n; i++) {
        const char *code = string_of(sorted[i], "code");

        if (!read_country(&l->c->plans[i], &l->c->names[i], sorted[i]))
            return fail(l, file, "country %s is incomplete or wrong", code);
        if (i > 0 && strcmp(l->c->plans[i - 1].code, code) == 0)
            return fail(l, file, "country %s stands there twice", code);
    }
    l->c->plan_count = n;
    return 0;
}

static void add_option(const struct content *c, int lang, size_t country)
{
    cJSON *option = cJSON_CreateObject();

    cJSON_AddStringToObject(option, "code", c->plans[country].code);
    cJSON_AddStringToObject(option, "name", c->names[country].in[lang]);
    cJSON_AddItemToArray(c->country_options[lang], option);
}

static int build_options(struct loader *l, const char *file, int lang, const cJSON *order)
{
    struct content *c = l->c;
    bool seen[COUNTRY_COUNT] = {false};
    size_t home = find_country(c, HOME_COUNTRY);

    c->country_options[lang] = cJSON_CreateArray();
    if (cJSON_GetArraySize(order) != COUNTRY_COUNT || home == c->plan_count)
        return fail(l, file, "the order in %s does not have every country", lang_codes[lang]);
    add_option(c, lang, home);
    for (const cJSON *item = first(order); item; item = item->next) {
        const char *code = cJSON_GetStringValue(item);
        size_t i = find_country(c, code ? code : "");

        if (i == c->plan_count || seen[i])
            return fail(l, file, "the order in %s has an unknown country, or one twice",
                        lang_codes[lang]);
        seen[i] = true;
        if (i != home)
            add_option(c, lang, i);
    }
    return 0;
}

static int load_countries(struct loader *l)
{
    const char *file = "countries.json";
    struct content_file bytes = {0};
    struct content *c = l->c;
    cJSON *root = NULL;
    int result = read_json(l, file, &bytes, &root);

    c->countries = cJSON_DetachItemFromObjectCaseSensitive(root, "countries");
    c->plans = xcalloc(COUNTRY_COUNT, sizeof *c->plans);
    c->names = xcalloc(COUNTRY_COUNT, sizeof *c->names);
    if (result == 0)
        result = read_countries(l, file);
    for (int i = 0; result == 0 && i < LANG__COUNT; i++)
        result = build_options(l, file, i, member(member(root, "order"), lang_codes[i]));
    cJSON_Delete(root);
    free(bytes.data);
    return result;
}

/* ---- addressees and letters ---- */

static bool is_slug(const char *text)
{
    return *text != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static bool is_person(const cJSON *person)
{
    const cJSON *letter = member(person, "letter");

    for (const cJSON *code = first(letter); code; code = code->next)
        if (!cJSON_IsString(code) || lang_of(code->valuestring) < 0)
            return false;
    return *string_of(person, "style") && *string_of(person, "name") &&
           *string_of(person, "office") && cJSON_GetArraySize(letter) > 0;
}

static bool is_addressee(const struct content *c, const cJSON *addressee, int number)
{
    const cJSON *people = member(addressee, "people");
    const char *names = string_of(addressee, "names");

    for (const cJSON *person = first(people); person; person = person->next)
        if (!is_person(person))
            return false;
    return cJSON_GetNumberValue(member(addressee, "number")) == number &&
           is_slug(string_of(addressee, "slug")) &&
           (strcmp(names, "with-consent") == 0 || strcmp(names, "never") == 0) &&
           (*string_of(addressee, "place") ||
            content_is_country(c, string_of(addressee, "country"))) &&
           cJSON_IsArray(people) && cJSON_GetArraySize(people) > 0;
}

static int load_addressees(struct loader *l)
{
    const char *file = "addressees.json";
    struct content *c = l->c;
    cJSON *root = NULL;
    int number = 0;

    if (read_json(l, file, &c->addressees_file, &root) != 0)
        return -1;
    c->addressees = cJSON_DetachItemFromObjectCaseSensitive(root, "addressees");
    cJSON_Delete(root);
    if (!cJSON_IsArray(c->addressees) || cJSON_GetArraySize(c->addressees) != ADDRESSEE_COUNT)
        return fail(l, file, "must list %d addressees", ADDRESSEE_COUNT);
    for (const cJSON *addressee = first(c->addressees); addressee; addressee = addressee->next) {
        if (!is_addressee(c, addressee, ++number))
            return fail(l, file, "addressee %d is incomplete or wrong", number);
    }
    return 0;
}

/* Every language of the person's list must have the letter "ADDRESSEE-PERSON". */
static int check_letters(struct loader *l, const cJSON *person, const char *key)
{
    char file[40];

    for (const cJSON *code = first(member(person, "letter")); code; code = code->next) {
        int lang = lang_of(code->valuestring);

        if (!cJSON_IsObject(member(member(l->c->letters[lang], "letters"), key)))
            return fail(l, lang_file(file, "letters/", lang, "json"), "letter %s is missing", key);
    }
    return 0;
}

static int load_letters(struct loader *l)
{
    char key[16];

    if (read_json_of_each(l, "letters/", l->c->letters) != 0)
        return -1;
    for (const cJSON *to = first(l->c->addressees); to; to = to->next) {
        const cJSON *person = first(member(to, "people"));

        for (int place = 1; person; person = person->next, place++) {
            snprintf(key, sizeof key, "%d-%d", member(to, "number")->valueint, place);
            if (check_letters(l, person, key) != 0)
                return -1;
        }
    }
    return 0;
}

/* ---- catalogues and templates ---- */

/* Every key of `from` must be a text of catalogue `lang`. */
static int check_same_keys(struct loader *l, const cJSON *from, int lang)
{
    char file[40];

    for (const cJSON *item = first(from); item; item = item->next) {
        if (!cJSON_IsString(member(l->c->catalogue[lang], item->string)))
            return fail(l, lang_file(file, "catalogue/", lang, "json"), "key %s is missing",
                        item->string);
    }
    return 0;
}

static int load_catalogues(struct loader *l)
{
    cJSON *desk[LANG__COUNT] = {NULL};
    int result = read_json_of_each(l, "catalogue/", l->c->catalogue);

    if (result == 0)
        result = read_json_of_each(l, "catalogue/desk-", desk);
    for (int i = 0; i < LANG__COUNT; i++) {
        while (result == 0 && desk[i]->child)
            cJSON_AddItemToArray(l->c->catalogue[i],
                                 cJSON_DetachItemViaPointer(desk[i], desk[i]->child));
        cJSON_Delete(desk[i]);
    }
    if (result != 0)
        return -1;
    for (int i = 0; i < LANG__COUNT; i++)
        for (int j = 0; j < LANG__COUNT; j++)
            if (check_same_keys(l, l->c->catalogue[i], j) != 0)
                return -1;
    return 0;
}

static const char *find_partial(void *ctx, const char *name)
{
    struct loader *l = ctx;
    struct content_file from = {0};
    char file[100];

    snprintf(file, sizeof file, "templates/%s.html", name);
    if (!member(l->partials, name) && read_file(l, file, &from) == 0)
        cJSON_AddStringToObject(l->partials, name, from.data);
    free(from.data);
    buf_clear(l->err); /* the template names the partial it lacks */
    return cJSON_GetStringValue(member(l->partials, name));
}

static int check_template_keys(struct loader *l, const struct template *t)
{
    char file[40];

    for (int i = 0; i < LANG__COUNT; i++) {
        const char *key = template_missing_key(t, l->c->catalogue[i]);

        if (key)
            return fail(l, lang_file(file, "catalogue/", i, "json"), "key %s is missing", key);
    }
    return 0;
}

static int load_template(struct loader *l, struct template **out, const char *name)
{
    struct content_file from = {0};
    struct buf why;
    char file[100];

    buf_init(&why, 400);
    snprintf(file, sizeof file, "templates/%s.html", name);
    if (read_file(l, file, &from) != 0)
        return -1;
    *out = template_new(name, from.data, find_partial, l, &why);
    free(from.data);
    if (!*out)
        fail(l, file, "%s", why.data);
    buf_release(&why);
    return *out ? check_template_keys(l, *out) : -1;
}

static int load_templates(struct loader *l)
{
    int result = 0;

    l->c->templates = xcalloc(1, sizeof *l->c->templates);
    l->partials = cJSON_CreateObject();
    for (size_t i = 0; result == 0 && i < TEMPLATE_COUNT; i++)
        result = load_template(l, &l->c->templates->of[i], template_names[i]);
    cJSON_Delete(l->partials);
    return result;
}

static int load_plain_files(struct loader *l)
{
    struct content_file verify = {0};

    if (read_file(l, "style.css", &l->c->style) != 0 ||
        read_file(l, "mail-domains.conf", &l->c->mail_rules) != 0 ||
        read_file(l, "verify.txt", &verify) != 0)
        return -1;
    l->c->commands = petition_commands(verify.data);
    free(verify.data);
    if (!l->c->commands)
        return fail(l, "verify.txt", "is not made of blocks that begin with \"## name\"");
    if (strchr(l->c->style.data, '<'))
        return fail(l, "style.css", "has a '<', which could end the style element");
    return 0;
}

/* ---- life cycle ---- */

struct content *content_open(const char *public_dir, struct buf *err)
{
    static int (*const steps[])(struct loader *) = {
        load_texts,      load_countries, load_addressees,  load_letters,
        load_catalogues, load_templates, load_plain_files,
    };
    struct loader l = {.c = xcalloc(1, sizeof *l.c), .dir = public_dir, .err = err};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i](&l) != 0) {
            content_close(l.c);
            return NULL;
        }
    }
    return l.c;
}

void content_close(struct content *c)
{
    if (!c)
        return;
    for (int i = 0; i < LANG__COUNT; i++) {
        free(c->text[i].data);
        free(c->readme[i].data);
        cJSON_Delete(c->petition[i]);
        cJSON_Delete(c->letters[i]);
        cJSON_Delete(c->catalogue[i]);
        cJSON_Delete(c->country_options[i]);
    }
    for (size_t i = 0; c->templates && i < TEMPLATE_COUNT; i++)
        template_free(c->templates->of[i]);
    free(c->templates);
    free(c->addressees_file.data);
    free(c->style.data);
    free(c->mail_rules.data);
    free(c->plans);
    free(c->names);
    cJSON_Delete(c->addressees);
    cJSON_Delete(c->commands);
    cJSON_Delete(c->countries);
    free(c);
}

/* ---- questions ---- */

const struct template *content_template(const struct content *c, const char *name)
{
    for (size_t i = 0; i < TEMPLATE_COUNT; i++)
        if (strcmp(name, template_names[i]) == 0)
            return c->templates->of[i];
    abort(); /* the name is not in the table */
}

bool content_is_country(const struct content *c, const char *code)
{
    return find_country(c, code) < c->plan_count;
}

const char *content_country_name(const struct content *c, const char *code, enum lang lang)
{
    size_t i = find_country(c, code);

    if (strcmp(code, "other") == 0)
        return content_text(c, lang, "country.other");
    return i < c->plan_count ? c->names[i].in[lang] : code;
}

const char *content_text(const struct content *c, enum lang lang, const char *key)
{
    const char *text = cJSON_GetStringValue(member(c->catalogue[lang], key));

    return text ? text : key;
}
