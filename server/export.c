/*
 * export: sealed records out of the database, and opened again elsewhere (see export.h).
 */
#include "export.h"

#include "seal.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#define PAGE_ROWS 500

struct export
{
    struct db *db;
    int64_t next, end; /* indices still to be read: next <= index < end */
};

struct export *export_open(const char *database, struct buf *err)
{
    struct export *e = xcalloc(1, sizeof *e);

    e->db = db_open(database, DB_READER, err);
    if (!e->db) {
        free(e);
        return NULL;
    }
    e->end = db_log_size(e->db);
    return e;
}

void export_close(struct export *e)
{
    db_close(e->db);
    free(e);
}

/* ---- as an answer */

static int stream_next(void *ctx, struct buf *piece)
{
    return export_next(ctx, piece);
}

static void stream_release(void *ctx)
{
    export_close(ctx);
}

int export_reply(struct http_request *rq, const char *database, struct buf *err)
{
    struct http_stream stream = {stream_next, stream_release, export_open(database, err), 0};

    if (!stream.ctx)
        return -1;
    http_reply_stream(rq, &stream, "application/jsonl", "sealed.jsonl");
    return 0;
}

int export_counts_csv(struct db *db, struct buf *out)
{
    buf_adds(out, "country,tier,day,submissions\r\n");
    return db_tally_csv(db, out);
}

static int add_cells(struct db *db, struct buf *out, enum db_table which, const char *name)
{
    struct table t;
    int result = db_table(db, which, INT32_MAX, &t);

    buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; result == DB_OK && i < t.count; i++)
        buf_printf(out, "%s{\"key\":\"%s\",\"n\":%" PRIu64 "}", i ? "," : "", t.cells[i].key,
                   t.cells[i].n);
    buf_addc(out, ']');
    free(t.cells);
    return result;
}

int export_counts_json(struct db *db, struct buf *out)
{
    struct totals t;
    int result = db_totals(db, &t);

    if (result != DB_OK)
        return result;
    buf_printf(out,
               "{\"signatures\":%" PRIu64 ",\"confirmed\":%" PRIu64 ",\"submissions\":%" PRIu64,
               t.signatures, t.confirmed, t.live);
    buf_printf(out, ",\"repeats\":%" PRIu64 ",\"withdrawn\":%" PRIu64, t.live - t.signatures,
               t.withdrawn);
    for (int why = 0; why < VOID__MAX; why++)
        buf_printf(out, "%s\"%s\":%" PRIu64, why ? "," : ",\"removed\":{", void_why_names[why],
                   t.removed[why]);
    buf_addc(out, '}');
    result = add_cells(db, out, DB_BY_COUNTRY, "by_country");
    if (result == DB_OK)
        result = add_cells(db, out, DB_BY_TIER, "by_tier");
    if (result == DB_OK)
        result = add_cells(db, out, DB_BY_DAY, "by_day");
    buf_adds(out, "}\n");
    return result;
}

static void add_line(struct buf *out, const struct db_row *row)
{
    buf_printf(out, "{\"index\":%" PRId64 ",\"tier\":\"%s\",\"sealed\":\"", row->index,
               tier_names[row->tier]);
    buf_base64(out, row->sealed, row->sealed_len);
    buf_adds(out, "\"}\n");
}

/* A page, in the open snapshot. */
static int add_page(struct export *e, struct buf *out)
{
    struct db_row row;
    int rows = 0, result = db_rows_begin(e->db, e->next);

    while (result == DB_OK && rows < PAGE_ROWS) {
        result = db_rows_next(e->db, &row);
        if (result != DB_OK || row.index >= e->end) {
            e->next = e->end;
            break;
        }
        if (row.sealed)
            add_line(out, &row);
        e->next = row.index + 1;
        rows++;
    }
    db_rows_end(e->db);
    return result < 0 ? -1 : 0;
}

int export_next(struct export *e, struct buf *out)
{
    int result;

    if (e->next >= e->end)
        return 0;
    if (db_snapshot_begin(e->db) != DB_OK)
        return -1;
    result = add_page(e, out);
    db_snapshot_end(e->db);
    return result == 0 ? 1 : -1;
}

/* ---- opening */

static const char *const columns[] = {"name",    "contact", "country", "visibility",
                                      "updates", "lang",    "day",     "text"};
#define COLUMN_COUNT (sizeof columns / sizeof *columns)

static void add_cell(struct buf *csv, const cJSON *value)
{
    struct buf number;

    buf_addc(csv, ',');
    if (cJSON_IsString(value)) {
        buf_csv(csv, value->valuestring);
    } else if (cJSON_IsBool(value)) {
        buf_csv(csv, cJSON_IsTrue(value) ? "yes" : "no");
    } else if (cJSON_IsNumber(value)) {
        buf_init(&number, BUF_UNLIMITED);
        buf_printf(&number, "%.0f", value->valuedouble);
        buf_csv(csv, number.data);
        buf_release(&number);
    }
}

static int add_record(struct buf *csv, const cJSON *line, const uint8_t secret[32],
                      const char **why)
{
    const cJSON *index = cJSON_GetObjectItemCaseSensitive(line, "index");
    const cJSON *tier = cJSON_GetObjectItemCaseSensitive(line, "tier");
    const cJSON *sealed = cJSON_GetObjectItemCaseSensitive(line, "sealed");
    uint8_t bytes[SEALED_MAX];
    struct buf record;
    cJSON *json = NULL;
    size_t len;
    int result = -1;

    *why = "is not a line of an export";
    if (!cJSON_IsNumber(index) || !cJSON_IsString(tier) || !cJSON_IsString(sealed) ||
        sodium_base642bin(bytes, sizeof bytes, sealed->valuestring, strlen(sealed->valuestring),
                          NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return -1;
    *why = "cannot be opened with this key: it was sealed to another one, or changed";
    buf_init(&record, SEAL_PADDED_LONG);
    if (seal_open(&record, bytes, len, secret) != 0)
        goto out;
    json = cJSON_Parse(record.data);
    *why = "holds no record";
    if (!json)
        goto out;
    buf_printf(csv, "%.0f,", index->valuedouble);
    buf_csv(csv, tier->valuestring);
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        add_cell(csv, cJSON_GetObjectItemCaseSensitive(json, columns[i]));
    buf_adds(csv, "\r\n");
    result = 0;
out:
    cJSON_Delete(json);
    buf_wipe(&record);
    return result;
}

int export_open_records(struct buf *csv, const char *lines, const uint8_t secret[32],
                        struct buf *err)
{
    int64_t number = 0;

    buf_adds(csv, "\xef\xbb\xbfindex,tier");
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        buf_printf(csv, ",%s", columns[i]);
    buf_adds(csv, "\r\n");
    while (*lines) {
        size_t len = strcspn(lines, "\n");
        cJSON *line = cJSON_ParseWithLength(lines, len);
        const char *why = "is not a line of an export";
        int result;

        number++;
        result = line ? add_record(csv, line, secret, &why) : -1;
        cJSON_Delete(line);
        if (result != 0) {
            buf_printf(err, "line %" PRId64 " %s", number, why);
            return -1;
        }
        lines += len + (lines[len] == '\n');
    }
    return 0;
}
