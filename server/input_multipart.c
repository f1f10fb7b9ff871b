/*
 * input_multipart: multipart/form-data (see input.h). Pure; one thread.
 *
 * Only what browsers send (RFC 7578): parts between delimiters with nothing before the first and
 * behind the last, each with one Content-Disposition of a name and perhaps a file name. A file's
 * media type and its name are read over; an encoding of the part, and parts in a part, are refused.
 * Names are taken as they stand: a browser writes %22 for a quotation mark, and no field of ours
 * has one.
 */
#include "input.h"

#include <string.h>

struct span {
    const char *at, *end;
};

struct part {
    struct span name, content;
    bool is_file, chosen; /* it has a file name; it is not the empty one */
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Steps over the word, whatever its case; false if it does not stand there. */
static bool take(struct span *s, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(s->end - s->at) < len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (lower(s->at[i]) != lower(word[i]))
            return false;
    s->at += len;
    return true;
}

static void skip_space(struct span *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
        s->at++;
}

/* What stands before the next "…" of the text, which is stepped over. False: there is none. */
static bool take_until(struct span *s, const char *text, struct span *before)
{
    size_t len = strlen(text);
    const char *found = memmem(s->at, (size_t)(s->end - s->at), text, len);

    if (!found)
        return false;
    *before = (struct span){s->at, found};
    s->at = found + len;
    return true;
}

/* `form-data; name="…"`, and perhaps `; filename="…"`, in which \" is no end. */
static bool read_disposition(struct span s, struct part *p)
{
    struct span filename;

    skip_space(&s);
    if (p->name.at || !take(&s, "form-data;"))
        return false;
    skip_space(&s);
    if (!take(&s, "name=\"") || !take_until(&s, "\"", &p->name) || p->name.at == p->name.end)
        return false;
    if (s.at == s.end)
        return true;
    if (!take(&s, ";"))
        return false;
    skip_space(&s);
    if (!take(&s, "filename=\"") || s.at == s.end || s.end[-1] != '"')
        return false;
    filename = (struct span){s.at, s.end - 1};
    p->is_file = true;
    p->chosen = filename.at < filename.end;
    return true;
}

/* A header line, without its end. */
static bool read_header(struct span line, struct part *p)
{
    struct span rest = line;

    if (take(&rest, "Content-Disposition:"))
        return read_disposition(rest, p);
    if (take(&rest, "Content-Type:")) {
        skip_space(&rest);
        return !take(&rest, "multipart/"); /* several files, as nobody sends them any more */
    }
    return !take(&rest, "Content-Transfer-Encoding:") &&
           memchr(line.at, ':', (size_t)(line.end - line.at));
}

/* What stands between two delimiters. */
static bool read_part(struct span s, struct part *p)
{
    struct span line;

    *p = (struct part){0};
    if (!take(&s, "\r\n"))
        return false;
    while (take_until(&s, "\r\n", &line)) {
        if (line.at == line.end) {
            p->content = s;
            return p->name.at;
        }
        if (!read_header(line, p))
            return false;
    }
    return false;
}

static char *copy(struct span s)
{
    size_t len = (size_t)(s.end - s.at);
    char *text = xcalloc(len + 1, 1);

    memcpy(text, s.at, len);
    return text;
}

static enum input_reason add_part(struct input *in, const struct part *p)
{
    size_t name_len = (size_t)(p->name.end - p->name.at);
    size_t len = (size_t)(p->content.end - p->content.at);
    struct input_member *m;

    if (p->is_file && !p->chosen && len == 0)
        return INPUT_OK; /* what a browser sends if no file was chosen */
    if (!input_is_utf8(p->name.at, name_len) || (!p->is_file && !input_is_utf8(p->content.at, len)))
        return INPUT_NOT_UTF8;
    m = input_add(in);
    if (!m)
        return INPUT_TOO_MANY;
    m->type = p->is_file ? INPUT_FILE : INPUT_STRING;
    m->name = copy(p->name);
    m->string = copy(p->content);
    m->len = len;
    return INPUT_OK;
}

/* Behind the first delimiter. */
static enum input_reason read_parts(struct input *in, struct span s, const char *delimiter)
{
    struct span between;
    struct part part;
    enum input_reason reason = INPUT_OK;

    while (reason == INPUT_OK && take_until(&s, delimiter, &between))
        reason = read_part(between, &part) ? add_part(in, &part) : INPUT_MALFORMED;
    if (reason != INPUT_OK)
        return reason;
    if (!take(&s, "--"))
        return INPUT_MALFORMED;
    take(&s, "\r\n");
    return s.at == s.end ? INPUT_OK : INPUT_MALFORMED;
}

enum input_reason input_parse_multipart(struct input *in, const char *boundary, const char *body,
                                        size_t len)
{
    struct span s = {body, body + len}, before;
    enum input_reason reason = INPUT_MALFORMED;
    struct buf delimiter;

    in->count = 0;
    buf_init(&delimiter, BUF_UNLIMITED);
    buf_printf(&delimiter, "\r\n--%s", boundary);
    /* The first one has no line break before it. */
    if (*boundary && take_until(&s, delimiter.data + 2, &before) && before.at == before.end)
        reason = read_parts(in, s, delimiter.data);
    buf_release(&delimiter);
    if (reason != INPUT_OK)
        input_release(in);
    return reason;
}
