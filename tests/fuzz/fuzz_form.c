/*
 * Fuzzes the urlencoded parser: whatever the body, an accepted one has only UTF-8 without NUL, and
 * cleaning a value twice is cleaning it once.
 *
 *   clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iserver tests/fuzz/fuzz_form.c \
 *       server/buf.c server/input.c -lcjson -lsodium -o fuzz_form && ./fuzz_form
 * tests/fuzz/corpus/form
 */
#include "input.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(const char *value)
{
    struct buf once, twice;

    buf_init(&once, BUF_UNLIMITED);
    buf_init(&twice, BUF_UNLIMITED);
    input_clean_line(&once, value);
    input_clean_line(&twice, once.data);
    if (!input_is_utf8(once.data, once.len) || strcmp(once.data, twice.data) != 0)
        abort();
    if (input_code_points(once.data) > input_code_points(value))
        abort();
    buf_release(&once);
    buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in;
    enum input_reason reason = input_parse_form(&in, (const char *)data, size);

    if (reason != INPUT_OK && in.count > 0)
        abort();
    for (size_t i = 0; i < in.count; i++) {
        const struct input_member *m = &in.members[i];

        if (m->type != INPUT_STRING || m->name[0] == '\0' ||
            !input_is_utf8(m->name, strlen(m->name)) ||
            !input_is_utf8(m->string, strlen(m->string)))
            abort();
        check_clean(m->string);
    }
    input_release(&in);
    return 0;
}
