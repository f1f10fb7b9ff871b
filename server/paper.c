/*
 * paper: from a file to judged rows (see paper.h).
 *
 * Runs on the thread of its caller. Repeats are found by the tags of the contacts, which mean
 * nothing without the pepper, in a table that is large enough for every row. Storing is left to
 * batch.c, showing to its callers.
 */
#include "paper.h"

#include "csv.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SEEN_SLOTS   262144u /* more than twice PAPER_ROWS_MAX; a power of two */
#define SEEN_KEY_LEN 16

_Static_assert(SEEN_SLOTS > 2 * PAPER_ROWS_MAX, "the table of tags never fills up");

enum column { COLUMN_NAME, COLUMN_CONTACT, COLUMN_COUNTRY, COLUMN_VISIBILITY, COLUMN__COUNT };

static const enum sign_field fields[COLUMN__COUNT] = {
    [COLUMN_NAME] = FIELD_NAME,
    [COLUMN_CONTACT] = FIELD_CONTACT,
    [COLUMN_COUNTRY] = FIELD_COUNTRY,
    [COLUMN_VISIBILITY] = FIELD_VISIBILITY,
};

const char *const paper_fault_names[PAPER_FAULT__COUNT] = {
    [PAPER_OK] = "ok",
    [PAPER_EMPTY] = "empty",
    [PAPER_BAD_QUOTES] = "bad_quotes",
    [PAPER_NOT_UTF8] = "not_utf8",
    [PAPER_LONG_ROW] = "long_row",
    [PAPER_MANY_CELLS] = "many_cells",
    [PAPER_NO_NAME] = "no_name",
    [PAPER_NO_COUNTRY] = "no_country",
    [PAPER_UNKNOWN_COLUMN] = "unknown_column",
    [PAPER_COLUMN_TWICE] = "column_twice",
    [PAPER_MANY_ROWS] = "many_rows",
};

#define COLUMNS_ARE " (the first line names the columns: name, contact, country, visibility)"

const char *const paper_fault_texts[PAPER_FAULT__COUNT] = {
    [PAPER_OK] = "",
    [PAPER_EMPTY] = "there are no rows",
    [PAPER_BAD_QUOTES] = "a quotation mark is not closed, or stands in the middle of a cell",
    [PAPER_NOT_UTF8] = "this is not UTF-8: save the sheet as \"CSV UTF-8\"",
    [PAPER_LONG_ROW] = "the row is too long; perhaps a quotation mark before it is not closed",
    [PAPER_MANY_CELLS] = "the row has too many cells",
    [PAPER_NO_NAME] = "there is no column \"name\"" COLUMNS_ARE,
    [PAPER_NO_COUNTRY] = "there is no column \"country\"" COLUMNS_ARE,
    [PAPER_UNKNOWN_COLUMN] = "there is a column of another name" COLUMNS_ARE,
    [PAPER_COLUMN_TWICE] = "a column is there twice" COLUMNS_ARE,
    [PAPER_MANY_ROWS] = "there are more than 100,000 rows: split the file",
};

struct paper_sheet {
    struct paper_rules rules;
    struct csv csv;
    enum paper_fault fault;
    size_t width;              /* cells of the first line */
    int places[COLUMN__COUNT]; /* of the columns; -1: not there */
    struct paper_totals totals;
    uint8_t (*seen)[SEEN_KEY_LEN]; /* starts of the tags so far; all zeros: free */
};

/* ---- rows */

void paper_row_init(struct paper_row *row)
{
    *row = (struct paper_row){0};
    form_init(&row->form);
    draft_init(&row->draft, &row->form, TIER_PAPER);
}

void paper_row_release(struct paper_row *row)
{
    draft_release(&row->draft);
    form_release(&row->form);
}

/* ---- the first line */

static enum paper_fault read_column(struct paper_sheet *s, size_t at)
{
    struct buf name;
    enum paper_fault fault = PAPER_UNKNOWN_COLUMN;

    buf_init(&name, BUF_UNLIMITED);
    input_clean_line(&name, s->csv.cells[at]);
    for (int column = 0; column < COLUMN__COUNT; column++) {
        if (strcasecmp(name.data, sign_field_names[fields[column]]) != 0)
            continue;
        fault = s->places[column] < 0 ? PAPER_OK : PAPER_COLUMN_TWICE;
        s->places[column] = (int)at;
    }
    buf_release(&name);
    return fault;
}

/* The one of , ; and tab that comes first in the first line. */
static char find_separator(const char *data, size_t len)
{
    for (size_t i = 0; i < len && data[i] != '\n' && data[i] != '\r'; i++)
        if (data[i] == ',' || data[i] == ';' || data[i] == '\t')
            return data[i];
    return ',';
}

static enum paper_fault fault_of(enum csv_result result)
{
    static const enum paper_fault faults[] = {
        [CSV_ROW] = PAPER_OK,
        [CSV_END] = PAPER_OK,
        [CSV_BAD_QUOTES] = PAPER_BAD_QUOTES,
        [CSV_NOT_UTF8] = PAPER_NOT_UTF8,
        [CSV_TOO_LONG] = PAPER_LONG_ROW,
        [CSV_TOO_MANY_CELLS] = PAPER_MANY_CELLS,
    };

    return faults[result];
}

static enum paper_fault read_first_line(struct paper_sheet *s)
{
    enum csv_result result = csv_next(&s->csv);
    enum paper_fault fault = result == CSV_END ? PAPER_EMPTY : fault_of(result);

    s->width = s->csv.count;
    for (size_t at = 0; at < s->width && fault == PAPER_OK; at++)
        fault = read_column(s, at);
    if (fault == PAPER_OK && s->places[COLUMN_NAME] < 0)
        fault = PAPER_NO_NAME;
    if (fault == PAPER_OK && s->places[COLUMN_COUNTRY] < 0)
        fault = PAPER_NO_COUNTRY;
    return fault;
}

struct paper_sheet *paper_open(const struct paper_rules *rules, const char *data, size_t len)
{
    struct paper_sheet *s = xcalloc(1, sizeof *s);

    s->rules = *rules;
    s->seen = xcalloc(SEEN_SLOTS, sizeof *s->seen);
    for (int column = 0; column < COLUMN__COUNT; column++)
        s->places[column] = -1;
    csv_init(&s->csv, data, len);
    s->csv.separator = find_separator(data, len);
    s->fault = read_first_line(s);
    return s;
}

void paper_close(struct paper_sheet *s)
{
    csv_release(&s->csv);
    free(s->seen);
    free(s);
}

/* ---- judging */

static bool is_empty(const struct csv *csv)
{
    for (size_t i = 0; i < csv->count; i++)
        if (csv->cells[i][strspn(csv->cells[i], " \t")])
            return false;
    return true;
}

/* Remembers a tag; true if it was there before. */
static bool seen_before(struct paper_sheet *s, const uint8_t tag[TAG_LEN])
{
    static const uint8_t none[SEEN_KEY_LEN];
    uint32_t at;

    memcpy(&at, tag, sizeof at);
    for (;; at++) {
        uint8_t *slot = s->seen[at % SEEN_SLOTS];

        if (memcmp(slot, tag, SEEN_KEY_LEN) == 0)
            return true;
        if (memcmp(slot, none, SEEN_KEY_LEN) == 0) {
            memcpy(slot, tag, SEEN_KEY_LEN);
            return false;
        }
    }
}

/* A cell as the value of a form's field. Choices are forgiving about case, as nobody picks them
 * from a list here. */
static char *cell_value(const struct paper_sheet *s, enum column column)
{
    struct buf value;
    size_t len;

    buf_init(&value, BUF_UNLIMITED);
    if (s->places[column] >= 0)
        input_clean_line(&value, s->csv.cells[s->places[column]]);
    for (char *at = value.data; at < value.data + value.len; at++) {
        if (column == COLUMN_COUNTRY && *at >= 'a' && *at <= 'z')
            *at = (char)(*at - 'a' + 'A');
        if (column == COLUMN_VISIBILITY && *at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
    }
    return buf_detach(&value, &len);
}

/* The row as the form that a signer would have sent. */
static void make_input(const struct paper_sheet *s, struct input *in)
{
    in->count = COLUMN__COUNT;
    for (int column = 0; column < COLUMN__COUNT; column++)
        in->members[column] =
            (struct input_member){.name = xstrdup(sign_field_names[fields[column]]),
                                  .type = INPUT_STRING,
                                  .string = cell_value(s, (enum column)column)};
}

static bool judge(struct paper_sheet *s, struct paper_row *row)
{
    const struct form_rules rules = {s->rules.content, s->rules.identity, true, false, true};
    struct input in;
    bool valid;

    row->wrong_cells = s->csv.count != s->width;
    if (row->wrong_cells)
        return false;
    make_input(s, &in);
    valid = form_validate(&row->form, &in, &rules);
    input_release(&in);
    if (valid && !submission_prepare(s->rules.submitter, &row->draft)) {
        row->form.errors[FIELD_NAME] = FIELD_TOO_LONG;
        valid = false;
    }
    return valid;
}

static void count(struct paper_sheet *s, struct paper_row *row)
{
    bool has_contact = row->form.contact.len > 0;

    s->totals.rows++;
    s->totals.wrong += !row->valid;
    row->repeat = row->valid && has_contact && seen_before(s, row->draft.tag);
    s->totals.repeats += row->repeat;
    s->totals.without_contact += row->valid && !has_contact;
}

bool paper_next(struct paper_sheet *s, struct paper_row *row)
{
    enum csv_result result = CSV_ROW;

    if (s->fault != PAPER_OK)
        return false;
    do
        result = csv_next(&s->csv);
    while (result == CSV_ROW && is_empty(&s->csv));
    s->fault = fault_of(result);
    if (result == CSV_ROW && s->totals.rows == s->rules.rows_max)
        s->fault = PAPER_MANY_ROWS;
    if (result == CSV_END && s->totals.rows == 0)
        s->fault = PAPER_EMPTY;
    if (s->fault != PAPER_OK || result == CSV_END)
        return false;
    paper_row_release(row);
    paper_row_init(row);
    row->line = s->csv.line;
    row->form.lang = s->rules.lang;
    row->valid = judge(s, row);
    count(s, row);
    return true;
}

enum paper_fault paper_fault(const struct paper_sheet *s)
{
    return s->fault;
}

size_t paper_line(const struct paper_sheet *s)
{
    return s->csv.line;
}

const struct paper_totals *paper_totals(const struct paper_sheet *s)
{
    return &s->totals;
}
