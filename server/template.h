/*
 * template: HTML from a file with holes and a tree of data.
 *
 * {{name}}            the string or number of that name, HTML-escaped; an unknown name is empty
 * {{.}}               the current element of a list of strings
 * {{t.key}}           the catalogue's text, escaped; {word} in it becomes the escaped value of word
 * {{#name}}…{{/name}} for each element of an array, once for an object, a non-empty string or true
 * {{^name}}…{{/name}} if there is none of that
 * {{>name}}           the partial of that name, compiled in place
 * {{{html_name}}}     unescaped; the compiler accepts it only for names that start with html_
 * {{! comment }}      nothing
 *
 * Names are looked up from the innermost section outwards; a section's own value is innermost. A
 * number, false, null, an empty string and an empty array are "none of that". Values only ever
 * stand in text or in quoted attributes: buf_html makes them safe there. In the template's own
 * text, white space with a line break in it becomes one line break: what is indented for its
 * writers costs its readers nothing; in a <pre> only values keep their lines.
 */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include "buf.h"

#include <cjson/cJSON.h>

struct template; /* compiled; constant, any thread */

/* Finds the source of a partial: a C string that lives until template_new returns, or NULL. */
typedef const char *template_find(void *ctx, const char *name);

/* Compiles. NULL, with one line in err, on a mistake (unclosed section, unknown partial, raw name).
 */
struct template *template_new(const char *name, const char *source, template_find *find, void *ctx,
                              struct buf *err);
void template_free(struct template *t);

/* Appends the page to out. `catalogue` is a flat object of strings, `data` an object. A catalogue
 * key that is missing is an error of the program: it renders as the key in brackets, and
 * template_missing_key finds it in a test and at start. */
void template_render(const struct template *t, struct buf *out, const cJSON *catalogue,
                     const cJSON *data);
/* The first {{t.key}} of the template that the catalogue lacks, or NULL. */
const char *template_missing_key(const struct template *t, const cJSON *catalogue);

/* A catalogue text with its {words} filled from data, not escaped: for titles, JSON and mail. */
void template_text(struct buf *out, const cJSON *catalogue, const char *key, const cJSON *data);

#endif
