/*
 * negotiate: reading what a request's path and headers ask for (see negotiate.h).
 *
 * Pure; any thread. Header values come from outside: nothing here assumes that they are well
 * formed.
 */
#include "negotiate.h"

#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS_MAX 18 /* more may be taken for "unknown" by libmicrohttpd */

static const char *const langs[] = {"en", "fr", "km"};
#define LANG_COUNT (sizeof langs / sizeof *langs)

/* ---- paths */

static const char *find_lang(const char *text, size_t len)
{
    for (size_t i = 0; i < LANG_COUNT; i++)
        if (len == 2 && strncasecmp(langs[i], text, 2) == 0)
            return langs[i];
    return NULL;
}

static bool is_number(const char *text, size_t len)
{
    return len > 0 && len <= 15 && text[0] != '0' && strspn(text, "0123456789") >= len;
}

/* A segment of the path against one of the pattern. The captured part is at most the segment. */
static bool match_segment(const char *pattern, size_t pattern_len, const char *text, size_t len,
                          struct path_params *params)
{
    size_t captured = len;
    bool ok;

    if (pattern[0] != '{')
        return pattern_len == len && memcmp(pattern, text, len) == 0;
    if (pattern_len == 7 && memcmp(pattern, "{n}.zip", 7) == 0) {
        if (len < 5 || memcmp(text + len - 4, ".zip", 4) != 0)
            return false;
        captured = len - 4;
        ok = is_number(text, captured);
    } else if (memcmp(pattern, "{n}", 3) == 0) {
        ok = is_number(text, len);
    } else if (memcmp(pattern, "{lang}", 6) == 0) {
        ok = find_lang(text, len) && text[0] >= 'a' && text[1] >= 'a';
    } else {
        ok = len > 0;
    }
    if (!ok || captured >= NEGOTIATE_PARAM_BYTES - params->used ||
        params->count == NEGOTIATE_PARAMS_MAX)
        return false;
    memcpy(params->text + params->used, text, captured);
    params->at[params->count++] = params->used;
    params->used += captured + 1;
    params->text[params->used - 1] = '\0';
    return true;
}

const char *negotiate_param(const struct path_params *params, size_t i)
{
    return i < params->count ? params->text + params->at[i] : "";
}

bool negotiate_path(const char *pattern, const char *path, struct path_params *params)
{
    params->count = params->used = 0;
    while (*pattern == '/' && *path == '/') {
        size_t pattern_len = strcspn(++pattern, "/"), len = strcspn(++path, "/");

        if (strcmp(pattern, "{rest}") == 0)
            len = strlen(path);
        if (!match_segment(pattern, pattern_len, path, len, params))
            return false;
        pattern += pattern_len;
        path += len;
    }
    return *pattern == '\0' && *path == '\0';
}

const char *negotiate_path_lang(const char *path)
{
    return path[0] == '/' ? find_lang(path + 1, strcspn(path + 1, "/")) : NULL;
}

/* ---- lists with weights */

/* One element of a comma-separated list: `token ; q=weight`. */
struct element {
    const char *token;
    size_t len;
    unsigned weight; /* in thousandths */
};

/* q=0.8 as thousandths; anything unreadable counts as 1. */
static unsigned read_weight(const char *q)
{
    unsigned weight, scale = 100;

    if (*q != '0' && *q != '1')
        return 1000;
    weight = (unsigned)(*q++ - '0') * 1000;
    if (*q == '.')
        for (q++; *q >= '0' && *q <= '9' && scale > 0; q++, scale /= 10)
            weight += (unsigned)(*q - '0') * scale;
    return weight > 1000 ? 1000 : weight;
}

/* Steps to the next element of *list; false at the end. */
static bool next_element(const char **list, struct element *e)
{
    const char *parameter;
    size_t len;

    *list += strspn(*list, ", \t");
    if (!**list)
        return false;
    len = strcspn(*list, ",");
    e->token = *list;
    e->len = strcspn(*list, ",; \t");
    e->weight = 1000;
    parameter = memchr(*list, ';', len);
    if (parameter) {
        parameter += 1 + strspn(parameter + 1, " \t");
        if (strncasecmp(parameter, "q=", 2) == 0)
            e->weight = read_weight(parameter + 2);
    }
    *list += len;
    return true;
}

bool negotiate_accepts(const char *accept_encoding, enum coding coding)
{
    static const char *const names[] = {"identity", "gzip", "br"};
    size_t len = strlen(names[coding]);
    struct element e;

    if (coding == CODING_IDENTITY)
        return true; /* there is nothing else to fall back to */
    while (accept_encoding && next_element(&accept_encoding, &e))
        if (e.len == len && strncasecmp(e.token, names[coding], len) == 0)
            return e.weight > 0;
    return false;
}

const char *negotiate_lang(const char *accept_language)
{
    const char *best = langs[0];
    unsigned best_weight = 0;
    struct element e;

    while (accept_language && next_element(&accept_language, &e)) {
        size_t primary = strcspn(e.token, "-,; \t");
        const char *lang = find_lang(e.token, primary < e.len ? primary : e.len);

        if (lang && e.weight > best_weight) {
            best = lang;
            best_weight = e.weight;
        }
    }
    return best;
}

bool negotiate_etag(const char *if_none_match, const char *etag)
{
    size_t len = strlen(etag);
    struct element e;

    while (if_none_match && next_element(&if_none_match, &e)) {
        if (e.len > 2 && memcmp(e.token, "W/", 2) == 0) {
            e.token += 2;
            e.len -= 2;
        }
        if ((e.len == len && memcmp(e.token, etag, len) == 0) || (e.len == 1 && *e.token == '*'))
            return true;
    }
    return false;
}

/* ---- single values */

bool negotiate_media_type(const char *content_type, const char *wanted)
{
    size_t len;

    if (!content_type)
        return false;
    content_type += strspn(content_type, " \t");
    len = strcspn(content_type, "; \t");
    return len == strlen(wanted) && strncasecmp(content_type, wanted, len) == 0;
}

bool negotiate_boundary(const char *content_type, char boundary[NEGOTIATE_BOUNDARY_MAX + 1])
{
    static const char name[] = "boundary=";
    const char *at = strchr(content_type, ';');
    bool quoted;
    size_t len;

    if (!at)
        return false;
    at += 1 + strspn(at + 1, " \t");
    if (strncmp(at, name, strlen(name)) != 0)
        return false;
    at += strlen(name);
    quoted = *at == '"';
    at += quoted;
    len = strspn(at, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'()+_,-./:=?");
    if (len < 1 || len > NEGOTIATE_BOUNDARY_MAX || strcmp(at + len, quoted ? "\"" : "") != 0)
        return false;
    memcpy(boundary, at, len);
    boundary[len] = '\0';
    return true;
}

int64_t negotiate_length(const char *content_length)
{
    size_t digits = strspn(content_length, "0123456789");

    if (digits < 1 || digits > LENGTH_DIGITS_MAX || content_length[digits])
        return -1;
    return strtoll(content_length, NULL, 10);
}

bool negotiate_same_site(const char *origin, const char *fetch_site, const char *host,
                         const char *base_url)
{
    const char *authority;

    if (fetch_site && strcmp(fetch_site, "cross-site") == 0)
        return false;
    /* "null" comes from old and from privacy browsers on their own pages, too; a hostile page in a
     * browser that knows Sec-Fetch-Site has been refused above. */
    if (!origin || strcmp(origin, "null") == 0)
        return true;
    if (*base_url)
        return strcmp(origin, base_url) == 0;
    authority = strstr(origin, "://");
    return authority && host && strcasecmp(authority + 3, host) == 0;
}
