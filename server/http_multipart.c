/*
 * http_multipart: a form of a request, which may hold a file (see http.h, http_form).
 *
 * libmicrohttpd's post processor reads the parts. It is lenient, and does not say where a part
 * ends: its first piece of a value may be empty. So the boundary is judged before it sees it, and
 * the body is handed over part by part, each with the delimiter that ends it; nothing may stand
 * before the first delimiter or behind the last one. Each value is allocated at the size that its
 * part can give, so that no grown buffer leaves a copy behind. The body is in memory as a whole,
 * and nothing goes into a file; when the processor is freed it still holds at most PROCESSOR_BYTES.
 */
#include "http_internal.h"

#include <stdio.h>
#include <string.h>

#define PROCESSOR_BYTES 4096 /* of its buffer: a part's header line must fit */

struct parts {
    struct input *in;
    struct input_member *part; /* that is being read; NULL: nothing of it has come */
    size_t room;               /* for its value */
    bool is_file, chosen;      /* it has a file name; it is not the empty one */
};

bool http_is_multipart(const struct http_request *rq)
{
    return rq->route->body == HTTP_BODY_LARGE_FORM &&
           negotiate_media_type(http_header(rq, "Content-Type"), "multipart/form-data");
}

/* False if there is no room for one more. */
static bool begin_part(struct parts *p, const char *name, const char *filename)
{
    p->part = input_add(p->in);
    if (!p->part)
        return false;
    p->is_file = filename;
    p->chosen = filename && *filename;
    p->part->type = INPUT_FILE; /* bytes, until they are judged */
    p->part->name = xstrdup(name);
    p->part->string = xcalloc(p->room + 1, 1);
    return true;
}

static enum MHD_Result add_piece(void *cls, enum MHD_ValueKind kind, const char *name,
                                 const char *filename, const char *type, const char *encoding,
                                 const char *data, uint64_t at, size_t len)
{
    struct parts *p = cls;

    (void)kind;
    (void)type;
    if (!name || !*name || encoding)
        return MHD_NO;
    if (!p->part && !begin_part(p, name, filename))
        return MHD_NO;
    if (at != p->part->len || len > p->room - p->part->len)
        return MHD_NO;
    memcpy(p->part->string + p->part->len, data, len);
    p->part->len += len;
    return MHD_YES;
}

/* The part is complete. */
static bool end_part(struct parts *p)
{
    struct input_member *m = p->part;

    if (!input_is_utf8(m->name, strlen(m->name)))
        return false;
    if (p->is_file && !p->chosen && m->len == 0)
        input_drop_last(p->in);
    if (p->is_file)
        return true;
    if (!input_is_utf8(m->string, m->len))
        return false;
    m->type = INPUT_STRING;
    return true;
}

static bool read_part(struct MHD_PostProcessor *processor, struct parts *p, const char *data,
                      size_t len)
{
    p->part = NULL;
    p->room = len;
    return MHD_post_process(processor, data, len) == MHD_YES && p->part && end_part(p);
}

/* `delimiter` is the one between parts; the first has no line break before it, and the last ends
 * with two hyphens and perhaps a line break. */
static bool read_parts(struct MHD_PostProcessor *processor, struct parts *p, const char *delimiter,
                       const struct buf *body)
{
    const char *at = body->data, *end = body->data + body->len, *next;
    size_t len = strlen(delimiter), rest;

    if (strncmp(at, delimiter + 2, len - 2) != 0 ||
        MHD_post_process(processor, at, len - 2) != MHD_YES)
        return false;
    for (at += len - 2; (next = memmem(at, (size_t)(end - at), delimiter, len)); at = next + len)
        if (!read_part(processor, p, at, (size_t)(next - at) + len))
            return false;
    rest = (size_t)(end - at); /* no further part, not even the start of one */
    return (rest == 2 || rest == 4) && memcmp(at, "--\r\n", rest) == 0 &&
           MHD_post_process(processor, at, rest) == MHD_YES;
}

static enum input_reason parse_multipart(const struct http_request *rq, struct input *in)
{
    char boundary[NEGOTIATE_BOUNDARY_MAX + 1], delimiter[4 + sizeof boundary];
    struct parts p = {.in = in};
    struct MHD_PostProcessor *processor;
    bool good;

    in->count = 0;
    if (!negotiate_boundary(http_header(rq, "Content-Type"), boundary))
        return INPUT_MALFORMED;
    processor = MHD_create_post_processor(rq->connection, PROCESSOR_BYTES, add_piece, &p);
    if (!processor)
        return INPUT_MALFORMED;
    snprintf(delimiter, sizeof delimiter, "\r\n--%s", boundary);
    good = read_parts(processor, &p, delimiter, &rq->body);
    good = MHD_destroy_post_processor(processor) == MHD_YES && good;
    if (!good)
        input_release(in);
    return good ? INPUT_OK : INPUT_MALFORMED;
}

enum input_reason http_form(const struct http_request *rq, struct input *in)
{
    return http_is_multipart(rq) ? parse_multipart(rq, in)
                                 : input_parse_form(in, rq->body.data, rq->body.len);
}
