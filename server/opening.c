/*
 * opening: the file that opens a commitment (see opening.h). Any thread: there is no state.
 */
#include "opening.h"

#include "input.h"
#include "json.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#define CONTACT_MAX 1024
#define FIELDS_MAX  8192

void opening_init(struct opening *o)
{
    *o = (struct opening){0};
    buf_init(&o->contact, CONTACT_MAX);
    buf_init(&o->fields, FIELDS_MAX);
}

void opening_release(struct opening *o)
{
    buf_wipe(&o->contact);
    buf_wipe(&o->fields);
    sodium_memzero(o->r, sizeof o->r);
    sodium_memzero(o->r2, sizeof o->r2);
}

static void add_bytes(struct buf *out, const char *name, const uint8_t bytes[HASH_LEN])
{
    buf_printf(out, ",\"%s\":\"", name);
    buf_base64(out, bytes, HASH_LEN);
    buf_addc(out, '"');
}

void opening_write(struct buf *out, const struct opening *o)
{
    buf_printf(out, "{\"v\":1,\"index\":%" PRId64, o->index);
    add_bytes(out, "genesis", o->genesis);
    add_bytes(out, "r", o->r);
    add_bytes(out, "r2", o->r2);
    buf_adds(out, ",\"contact\":");
    buf_json(out, o->contact.data);
    buf_adds(out, ",\"fields\":");
    buf_json(out, o->fields.data);
    buf_addc(out, '}');
}

static bool fill(struct opening *o, const cJSON *json)
{
    struct fields_read fields;
    bool ok;

    o->index = json_number(json, "index");
    buf_adds(&o->contact, json_text(json, "contact"));
    buf_adds(&o->fields, json_text(json, "fields"));
    ok = base64_decode(o->genesis, HASH_LEN, json_text(json, "genesis")) == 0 &&
         base64_decode(o->r, HASH_LEN, json_text(json, "r")) == 0 &&
         base64_decode(o->r2, HASH_LEN, json_text(json, "r2")) == 0 && o->contact.len > 0 &&
         buf_ok(&o->contact) && buf_ok(&o->fields) &&
         fields_read(&fields, o->fields.data, o->fields.len) == 0;
    if (ok)
        fields_release(&fields);
    return ok;
}

/* Read in any spelling, and written again: only the one spelling gives the same bytes. */
int opening_parse(struct opening *out, const char *file, size_t len)
{
    struct buf again;
    cJSON *json = NULL;
    bool same = false;

    if (len > 0 && file[len - 1] == '\n')
        len--;
    buf_init(&again, OPENING_FILE_MAX);
    if (len <= OPENING_FILE_MAX && input_is_utf8(file, len))
        json = cJSON_ParseWithLength(file, len);
    if (json && fill(out, json)) {
        opening_write(&again, out);
        same = buf_ok(&again) && again.len == len && memcmp(again.data, file, len) == 0;
    }
    buf_wipe(&again);
    cJSON_Delete(json);
    return same ? 0 : -1;
}

void opening_commitment(const struct opening *o, uint8_t c[HASH_LEN])
{
    uint8_t r_ch[OPENING_LEN];

    memcpy(r_ch, o->r, HASH_LEN);
    entry_contact_hash(r_ch + HASH_LEN, o->r2, o->contact.data);
    entry_commitment(c, o->genesis, r_ch, &o->fields);
    sodium_memzero(r_ch, sizeof r_ch);
}
