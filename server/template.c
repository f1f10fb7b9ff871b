/*
 * template: HTML from a file with holes and a tree of data (see template.h).
 *
 * A source is compiled once, at start, into a flat array of steps; a section knows the step behind
 * its end, so rendering is one loop that recurses only into sections. Rendering writes nothing but
 * the caller's buffer: any thread, any number at once.
 *
 * Always true of a compiled template: sections nest properly and at most SECTION_DEPTH_MAX deep,
 * partials at most PARTIAL_DEPTH_MAX deep (so none contains itself), and every value is escaped
 * but those whose name starts with html_. Which values those are is left to view.
 */
#include "template.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTION_DEPTH_MAX 16
#define PARTIAL_DEPTH_MAX 4
#define NAME_MAX_BYTES    63
#define RAW_PREFIX        "html_"
#define TEXT_PREFIX       "t."
#define NAME_CHARS        "abcdefghijklmnopqrstuvwxyz0123456789_"

enum op { OP_LITERAL, OP_VALUE, OP_RAW, OP_TEXT, OP_EACH, OP_UNLESS };

struct step {
    enum op op;
    char *text; /* literal bytes, or the name; owned */
    size_t len; /* of a literal */
    size_t end; /* of a section: the step behind its last one */
};

struct template
{
    struct step *steps;
    size_t count, alloc;
};

/* One file being compiled. */
struct source {
    const char *name, *text;
    const char *at; /* the tag in hand, for messages */
    int partial_depth;
};

struct compiler {
    struct template *t;
    template_find *find;
    void *ctx;
    struct buf *err;
    size_t open[SECTION_DEPTH_MAX]; /* steps of the sections not yet closed */
    size_t depth;
};

/* The values in reach: the innermost first. */
struct scope {
    const cJSON *node;
    const struct scope *outer;
};

struct render {
    const struct template *t;
    struct buf *out;
    const cJSON *catalogue;
};

__attribute__((format(printf, 3, 4))) static int fail(struct compiler *c, const struct source *src,
                                                      const char *format, ...)
{
    va_list args;
    char message[160];
    int line = 1;

    for (const char *p = src->text; p < src->at; p++)
        line += *p == '\n';
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    buf_printf(c->err, "%s: line %d: %s", src->name, line, message);
    return -1;
}

static struct step *add_step(struct template *t, enum op op, const char *text, size_t len)
{
    struct step *s, *grown;

    if (t->count == t->alloc) {
        t->alloc = t->alloc ? 2 * t->alloc : 64;
        grown = realloc(t->steps, t->alloc * sizeof *grown);
        if (!grown)
            abort();
        t->steps = grown;
    }
    s = &t->steps[t->count++];
    *s = (struct step){.op = op, .text = xcalloc(len + 1, 1), .len = len};
    if (len > 0)
        memcpy(s->text, text, len);
    return s;
}

static void add_literal(struct template *t, const char *text, size_t len)
{
    struct buf kept;

    buf_init(&kept, BUF_UNLIMITED);
    for (size_t i = 0; i < len;) {
        size_t space = strspn(text + i, " \t\r\n");

        if (space > len - i)
            space = len - i;
        if (space == 0)
            buf_addc(&kept, text[i++]);
        else if (memchr(text + i, '\n', space))
            buf_addc(&kept, '\n');
        else
            buf_add(&kept, text + i, space);
        i += space;
    }
    if (kept.len > 0)
        add_step(t, OP_LITERAL, kept.data, kept.len);
    buf_release(&kept);
}

static int compile(struct compiler *c, struct source *src);

static int add_section(struct compiler *c, const struct source *src, enum op op, const char *name)
{
    if (c->depth == SECTION_DEPTH_MAX)
        return fail(c, src, "more than %d sections inside each other", SECTION_DEPTH_MAX);
    c->open[c->depth++] = c->t->count;
    add_step(c->t, op, name, strlen(name));
    return 0;
}

static int end_section(struct compiler *c, const struct source *src, const char *name)
{
    struct step *s = c->depth ? &c->t->steps[c->open[c->depth - 1]] : NULL;

    if (!s || strcmp(s->text, name) != 0)
        return fail(c, src, "{{/%s}} does not close the section that is open", name);
    s->end = c->t->count;
    c->depth--;
    return 0;
}

static int add_partial(struct compiler *c, const struct source *src, const char *name)
{
    struct source inner = {.name = name, .partial_depth = src->partial_depth + 1};

    if (inner.partial_depth > PARTIAL_DEPTH_MAX)
        return fail(c, src, "more than %d partials inside each other", PARTIAL_DEPTH_MAX);
    inner.text = c->find ? c->find(c->ctx, name) : NULL;
    if (!inner.text)
        return fail(c, src, "there is no partial %s", name);
    return compile(c, &inner);
}

static int add_value(struct compiler *c, const char *name)
{
    size_t prefix = strlen(TEXT_PREFIX);

    if (strncmp(name, TEXT_PREFIX, prefix) == 0)
        add_step(c->t, OP_TEXT, name + prefix, strlen(name + prefix));
    else
        add_step(c->t, OP_VALUE, name, strlen(name));
    return 0;
}

/* A name is lower-case letters, digits and underscores; only {{.}} and keys of texts have dots. */
static bool good_name(const char *name, bool value)
{
    if (value && strcmp(name, ".") == 0)
        return true;
    if (value && strncmp(name, TEXT_PREFIX, strlen(TEXT_PREFIX)) == 0)
        return name[strspn(name, NAME_CHARS ".")] == '\0' && name[strlen(TEXT_PREFIX)] != '\0';
    return name[0] != '\0' && name[strspn(name, NAME_CHARS)] == '\0';
}

static int add_tag(struct compiler *c, const struct source *src, const char *tag)
{
    char sigil = *tag && strchr("#^/>", *tag) ? *tag : '\0';
    const char *name = tag + (sigil != '\0');

    if (!good_name(name, sigil == '\0'))
        return fail(c, src, "{{%s}} is no tag", tag);
    switch (sigil) {
    case '#':
        return add_section(c, src, OP_EACH, name);
    case '^':
        return add_section(c, src, OP_UNLESS, name);
    case '/':
        return end_section(c, src, name);
    case '>':
        return add_partial(c, src, name);
    default:
        return add_value(c, name);
    }
}

static int add_raw(struct compiler *c, const struct source *src, const char *name)
{
    if (strncmp(name, RAW_PREFIX, strlen(RAW_PREFIX)) != 0 || !good_name(name, false))
        return fail(c, src, "{{{%s}}}: only names that start with " RAW_PREFIX " may be raw", name);
    add_step(c->t, OP_RAW, name, strlen(name));
    return 0;
}

/* Compiles the tag at src->at and steps behind it; a tag that is no value and has its line for
 * itself takes the line break along. */
static int compile_tag(struct compiler *c, struct source *src)
{
    bool raw = src->at[2] == '{';
    const char *close = raw ? "}}}" : "}}";
    const char *start = src->at + strlen(close), *end = strstr(start, close);
    char tag[NAME_MAX_BYTES + 1] = "";

    if (!end)
        return fail(c, src, "the tag is not closed");
    if (*start != '!') {
        if (end - start > NAME_MAX_BYTES)
            return fail(c, src, "the tag is too long");
        memcpy(tag, start, (size_t)(end - start));
        if ((raw ? add_raw : add_tag)(c, src, tag) != 0)
            return -1;
    }
    end += strlen(close);
    if (strchr("#^/>!", *start) && *end == '\n' && (src->at == src->text || src->at[-1] == '\n'))
        end++;
    src->at = end;
    return 0;
}

static int compile(struct compiler *c, struct source *src)
{
    size_t depth = c->depth;
    const char *plain = src->text;

    while ((src->at = strstr(plain, "{{"))) {
        add_literal(c->t, plain, (size_t)(src->at - plain));
        if (compile_tag(c, src) != 0)
            return -1;
        if (c->depth < depth)
            return fail(c, src, "the tag closes a section of another file");
        plain = src->at;
    }
    add_literal(c->t, plain, strlen(plain));
    src->at = plain + strlen(plain);
    if (c->depth > depth)
        return fail(c, src, "section %s is not closed", c->t->steps[c->open[c->depth - 1]].text);
    return 0;
}

struct template *template_new(const char *name, const char *source, template_find *find, void *ctx,
                              struct buf *err)
{
    struct compiler c = {.t = xcalloc(1, sizeof *c.t), .find = find, .ctx = ctx, .err = err};
    struct source src = {.name = name, .text = source};

    if (compile(&c, &src) == 0)
        return c.t;
    template_free(c.t);
    return NULL;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        free(t->steps[i].text);
    free(t->steps);
    free(t);
}

static const cJSON *look_up(const struct scope *scope, const char *name)
{
    if (strcmp(name, ".") == 0)
        return scope->node;
    for (; scope; scope = scope->outer) {
        const cJSON *found = cJSON_GetObjectItemCaseSensitive(scope->node, name);

        if (found)
            return found;
    }
    return NULL;
}

/* The value as text: a string, or a number without a needless fraction; else nothing. */
static const char *value_text(const cJSON *value, char room[32])
{
    if (cJSON_IsString(value))
        return value->valuestring;
    room[0] = '\0';
    if (cJSON_IsNumber(value))
        snprintf(room, 32, "%.15g", value->valuedouble);
    return room;
}

/* The catalogue's text with every {word} replaced; a brace that opens no word stays. */
static void add_text(struct buf *out, const cJSON *catalogue, const char *key,
                     const struct scope *scope)
{
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(catalogue, key);
    const char *at = cJSON_GetStringValue(entry);
    char room[32], word[NAME_MAX_BYTES + 1];

    if (!at) {
        buf_printf(out, "[%s]", key);
        return;
    }
    while (*at) {
        size_t plain = strcspn(at, "{"), len;

        buf_add(out, at, plain);
        at += plain;
        if (!*at)
            break;
        len = strspn(at + 1, NAME_CHARS);
        if (len == 0 || len > NAME_MAX_BYTES || at[len + 1] != '}') {
            buf_addc(out, *at++);
            continue;
        }
        snprintf(word, sizeof word, "%.*s", (int)len, at + 1);
        buf_adds(out, value_text(look_up(scope, word), room));
        at += len + 2;
    }
}

static void run(const struct render *r, size_t from, size_t to, const struct scope *scope);

static bool is_something(const cJSON *value)
{
    return cJSON_IsObject(value) || cJSON_IsTrue(value) || (cJSON_IsArray(value) && value->child) ||
           (cJSON_IsString(value) && value->valuestring[0] != '\0');
}

static void run_each(const struct render *r, size_t section, const struct scope *scope)
{
    const cJSON *value = look_up(scope, r->t->steps[section].text), *item;
    size_t end = r->t->steps[section].end;

    if (cJSON_IsArray(value)) {
        cJSON_ArrayForEach(item, value)
            run(r, section + 1, end, &(struct scope){.node = item, .outer = scope});
    } else if (is_something(value)) {
        run(r, section + 1, end, &(struct scope){.node = value, .outer = scope});
    }
}

static void run_step(const struct render *r, size_t i, const struct scope *scope)
{
    const struct step *s = &r->t->steps[i];
    struct buf text;
    char room[32];

    switch (s->op) {
    case OP_LITERAL:
        buf_add(r->out, s->text, s->len);
        break;
    case OP_VALUE:
        buf_html(r->out, value_text(look_up(scope, s->text), room));
        break;
    case OP_RAW:
        buf_adds(r->out, value_text(look_up(scope, s->text), room));
        break;
    case OP_TEXT:
        buf_init(&text, BUF_UNLIMITED);
        add_text(&text, r->catalogue, s->text, scope);
        buf_html(r->out, text.data);
        buf_release(&text);
        break;
    case OP_EACH:
        run_each(r, i, scope);
        break;
    case OP_UNLESS:
        if (!is_something(look_up(scope, s->text)))
            run(r, i + 1, s->end, scope);
        break;
    }
}

static void run(const struct render *r, size_t from, size_t to, const struct scope *scope)
{
    for (size_t i = from; i < to;) {
        const struct step *s = &r->t->steps[i];

        run_step(r, i, scope);
        i = s->op == OP_EACH || s->op == OP_UNLESS ? s->end : i + 1;
    }
}

void template_render(const struct template *t, struct buf *out, const cJSON *catalogue,
                     const cJSON *data)
{
    struct render r = {.t = t, .out = out, .catalogue = catalogue};

    run(&r, 0, t->count, &(struct scope){.node = data});
}

const char *template_missing_key(const struct template *t, const cJSON *catalogue)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct step *s = &t->steps[i];

        if (s->op == OP_TEXT &&
            !cJSON_IsString(cJSON_GetObjectItemCaseSensitive(catalogue, s->text)))
            return s->text;
    }
    return NULL;
}

void template_text(struct buf *out, const cJSON *catalogue, const char *key, const cJSON *data)
{
    add_text(out, catalogue, key, &(struct scope){.node = data});
}
