/*
 * Fuzzes the multipart/form-data parser: the first line is the boundary, the rest the body. Of an
 * accepted body names and strings are UTF-8 without NUL; written anew it is read as the same.
 *
 *   clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iserver tests/fuzz/fuzz_multipart.c \
 *       server/buf.c server/input.c server/input_multipart.c -lcjson -lsodium -lnettle \
 *       -o fuzz_multipart && ./fuzz_multipart tests/fuzz/corpus/multipart
 */
#include "input.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_member(const struct input_member *m)
{
    if (m->type != INPUT_STRING && m->type != INPUT_FILE)
        abort();
    if (m->name[0] == '\0' || !input_is_utf8(m->name, strlen(m->name)))
        abort();
    if (m->type == INPUT_STRING && !input_is_utf8(m->string, m->len))
        abort();
}

static void write_member(struct buf *out, const struct input_member *m, const char *boundary)
{
    buf_printf(out, "--%s\r\ncontent-disposition:form-data; name=\"%s\"%s\r\n\r\n", boundary,
               m->name, m->type == INPUT_FILE ? ";filename=\"x\"\r\nContent-Type: text/csv" : "");
    buf_add(out, m->string, m->len);
    buf_adds(out, "\r\n");
}

static void check_again(const struct input *in, const char *boundary)
{
    struct input again;
    struct buf body;

    buf_init(&body, BUF_UNLIMITED);
    for (size_t i = 0; i < in->count; i++)
        write_member(&body, &in->members[i], boundary);
    buf_printf(&body, "--%s--", boundary);
    if (input_parse_multipart(&again, boundary, body.data, body.len) != INPUT_OK ||
        again.count != in->count)
        abort();
    for (size_t i = 0; i < in->count; i++)
        if (again.members[i].type != in->members[i].type ||
            strcmp(again.members[i].name, in->members[i].name) != 0 ||
            again.members[i].len != in->members[i].len ||
            memcmp(again.members[i].string, in->members[i].string, in->members[i].len) != 0)
            abort();
    input_release(&again);
    buf_release(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    struct input in;
    char *boundary;
    size_t at;

    if (!newline || memchr(data, '\0', (size_t)(newline - data)))
        return 0;
    at = (size_t)(newline - data) + 1;
    boundary = xcalloc(at, 1);
    memcpy(boundary, data, at - 1);
    if (input_parse_multipart(&in, boundary, (const char *)data + at, size - at) == INPUT_OK) {
        for (size_t i = 0; i < in.count; i++)
            check_member(&in.members[i]);
        if (in.count > 0)
            check_again(&in, boundary);
    } else if (in.count > 0) {
        abort();
    }
    input_release(&in);
    free(boundary);
    return 0;
}
