/*
 * Fuzzes private openings and FIELDS: an accepted opening is written again as the same bytes, but
 * for a newline at its end, and the FIELDS in it are in their one spelling.
 *
 * .ci/run links it with all modules; the corpus is tests/fuzz/corpus/opening.
 */
#include "opening.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fields(const char *text, size_t len)
{
    struct fields_read f;
    struct buf again;

    if (fields_read(&f, text, len) != 0)
        return;
    buf_init(&again, BUF_UNLIMITED);
    entry_fields(&again, &f.fields);
    if (again.len != len || memcmp(again.data, text, len) != 0)
        abort();
    buf_release(&again);
    fields_release(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct opening o;
    struct buf again;

    opening_init(&o);
    buf_init(&again, BUF_UNLIMITED);
    check_fields((const char *)data, size);
    if (opening_parse(&o, (const char *)data, size) == 0) {
        check_fields(o.fields.data, o.fields.len);
        opening_write(&again, &o);
        if (data[size - 1] == '\n')
            buf_addc(&again, '\n');
        if (again.len != size || memcmp(again.data, data, size) != 0)
            abort();
    }
    opening_release(&o);
    buf_release(&again);
    return 0;
}
