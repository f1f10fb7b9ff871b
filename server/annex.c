/*
 * annex: rows of the database as CSV (see annex.h).
 *
 * Runs on the delivery thread, over one read snapshot. `row` holds what of the current row, or of
 * the header, the reader has not taken yet; it never holds two rows. A name is written in one place
 * only, add_opened(), and only past its three conditions.
 *
 * Compression, files and the choice of the variant are left to bundle.
 */
#include "annex.h"

#include "sha256.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX     1024 /* changes of the petition's text */
#define ROW_MAX_BYTES 8192 /* a name of 200 code points is below 1 KiB, twice, once as base64 */

static const char header[] = "\xef\xbb\xbf"
                             "index,tier,entry_sha256,name,country,day,opening,fields_b64\r\n";

struct annex {
    struct db *db;
    bool names;
    int64_t part_rows, rows, rows_read;
    size_t parts, begun;
    int64_t texts[TEXTS_MAX]; /* indices of the text entries */
    size_t text_count, texts_passed;
    struct buf row, fields;
    size_t taken; /* bytes of row that have been read */
    bool in_part, part_is_over;
    struct annex_part part;
    struct sha256 hash;
};

struct annex *annex_new(struct db *snapshot, bool names, int64_t part_rows, struct buf *why)
{
    struct annex *a = xcalloc(1, sizeof *a);
    struct totals totals;

    a->db = snapshot;
    a->names = names;
    a->part_rows = part_rows;
    a->text_count = TEXTS_MAX;
    buf_init(&a->row, ROW_MAX_BYTES);
    buf_init(&a->fields, ROW_MAX_BYTES);
    if (db_totals(a->db, &totals) != DB_OK ||
        db_text_indices(a->db, a->texts, &a->text_count) != DB_OK ||
        db_rows_begin(a->db, 0) != DB_OK) {
        buf_adds(why, "the database cannot be read");
        annex_free(a);
        return NULL;
    }
    a->rows = (int64_t)totals.live;
    a->parts = a->rows == 0 ? 1 : (size_t)((a->rows + part_rows - 1) / part_rows);
    return a;
}

void annex_free(struct annex *a)
{
    if (!a)
        return;
    db_rows_end(a->db);
    buf_wipe(&a->row);
    buf_wipe(&a->fields);
    free(a);
}

void annex_part_name(char name[ANNEX_NAME_MAX], size_t part)
{
    snprintf(name, ANNEX_NAME_MAX, "signatures/part-%03zu.csv", part + 1);
}

size_t annex_parts(const struct annex *a)
{
    return a->parts;
}

int64_t annex_rows(const struct annex *a)
{
    return a->rows;
}

int64_t annex_rows_read(const struct annex *a)
{
    return a->rows_read;
}

int annex_begin(struct annex *a)
{
    if (a->in_part || a->begun == a->parts)
        return -1;
    a->part = (struct annex_part){0};
    annex_part_name(a->part.name, a->begun++);
    sha256_begin(&a->hash);
    buf_clear(&a->row);
    buf_add(&a->row, header, sizeof header - 1);
    a->taken = 0;
    a->in_part = true;
    a->part_is_over = false;
    return 0;
}

/* The text that stood on the page when the entry at `index` was made. Rows come in order, so the
 * list of texts is walked once. Entry 0 has the first text. */
static int64_t text_before(struct annex *a, int64_t index)
{
    while (a->texts_passed < a->text_count && a->texts[a->texts_passed] < index)
        a->texts_passed++;
    return a->texts_passed == 0 ? 0 : a->texts[a->texts_passed - 1];
}

/* name, country, day, opening, fields_b64, or five empty cells. */
static void add_opened(struct annex *a, const struct db_row *row, int64_t text)
{
    struct fields fields = {.name = row->name,
                            .country = row->country,
                            .text = text,
                            .day = row->day,
                            .visibility = row->visibility};
    struct buf cell;
    char day[11];

    if (!a->names || row->visibility == VISIBILITY_PRIVATE || !row->name || !row->opening) {
        buf_adds(&a->row, ",,,,");
        return;
    }
    buf_init(&cell, 2 * OPENING_LEN);
    buf_base64(&cell, row->opening, OPENING_LEN);
    day_text(day, row->day);
    buf_csv(&a->row, row->name);
    buf_addc(&a->row, ',');
    buf_csv(&a->row, row->country);
    buf_addc(&a->row, ',');
    buf_csv(&a->row, day);
    buf_addc(&a->row, ',');
    buf_csv(&a->row, cell.data);
    buf_release(&cell);
    buf_clear(&a->fields);
    entry_fields(&a->fields, &fields);
    buf_adds(&a->row, ",\"");
    buf_base64(&a->row, (const uint8_t *)a->fields.data, a->fields.len);
    buf_addc(&a->row, '"'); /* it begins with "eyJ", which is no formula */
}

static int add_row(struct annex *a, const struct db_row *row)
{
    uint8_t leaf[HASH_LEN];

    merkle_leaf(leaf, row->body, row->body_len);
    buf_printf(&a->row, "%" PRId64 ",\"%s\",\"", row->index, tier_names[row->tier]);
    buf_hex(&a->row, leaf, HASH_LEN);
    buf_adds(&a->row, "\",");
    add_opened(a, row, text_before(a, row->index));
    buf_adds(&a->row, "\r\n");
    a->part.rows++;
    a->rows_read++;
    return buf_ok(&a->row) && buf_ok(&a->fields) ? 0 : -1;
}

/* Puts the next row into a->row, or sees that the part is over. The last part must end where the
 * list ends, and no other may: else the database counts other rows than it has. */
static int next_row(struct annex *a)
{
    struct db_row row;
    int result;

    buf_clear(&a->row);
    a->taken = 0;
    if (a->part.rows == a->part_rows && a->begun < a->parts) {
        a->part_is_over = true;
        return 0;
    }
    result = db_rows_next(a->db, &row);
    if (result == DB_OK)
        return a->rows_read < a->rows ? add_row(a, &row) : -1;
    a->part_is_over = true;
    return result == DB_NO_ROW && a->rows_read == a->rows ? 0 : -1;
}

int64_t annex_read(struct annex *a, void *out, size_t len)
{
    uint8_t *at = out;
    size_t done = 0;

    if (!a->in_part)
        return -1;
    while (done < len && !a->part_is_over) {
        size_t n = a->row.len - a->taken;

        if (n == 0) {
            if (next_row(a) != 0)
                return -1;
            continue;
        }
        if (n > len - done)
            n = len - done;
        memcpy(at + done, a->row.data + a->taken, n);
        a->taken += n;
        done += n;
    }
    sha256_add(&a->hash, at, done);
    a->part.bytes += (int64_t)done;
    return (int64_t)done;
}

int annex_end(struct annex *a, struct annex_part *part)
{
    if (!a->in_part || !a->part_is_over)
        return -1;
    sha256_end(&a->hash, a->part.sha256);
    a->in_part = false;
    *part = a->part;
    return 0;
}
