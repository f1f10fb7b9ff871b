/*
 * csv: reads comma-separated values (RFC 4180), one row at a time, from bytes in memory.
 *
 * Beyond the RFC: a byte order mark is skipped, a line may end in CRLF, LF or CR, and the separator
 * is the caller's choice (spreadsheets of some countries write semicolons). Quoted cells may hold
 * separators, quotes (doubled) and line breaks. Every cell of an accepted row is valid UTF-8
 * without NUL. Nothing is interpreted: `=1+1` is text.
 *
 * Any thread; a reader belongs to one. The bytes must outlive it.
 */
#ifndef CSV_H
#define CSV_H

#include "buf.h"

#define CSV_CELLS_MAX     16
#define CSV_ROW_MAX_BYTES 16384 /* all cells of a row together */

enum csv_result {
    CSV_ROW,
    CSV_END,
    /* The row cannot be told from the next, or is no text: nothing more can be read. */
    CSV_BAD_QUOTES, /* one that is not closed, or that stands in the middle of a cell */
    CSV_NOT_UTF8,
    CSV_TOO_LONG,
    CSV_TOO_MANY_CELLS,
};

struct csv {
    char separator;                   /* ',' unless set after csv_init */
    size_t line;                      /* of the first line of the last row, from 1 */
    size_t count;                     /* cells of the last row */
    const char *cells[CSV_CELLS_MAX]; /* NUL-terminated; hold until the next call */
    /* private */
    const char *at, *end;
    size_t next_line;
    char *row;
    size_t row_len;
};

void csv_init(struct csv *c, const char *data, size_t len);
/* Overwrites what was read last. */
void csv_release(struct csv *c);

/* Reads the next row. An empty line is a row of one empty cell. After anything but CSV_ROW the
 * result stays the same. */
enum csv_result csv_next(struct csv *c);

#endif
