/*
 * Fuzzes the reader of a delivery's signature lists: in whatever pieces the bytes come, the verdict
 * and the counts are the same, and no row is shown that was not counted.
 *
 * .ci/run links it with all modules; the corpus is tests/fuzz/corpus/rows.
 */
#include "row_check.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(const uint8_t *data, size_t size, size_t piece, struct row_counts *counts)
{
    const struct row_check_source source = {NULL, 1000, true};
    struct row_check *r = row_check_new(&source);
    struct buf why;
    int result = 0;

    buf_init(&why, BUF_UNLIMITED);
    row_check_begin(r);
    for (size_t at = 0; at < size && result == 0; at += piece)
        result = row_check_add(r, data + at, size - at < piece ? size - at : piece, &why);
    if (result == 0)
        result = row_check_end(r, &why);
    if ((result != 0) != (why.len > 0))
        abort();
    *counts = *row_check_counts(r);
    buf_release(&why);
    row_check_free(r);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct row_counts whole, pieces;
    int result = take(data, size, size + 1, &whole);

    if (take(data, size, 7, &pieces) != result)
        abort();
    if (result == 0 && memcmp(&whole, &pieces, sizeof whole) != 0)
        abort();
    if (whole.opened > whole.rows)
        abort();
    return 0;
}
