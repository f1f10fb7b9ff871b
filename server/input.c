/*
 * input: parses untrusted bodies and cleans lines of text (see input.h).
 *
 * Any thread may use it: there is no state (cJSON keeps a pointer to its last error, which nobody
 * reads). The form parser is strict and allocates each piece at its exact size, so that no grown
 * buffer leaves a copy of a value behind. cJSON is lenient, so the JSON text is scanned first for
 * what cJSON would let through: control characters, NUL, broken \u escapes. Numbers in a notation
 * that only cJSON accepts (01, 1.) pass as INPUT_OTHER, which no field takes.
 *
 * The meaning of a member, and whether it may be there at all, is left to the caller.
 */
#include "input.h"

#include <cjson/cJSON.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- UTF-8 ---- */

#define SEQUENCE_MAX 4

/* Length of the sequence that `lead` opens; 0 if it opens none. */
static size_t sequence_len(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2)
        return 0;
    if (lead < 0xE0)
        return 2;
    if (lead < 0xF0)
        return 3;
    return lead < 0xF5 ? 4 : 0;
}

/* Joins the bits of a sequence. Stops before a byte that does not continue it (so never passes a
 * NUL) and sets *used. */
static uint32_t join_sequence(const unsigned char *s, size_t len, size_t *used)
{
    static const unsigned char lead_bits[SEQUENCE_MAX + 1] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t point = s[0] & lead_bits[len];
    size_t i = 1;

    for (; i < len && (s[i] & 0xC0) == 0x80; i++)
        point = point << 6 | (s[i] & 0x3F);
    *used = i;
    return point;
}

bool input_is_utf8(const char *text, size_t len)
{
    static const uint32_t least[SEQUENCE_MAX + 1] = {0, 1, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)text, *end = s + len;

    while (s < end) {
        size_t used, want = sequence_len(*s);
        uint32_t point;

        if (want == 1 && *s != '\0') { /* most of what is typed */
            s++;
            continue;
        }
        if (want == 0 || want > (size_t)(end - s))
            return false;
        point = join_sequence(s, want, &used);
        if (used != want || point < least[want] || point > 0x10FFFF)
            return false;
        if (point >= 0xD800 && point <= 0xDFFF)
            return false;
        s += want;
    }
    return true;
}

uint32_t input_next_code_point(const char **text)
{
    const unsigned char *s = (const unsigned char *)*text;
    size_t used = 1, len = sequence_len(*s);
    uint32_t point = *s;

    if (len != 1)
        point = join_sequence(s, len ? len : 1, &used);
    *text += used;
    return point;
}

size_t input_code_points(const char *text)
{
    size_t count = 0;

    for (; *text; count++)
        input_next_code_point(&text);
    return count;
}

/* ---- Clean lines ---- */

enum looks { VISIBLE, SPACE, BREAK, HIDDEN };

/* Everything that is not visible, ascending. ZWNJ and ZWJ (U+200C, U+200D) are missing on purpose.
 * BREAK is a control character that separates words: it becomes a space. */
static const struct {
    uint32_t first, last;
    enum looks looks;
} looks_table[] = {
    {0x0000, 0x0008, HIDDEN},   {0x0009, 0x000D, BREAK},  {0x000E, 0x001F, HIDDEN},
    {0x0020, 0x0020, SPACE},    {0x007F, 0x0084, HIDDEN}, {0x0085, 0x0085, BREAK},
    {0x0086, 0x009F, HIDDEN},   {0x00A0, 0x00A0, SPACE},  {0x00AD, 0x00AD, HIDDEN},
    {0x061C, 0x061C, HIDDEN},   {0x1680, 0x1680, SPACE},  {0x180E, 0x180E, HIDDEN},
    {0x2000, 0x200A, SPACE},    {0x200B, 0x200B, HIDDEN}, {0x200E, 0x200F, HIDDEN},
    {0x2028, 0x2029, BREAK},    {0x202A, 0x202E, HIDDEN}, {0x202F, 0x202F, SPACE},
    {0x205F, 0x205F, SPACE},    {0x2060, 0x206F, HIDDEN}, {0x3000, 0x3000, SPACE},
    {0xFDD0, 0xFDEF, HIDDEN},   {0xFEFF, 0xFEFF, HIDDEN}, {0xFFF9, 0xFFFB, HIDDEN},
    {0xE0000, 0xE00FF, HIDDEN},
};

static enum looks looks_of(uint32_t point)
{
    if (point > 0x20 && point < 0x7F) /* most of what is typed */
        return VISIBLE;
    if ((point & 0xFFFE) == 0xFFFE) /* the last two of each plane are noncharacters */
        return HIDDEN;
    for (size_t i = 0; i < sizeof looks_table / sizeof *looks_table; i++)
        if (point <= looks_table[i].last)
            return point >= looks_table[i].first ? looks_table[i].looks : VISIBLE;
    return VISIBLE;
}

void input_clean_line(struct buf *out, const char *typed)
{
    const char *first = NULL, *end = NULL;

    for (const char *s = typed; *s;) {
        const char *from = s;

        if (looks_of(input_next_code_point(&s)) != VISIBLE)
            continue;
        if (!first)
            first = from;
        end = s;
    }
    for (const char *s = first, *run = first; s != end;) {
        const char *from = s;
        enum looks looks = looks_of(input_next_code_point(&s));

        if (s == end || looks == BREAK || looks == HIDDEN)
            buf_add(out, run, (size_t)((s == end ? s : from) - run)); /* the last one is visible */
        if (looks == BREAK)
            buf_addc(out, ' ');
        if (looks == BREAK || looks == HIDDEN)
            run = s;
    }
}

/* ---- The list of members ---- */

static void drop_last(struct input *in)
{
    struct input_member *m = &in->members[--in->count];

    if (m->string)
        sodium_memzero(m->string, m->type == INPUT_FILE ? m->len : strlen(m->string));
    free(m->string);
    free(m->name);
}

void input_release(struct input *in)
{
    while (in->count > 0)
        drop_last(in);
}

const struct input_member *input_find(const struct input *in, const char *name, bool *again)
{
    const struct input_member *found = NULL;

    *again = false;
    for (size_t i = 0; i < in->count; i++) {
        if (strcmp(in->members[i].name, name) != 0)
            continue;
        if (found)
            *again = true;
        else
            found = &in->members[i];
    }
    return found;
}

struct input_member *input_add(struct input *in)
{
    struct input_member *m;

    if (in->count == INPUT_MEMBERS_MAX)
        return NULL;
    m = &in->members[in->count++];
    *m = (struct input_member){.type = INPUT_OTHER};
    return m;
}

/* ---- application/x-www-form-urlencoded ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes one name or value into *out, which is the caller's to free even on failure. */
static enum input_reason decode_piece(char **out, const char *piece, size_t len)
{
    size_t used = 0;
    char *text = xcalloc(len + 1, 1);

    *out = text;
    for (size_t i = 0; i < len; i++) {
        int high, low;

        if (piece[i] != '%') {
            text[used++] = piece[i];
            if (piece[i] == '+')
                text[used - 1] = ' ';
            continue;
        }
        high = len - i > 2 ? hex_value(piece[i + 1]) : -1;
        low = len - i > 2 ? hex_value(piece[i + 2]) : -1;
        if (high < 0 || low < 0)
            return INPUT_MALFORMED;
        text[used++] = (char)(high << 4 | low);
        i += 2;
    }
    return input_is_utf8(text, used) ? INPUT_OK : INPUT_NOT_UTF8;
}

/* One `name=value`; a name alone has the empty value, as browsers see it. */
static enum input_reason add_pair(struct input *in, const char *pair, size_t len)
{
    const char *equals = memchr(pair, '=', len);
    size_t name_len = equals ? (size_t)(equals - pair) : len;
    size_t value_at = equals ? name_len + 1 : len;
    enum input_reason reason;
    struct input_member *m;

    if (name_len == 0)
        return INPUT_MALFORMED;
    m = input_add(in);
    if (!m)
        return INPUT_TOO_MANY;
    m->type = INPUT_STRING;
    reason = decode_piece(&m->name, pair, name_len);
    if (reason == INPUT_OK)
        reason = decode_piece(&m->string, pair + value_at, len - value_at);
    return reason;
}

enum input_reason input_parse_form(struct input *in, const char *body, size_t len)
{
    enum input_reason reason = INPUT_OK;
    size_t at = 0;

    in->count = 0;
    while (at < len && reason == INPUT_OK) {
        const char *ampersand = memchr(body + at, '&', len - at);
        size_t end = ampersand ? (size_t)(ampersand - body) : len;

        reason = add_pair(in, body + at, end - at);
        at = end + 1;
    }
    if (reason != INPUT_OK)
        input_release(in);
    return reason;
}

/* ---- JSON ---- */

static bool is_json_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Judges the four digits of a \u escape. cJSON reads broken ones as zero, and zero as the end. */
static enum input_reason check_unicode_escape(const char *digits, const char *end)
{
    int value = 0;

    if (end - digits < 4)
        return INPUT_MALFORMED;
    for (size_t i = 0; i < 4; i++) {
        int nibble = hex_value(digits[i]);

        if (nibble < 0)
            return INPUT_MALFORMED;
        value = value << 4 | nibble;
    }
    return value ? INPUT_OK : INPUT_NOT_UTF8;
}

/* Refuses what cJSON would accept: control characters, in strings and between tokens, and \u
 * escapes that are broken or stand for NUL. Everything else about the syntax is cJSON's. */
static enum input_reason scan_json(const char *text, size_t len)
{
    enum input_reason reason = INPUT_OK;
    bool in_string = false;

    for (size_t i = 0; i < len && reason == INPUT_OK; i++) {
        bool control = (unsigned char)text[i] < 0x20;

        if (control && (in_string || !is_json_space(text[i])))
            return INPUT_MALFORMED;
        if (text[i] == '"')
            in_string = !in_string;
        if (!in_string || text[i] != '\\' || ++i == len)
            continue;
        if (text[i] == 'u')
            reason = check_unicode_escape(text + i + 1, text + len);
    }
    return reason;
}

/* Moves names and values out of the tree: both sides allocate with malloc. */
static enum input_reason take_members(struct input *in, cJSON *object)
{
    for (cJSON *item = object->child; item; item = item->next) {
        struct input_member *m = input_add(in);

        if (!m)
            return INPUT_TOO_MANY;
        m->name = item->string;
        item->string = NULL;
        if (cJSON_IsBool(item)) {
            m->type = INPUT_BOOL;
            m->truth = cJSON_IsTrue(item);
        } else if (cJSON_IsString(item)) {
            m->type = INPUT_STRING;
            m->string = item->valuestring;
            item->valuestring = NULL;
        }
    }
    return INPUT_OK;
}

enum input_reason input_parse_json(struct input *in, const char *body, size_t len)
{
    enum input_reason reason;
    const char *rest = NULL;
    cJSON *object = NULL;
    struct buf text; /* cJSON 1.7.15 may read the byte behind the end: here it is a NUL */

    in->count = 0;
    buf_init(&text, BUF_UNLIMITED);
    reason = input_is_utf8(body, len) ? scan_json(body, len) : INPUT_NOT_UTF8;
    if (reason != INPUT_OK)
        goto out;
    reason = INPUT_MALFORMED;
    buf_add(&text, body, len);
    object = cJSON_ParseWithLengthOpts(text.data, text.len, &rest, false);
    if (!cJSON_IsObject(object))
        goto out;
    while (is_json_space(*rest))
        rest++;
    if (rest == text.data + text.len)
        reason = take_members(in, object);
out:
    if (reason != INPUT_OK)
        input_release(in);
    cJSON_Delete(object);
    buf_wipe(&text);
    return reason;
}
