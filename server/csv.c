/*
 * csv: the reader (see csv.h). Pure; any thread.
 *
 * Cells are unquoted into one buffer of fixed size, so that a row costs no allocation and the
 * longest row is the longest there can be. Always true: `at` is at the start of a row, or at the
 * end. What a row means is left to the caller.
 */
#include "csv.h"

#include "input.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char byte_order_mark[] = "\xEF\xBB\xBF";

void csv_init(struct csv *c, const char *data, size_t len)
{
    size_t mark_len = sizeof byte_order_mark - 1;

    *c = (struct csv){.separator = ',', .at = data, .end = data + len, .next_line = 1};
    if (len >= mark_len && memcmp(data, byte_order_mark, mark_len) == 0)
        c->at += mark_len;
    c->row = xcalloc(CSV_ROW_MAX_BYTES, 1);
}

void csv_release(struct csv *c)
{
    sodium_memzero(c->row, CSV_ROW_MAX_BYTES);
    free(c->row);
    *c = (struct csv){0};
}

static bool is_break(char byte)
{
    return byte == '\r' || byte == '\n';
}

static enum csv_result put(struct csv *c, char byte)
{
    if (c->row_len == CSV_ROW_MAX_BYTES)
        return CSV_TOO_LONG;
    c->row[c->row_len++] = byte;
    return CSV_ROW;
}

/* The rest of a quoted cell, behind its first quote. */
static enum csv_result read_quoted(struct csv *c)
{
    enum csv_result result = CSV_ROW;

    while (c->at < c->end && result == CSV_ROW) {
        char byte = *c->at++;

        if (byte == '"' && (c->at == c->end || *c->at != '"'))
            return c->at == c->end || *c->at == c->separator || is_break(*c->at) ? CSV_ROW
                                                                                 : CSV_BAD_QUOTES;
        if (byte == '"')
            c->at++;
        if (byte == '\n' || (byte == '\r' && (c->at == c->end || *c->at != '\n')))
            c->next_line++;
        result = put(c, byte);
    }
    return result == CSV_ROW ? CSV_BAD_QUOTES : result; /* not closed */
}

static enum csv_result read_plain(struct csv *c)
{
    enum csv_result result = CSV_ROW;

    while (c->at < c->end && *c->at != c->separator && !is_break(*c->at) && result == CSV_ROW) {
        if (*c->at == '"')
            return CSV_BAD_QUOTES;
        result = put(c, *c->at++);
    }
    return result;
}

/* One cell with its NUL; `at` is then at a separator, a line break or the end. */
static enum csv_result read_cell(struct csv *c)
{
    enum csv_result result;
    size_t start = c->row_len;

    if (c->count == CSV_CELLS_MAX)
        return CSV_TOO_MANY_CELLS;
    if (c->at < c->end && *c->at == '"') {
        c->at++;
        result = read_quoted(c);
    } else {
        result = read_plain(c);
    }
    if (result == CSV_ROW && !input_is_utf8(c->row + start, c->row_len - start))
        return CSV_NOT_UTF8;
    if (result == CSV_ROW)
        result = put(c, '\0');
    c->cells[c->count++] = c->row + start;
    return result;
}

static void skip_break(struct csv *c)
{
    if (c->at < c->end && *c->at == '\r' && c->end - c->at > 1 && c->at[1] == '\n')
        c->at++;
    if (c->at < c->end)
        c->at++;
    c->next_line++;
}

enum csv_result csv_next(struct csv *c)
{
    const char *start = c->at;
    size_t start_line = c->next_line;
    enum csv_result result;

    c->line = start_line;
    c->count = c->row_len = 0;
    if (c->at == c->end)
        return CSV_END;
    result = read_cell(c);
    while (result == CSV_ROW && c->at < c->end && *c->at == c->separator) {
        c->at++;
        result = read_cell(c);
    }
    if (result == CSV_ROW) {
        skip_break(c);
    } else {
        c->count = 0;
        c->at = start;
        c->next_line = start_line;
    }
    return result;
}
