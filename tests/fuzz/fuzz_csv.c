/*
 * Fuzzes the CSV reader: whatever the bytes, every accepted cell is UTF-8 without NUL, lines never
 * go back, a refusal stays one, and a row written again with every cell quoted is read the same.
 *
 *   clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iserver tests/fuzz/fuzz_csv.c \
 *       server/buf.c server/input.c server/csv.c -lcjson -lsodium -o fuzz_csv && ./fuzz_csv
 * tests/fuzz/corpus/csv
 */
#include "csv.h"

#include "input.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void quote(struct buf *out, const char *cell)
{
    buf_addc(out, '"');
    for (; *cell; cell++) {
        if (*cell == '"')
            buf_addc(out, '"');
        buf_addc(out, *cell);
    }
    buf_addc(out, '"');
}

static void check_row(const struct csv *c)
{
    struct buf text;
    struct csv again;

    buf_init(&text, BUF_UNLIMITED);
    for (size_t i = 0; i < c->count; i++) {
        if (!input_is_utf8(c->cells[i], strlen(c->cells[i])))
            abort();
        if (i)
            buf_addc(&text, c->separator);
        quote(&text, c->cells[i]);
    }
    csv_init(&again, text.data, text.len);
    again.separator = c->separator;
    if (csv_next(&again) != CSV_ROW || again.count != c->count)
        abort();
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(again.cells[i], c->cells[i]) != 0)
            abort();
    if (csv_next(&again) != CSV_END)
        abort();
    csv_release(&again);
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char separators[] = ",;\t";
    enum csv_result result;
    struct csv c;
    size_t line = 0;

    if (size == 0)
        return 0;
    csv_init(&c, (const char *)data + 1, size - 1);
    c.separator = separators[data[0] % 3];
    while ((result = csv_next(&c)) == CSV_ROW) {
        if (c.line <= line || c.count == 0 || c.count > CSV_CELLS_MAX)
            abort();
        line = c.line;
        check_row(&c);
    }
    if (c.count != 0 || csv_next(&c) != result)
        abort();
    csv_release(&c);
    return 0;
}
