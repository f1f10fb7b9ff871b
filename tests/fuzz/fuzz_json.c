/*
 * Fuzzes the JSON parser: whatever the body, an accepted one has only UTF-8 without NUL in names
 * and strings, and is found by its names.
 *
 *   clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iserver tests/fuzz/fuzz_json.c \
 *       server/buf.c server/input.c -lcjson -lsodium -o fuzz_json && ./fuzz_json
 * tests/fuzz/corpus/json
 */
#include "input.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in;
    enum input_reason reason = input_parse_json(&in, (const char *)data, size);

    if (reason == INPUT_OK ? !input_is_utf8((const char *)data, size) : in.count > 0)
        abort();
    for (size_t i = 0; i < in.count; i++) {
        const struct input_member *m = &in.members[i], *found;
        bool again;

        if (!input_is_utf8(m->name, strlen(m->name)) || (m->type == INPUT_STRING) != !!m->string)
            abort();
        if (m->string && !input_is_utf8(m->string, strlen(m->string)))
            abort();
        found = input_find(&in, m->name, &again);
        if (!found || (found != m && !again))
            abort();
    }
    input_release(&in);
    return 0;
}
