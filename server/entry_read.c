/*
 * entry_read: the entries of the log and FIELDS, read strictly (see entry_read.h). Any thread:
 * there is no state.
 */
#include "entry_read.h"

#include "json.h"
#include "take.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX_BYTES 8192

static int read_open(struct entry *e, const char *body, size_t len)
{
    return entry_parse_open(&e->opening, body, len);
}

static int read_text(struct entry *e, const char *body, size_t len)
{
    return entry_parse_text(&e->opening, body, len);
}

static bool take_sign(struct cursor *c, struct entry *e)
{
    return take_literal(c, ",\"c\":\"") && take_base64(c, e->c) && take_literal(c, "\",\"w\":\"") &&
           take_base64(c, e->w) && take_literal(c, "\"}");
}

static bool take_wd(struct cursor *c, struct entry *e)
{
    return take_literal(c, ",\"i\":") && take_number(c, &e->target) &&
           take_literal(c, ",\"s\":\"") && take_base64(c, e->s) && take_literal(c, "\"}");
}

static bool take_void(struct cursor *c, struct entry *e)
{
    size_t why = 0;
    bool ok = take_literal(c, ",\"i\":") && take_number(c, &e->target) &&
              take_literal(c, ",\"why\":\"") && take_word(c, void_why_names, VOID__MAX, &why) &&
              take_literal(c, "\"}");

    e->why = (enum void_why)why;
    return ok;
}

static bool take_dlv(struct cursor *c, struct entry *e)
{
    if (!take_literal(c, ",\"n\":") || !take_number(c, &e->n) || !take_literal(c, ",\"size\":") ||
        !take_number(c, &e->size) || !take_literal(c, ",\"manifests\":["))
        return false;
    for (int i = 0; i < ENTRY_MANIFESTS; i++)
        if (!take_literal(c, i > 0 ? ",\"" : "\"") || !take_hex(c, e->manifests[i]) ||
            !take_literal(c, "\""))
            return false;
    return take_literal(c, "]}");
}

static bool take_close(struct cursor *c, struct entry *e)
{
    return take_literal(c, ",\"sign\":") && take_number(c, &e->signs) &&
           take_literal(c, ",\"wd\":") && take_number(c, &e->withdrawals) &&
           take_literal(c, ",\"void\":") && take_number(c, &e->voids) &&
           take_literal(c, ",\"repeats\":") && take_number(c, &e->repeats) && take_literal(c, "}");
}

/* Each type with what reads all of it, or what follows its head. */
static const struct {
    const char *head;
    int (*read)(struct entry *e, const char *body, size_t len);
    bool (*take)(struct cursor *c, struct entry *e);
} types[ENTRY__TYPES] = {
    [ENTRY_OPEN] = {"{\"v\":1,\"t\":\"open\"", read_open, NULL},
    [ENTRY_TEXT] = {"{\"v\":1,\"t\":\"text\"", read_text, NULL},
    [ENTRY_SIGN] = {"{\"v\":1,\"t\":\"sign\"", NULL, take_sign},
    [ENTRY_WD] = {"{\"v\":1,\"t\":\"wd\"", NULL, take_wd},
    [ENTRY_VOID] = {"{\"v\":1,\"t\":\"void\"", NULL, take_void},
    [ENTRY_DLV] = {"{\"v\":1,\"t\":\"dlv\"", NULL, take_dlv},
    [ENTRY_CLOSE] = {"{\"v\":1,\"t\":\"close\"", NULL, take_close},
};

int entry_read(struct entry *out, const char *body, size_t len)
{
    for (int t = 0; t < ENTRY__TYPES; t++) {
        struct cursor c = {body, body + len};

        if (!take_literal(&c, types[t].head))
            continue;
        out->type = (enum entry_type)t;
        if (types[t].read)
            return types[t].read(out, body, len);
        return types[t].take(&c, out) && take_end(&c) ? 0 : -1;
    }
    return -1;
}

/* ---- FIELDS */

static bool fill_fields(struct fields_read *out, const cJSON *json)
{
    const char *visibility = json_text(json, "visibility");
    int which = 0;

    while (which < VISIBILITY__MAX && strcmp(visibility, visibility_names[which]) != 0)
        which++;
    out->name = xstrdup(json_text(json, "name"));
    out->country = xstrdup(json_text(json, "country"));
    out->fields = (struct fields){.name = out->name,
                                  .country = out->country,
                                  .text = json_number(json, "text"),
                                  .visibility = (enum visibility)which};
    return which < VISIBILITY__MAX && day_parse(&out->fields.day, json_text(json, "day"));
}

/* Read in any spelling, and written again: only the one spelling gives the same bytes. */
int fields_read(struct fields_read *out, const char *text, size_t len)
{
    cJSON *json = len <= FIELDS_MAX_BYTES ? cJSON_ParseWithLength(text, len) : NULL;
    struct buf again;
    bool same = false;

    *out = (struct fields_read){.name = NULL};
    buf_init(&again, FIELDS_MAX_BYTES);
    if (json && fill_fields(out, json)) {
        entry_fields(&again, &out->fields);
        same = buf_ok(&again) && again.len == len && memcmp(again.data, text, len) == 0;
    }
    buf_wipe(&again);
    cJSON_Delete(json);
    if (!same)
        fields_release(out);
    return same ? 0 : -1;
}

void fields_release(struct fields_read *f)
{
    free(f->name);
    free(f->country);
    *f = (struct fields_read){.name = NULL};
}
