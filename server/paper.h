/*
 * paper: a file of rows from paper sheets, and a verdict on each.
 *
 * The first line names the columns, in any order: name, country, and optionally contact and
 * visibility. Separators are commas, semicolons or tabs, as the first line has them. Each row is
 * judged by the code that judges a signer's form; only the contact may be empty. Empty rows are
 * passed over. No verdict depends on who has signed: a `repeat` is a contact that stands in this
 * file before (the row is accepted; a contact counts once).
 *
 * A sheet belongs to one thread and keeps pointing into the bytes it was opened on. It holds what
 * signers wrote: paper_close wipes it.
 */
#ifndef PAPER_H
#define PAPER_H

#include "submit.h"

#define PAPER_ROWS_MAX 100000 /* of one file */

struct paper_rules {
    const struct content *content;
    const struct identity *identity;
    const struct submitter *submitter;
    enum lang lang;  /* of whoever brings the rows in */
    size_t rows_max; /* at most PAPER_ROWS_MAX */
};

/* What is wrong with the whole file: nothing of it is taken. */
enum paper_fault {
    PAPER_OK,
    PAPER_EMPTY, /* no rows */
    PAPER_BAD_QUOTES,
    PAPER_NOT_UTF8,
    PAPER_LONG_ROW,
    PAPER_MANY_CELLS,
    PAPER_NO_NAME, /* column */
    PAPER_NO_COUNTRY,
    PAPER_UNKNOWN_COLUMN,
    PAPER_COLUMN_TWICE,
    PAPER_MANY_ROWS,
    PAPER_FAULT__COUNT
};
/* Names for catalogues, and a sentence for the command line: "has no rows". */
extern const char *const paper_fault_names[PAPER_FAULT__COUNT];
extern const char *const paper_fault_texts[PAPER_FAULT__COUNT];

/* One row. Storage is the caller's; init once, then any number of paper_next. */
struct paper_row {
    size_t line;        /* of the file, from 1 */
    bool valid;         /* the draft is prepared */
    bool wrong_cells;   /* more or fewer cells than columns */
    bool repeat;        /* valid, and the contact stands in a row before */
    struct form form;   /* form.errors: what else is wrong */
    struct draft draft; /* of this form */
};
void paper_row_init(struct paper_row *row);
/* Overwrites what was written on paper. */
void paper_row_release(struct paper_row *row);

struct paper_totals {
    size_t rows, wrong;              /* wrong: of rows */
    size_t repeats, without_contact; /* of the valid ones */
};

struct paper_sheet;
/* Reads the first line. paper_fault tells whether it is good. */
struct paper_sheet *paper_open(const struct paper_rules *rules, const char *data, size_t len);
void paper_close(struct paper_sheet *s);
/* True with the next row; false at the end, or at a fault. */
bool paper_next(struct paper_sheet *s, struct paper_row *row) __attribute__((warn_unused_result));
enum paper_fault paper_fault(const struct paper_sheet *s);
/* The line of the fault, or of the last row. */
size_t paper_line(const struct paper_sheet *s);
/* Of the rows read so far. */
const struct paper_totals *paper_totals(const struct paper_sheet *s);

#endif
