/*
 * row_check: rows in, one line at a time (see row_check.h). One thread.
 *
 * Always true: a row is taken apart, judged, and written again as annex would: so nothing is shown
 * beside what was judged.
 */
#include "row_check.h"

#include "csv.h"
#include "lines.h"
#include "take.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 16384
#define OPENED_CELLS   5 /* name, country, day, opening, fields_b64 */

static const char header[] = "\xef\xbb\xbf"
                             "index,tier,entry_sha256,name,country,day,opening,fields_b64";

struct row_check {
    struct row_check_source source;
    struct row_counts counts;
    int64_t last; /* index of the row before */
    bool seen_header;
    struct lines lines;
    struct buf fields, again;
};

/* A row, taken apart. `opened` is what follows the first three cells and their comma. */
struct row {
    int64_t index;
    enum tier tier;
    uint8_t leaf[HASH_LEN];
    struct cursor opened;
};

static const char *take_line(void *ctx, const char *line, size_t len);

struct row_check *row_check_new(const struct row_check_source *source)
{
    struct row_check *r = xcalloc(1, sizeof *r);

    r->source = *source;
    r->last = -1;
    lines_init(&r->lines, take_line, r);
    buf_init(&r->fields, LINE_MAX_BYTES);
    buf_init(&r->again, LINE_MAX_BYTES);
    return r;
}

void row_check_free(struct row_check *r)
{
    if (!r)
        return;
    lines_release(&r->lines);
    buf_wipe(&r->fields);
    buf_wipe(&r->again);
    free(r);
}

const struct row_counts *row_check_counts(const struct row_check *r)
{
    return &r->counts;
}

/* ---- a row */

static bool take_row(struct row *row, const char *line, size_t len)
{
    struct cursor c = {line, line + len};
    size_t tier = 0;
    bool ok = take_number(&c, &row->index) && take_literal(&c, ",\"") &&
              take_word(&c, tier_names, TIER__MAX, &tier) && take_literal(&c, "\",\"") &&
              take_hex(&c, row->leaf) && take_literal(&c, "\",");

    row->tier = (enum tier)tier;
    row->opened = c;
    return ok;
}

/* The signature that the row stands for: NULL, or what is wrong. */
static const char *check_entry(const struct row_check *r, const struct row *row,
                               const struct audit_sign **sign)
{
    uint8_t leaf[HASH_LEN];
    struct buf entry;
    int64_t at;
    int how;

    *sign = audit_sign_at(r->source.audit, row->index);
    if (!*sign)
        return "stands for no signature of the log";
    if (audit_removed(*sign, r->source.size, &how, &at))
        return "was withdrawn or removed before the delivery";
    buf_init(&entry, SIGN_ENTRY_BYTES);
    entry_sign(&entry, (*sign)->c, (*sign)->w);
    merkle_leaf(leaf, entry.data, entry.len);
    buf_release(&entry);
    return memcmp(leaf, row->leaf, HASH_LEN) == 0 ? NULL
                                                  : "has another hash than its entry in the log";
}

/* What the cells must be, from what was judged. */
static bool is_spelled_so(struct row_check *r, const struct row *row, const struct fields *f,
                          const uint8_t opening[OPENING_LEN])
{
    char day[11];
    size_t len = (size_t)(row->opened.end - row->opened.at);
    struct buf base64;

    buf_init(&base64, 2 * OPENING_LEN);
    buf_base64(&base64, opening, OPENING_LEN);
    day_text(day, f->day);
    buf_clear(&r->again);
    buf_csv(&r->again, f->name);
    buf_addc(&r->again, ',');
    buf_csv(&r->again, f->country);
    buf_printf(&r->again, ",\"%s\",", day);
    buf_csv(&r->again, base64.data);
    buf_adds(&r->again, ",\"");
    buf_base64(&r->again, (const uint8_t *)r->fields.data, r->fields.len);
    buf_addc(&r->again, '"');
    buf_release(&base64);
    return buf_ok(&r->again) && r->again.len == len &&
           memcmp(r->again.data, row->opened.at, len) == 0;
}

static const char *check_fields(struct row_check *r, const struct row *row,
                                const struct audit_sign *sign, const uint8_t opening[OPENING_LEN])
{
    struct fields_read f;
    const char *wrong = NULL;
    uint8_t c[HASH_LEN];
    int64_t text;

    if (fields_read(&f, r->fields.data, r->fields.len) != 0)
        return "has fields that are none";
    if (!r->source.names)
        wrong = "shows a name to an addressee who gets none";
    else if (f.fields.visibility == VISIBILITY_PRIVATE)
        wrong = "shows the name of somebody who kept it private";
    else if (!is_spelled_so(r, row, &f.fields, opening))
        wrong = "shows something else than was signed";
    text = f.fields.text;
    fields_release(&f);
    if (wrong || !sign)
        return wrong;
    entry_commitment(c, audit_genesis(r->source.audit), opening, &r->fields);
    if (memcmp(c, sign->c, sizeof c) != 0)
        return "does not open the commitment of its entry";
    return text == audit_text_before(r->source.audit, row->index)
               ? NULL
               : "was signed under another text than its entry says";
}

/* Takes the opening and FIELDS out of the last five cells. An opening that begins with '+' has an
 * apostrophe in front, for spreadsheets. */
static bool read_opened(struct row_check *r, const struct row *row, uint8_t opening[OPENING_LEN])
{
    size_t len = (size_t)(row->opened.end - row->opened.at);
    struct csv csv;
    bool ok;

    buf_clear(&r->fields);
    csv_init(&csv, row->opened.at, len);
    ok = csv_next(&csv) == CSV_ROW && csv.count == OPENED_CELLS &&
         base64_decode(opening, OPENING_LEN, csv.cells[3] + (csv.cells[3][0] == '\'')) == 0 &&
         buf_unbase64(&r->fields, csv.cells[4], strlen(csv.cells[4])) == 0;
    csv_release(&csv);
    return ok;
}

/* NULL, or what is wrong with the row. */
static const char *check_row(struct row_check *r, const char *line, size_t len)
{
    const struct audit_sign *sign = NULL;
    uint8_t opening[OPENING_LEN];
    const char *wrong = NULL;
    struct row row;

    r->counts.rows++;
    if (!take_row(&row, line, len))
        return "is not spelled as a row";
    if (row.index <= r->last || row.index >= r->source.size)
        return "is out of order";
    r->last = row.index;
    r->counts.tiers[row.tier]++;
    if (r->source.audit)
        wrong = check_entry(r, &row, &sign);
    if (wrong || (take_literal(&row.opened, ",,,,") && take_end(&row.opened)))
        return wrong;
    r->counts.opened++;
    if (!read_opened(r, &row, opening))
        return "is not spelled as a row";
    return check_fields(r, &row, sign, opening);
}

/* ---- lines */

void row_check_begin(struct row_check *r)
{
    lines_begin(&r->lines);
    r->seen_header = false;
}

static const char *take_line(void *ctx, const char *line, size_t len)
{
    struct row_check *r = ctx;
    bool is_row = r->seen_header;

    r->seen_header = true;
    if (len < 2 || line[len - 2] != '\r')
        return "does not end as a row";
    if (is_row)
        return check_row(r, line, len - 2);
    return len == sizeof header + 1 && memcmp(line, header, sizeof header - 1) == 0
               ? NULL
               : "is not the header of a list";
}

int row_check_add(struct row_check *r, const void *data, size_t len, struct buf *why)
{
    const char *wrong = lines_add(&r->lines, data, len);

    if (!wrong)
        return 0;
    buf_printf(why, "row %" PRId64 " %s", r->counts.rows + !buf_ok(&r->lines.rest), wrong);
    return -1;
}

int row_check_end(struct row_check *r, struct buf *why)
{
    if (lines_end(&r->lines) && r->seen_header)
        return 0;
    buf_adds(why, "the list of signatures is cut off");
    return -1;
}
