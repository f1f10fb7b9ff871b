/*
 * entry: the bytes of entries, commitments and codes (see entry.h; DESIGN, "Exact bytes").
 *
 * Any thread may call it: there is no state. An entry is written here and read here, from the same
 * literals, and the readers accept nothing that the writers would not write. What an entry means
 * for the count, and whether it may be appended, is the writer's and the verifier's business.
 */
#include "entry.h"

#include "sha256.h"
#include "take.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define INDEX_DIGITS_MAX 16
#define INDEX_MAX        (INT64_C(1) << 53) /* what a JSON number holds exactly */
#define SHORT_DIGITS     8

#define OPEN_HEAD  "{\"v\":1,\"t\":\"open\",\"origin\":"
#define TEXT_HEAD  "{\"v\":1,\"t\":\"text\""
#define SIGN_HEAD  "{\"v\":1,\"t\":\"sign\",\"c\":\""
#define SIGN_W     "\",\"w\":\""
#define PETITION   ",\"petition\":\"1\""
#define TEXT_EN    ",\"text\":{\"en\":\""
#define TEXT_FR    "\",\"fr\":\""
#define TEXT_KM    "\",\"km\":\""
#define ADDRESSEES "\"},\"addressees\":\""
#define SEAL_KEY   "\",\"seal\":\""
#define WD_HEAD    "{\"v\":1,\"t\":\"wd\",\"i\":"
#define WD_S       ",\"s\":\""
#define VOID_HEAD  "{\"v\":1,\"t\":\"void\",\"i\":"
#define VOID_WHY   ",\"why\":\""
#define TAIL       "\"}"

const char *const visibility_names[VISIBILITY__MAX] = {"private", "addressees", "public"};
const char *const tier_names[TIER__MAX] = {"confirmed", "paper", "unconfirmed"};
const char *const void_why_names[VOID__MAX] = {"request", "duplicate", "fraud", "test", "lost"};

/* ---- days ---- */

#define DAY_S            86400
#define DAY_FIRST        (-719528) /* 0000-01-01 */
#define DAY_LAST         2932896   /* 9999-12-31 */
#define DAYS_IN_400Y     146097
#define DAYS_BEFORE_1970 719468 /* from 0000-03-01 */

static int32_t clamp_day(int64_t day)
{
    return day < DAY_FIRST ? DAY_FIRST : day > DAY_LAST ? DAY_LAST : (int32_t)day;
}

day_number day_of(int64_t unix_s)
{
    int64_t day = unix_s / DAY_S;

    return clamp_day(unix_s % DAY_S < 0 ? day - 1 : day);
}

static void put_digits(char *out, size_t width, uint32_t n)
{
    while (width > 0) {
        out[--width] = (char)('0' + n % 10);
        n /= 10;
    }
}

/* Source: civil_from_days, https://howardhinnant.github.io/date_algorithms.html. Years begin in
 * March, so that the leap day is a year's last; 400 years are added to keep all unsigned. */
void day_text(char out[11], day_number day)
{
    uint32_t z = (uint32_t)(clamp_day(day) + DAYS_BEFORE_1970 + DAYS_IN_400Y);
    uint32_t era = z / DAYS_IN_400Y, day_of_era = z % DAYS_IN_400Y;
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t march_month = (5 * day_of_year + 2) / 153;
    uint32_t month = march_month < 10 ? march_month + 3 : march_month - 9;

    put_digits(out, 4, era * 400 + year_of_era + (month <= 2) - 400);
    out[4] = '-';
    put_digits(out + 5, 2, month);
    out[7] = '-';
    put_digits(out + 8, 2, day_of_year - (153 * march_month + 2) / 5 + 1);
    out[10] = '\0';
}

bool day_parse(day_number *day, const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%d", &tm);
    char again[11];

    if (!end || *end)
        return false;
    *day = day_of(timegm(&tm));
    day_text(again, *day);
    return strcmp(again, text) == 0;
}

/* ---- hashes ---- */

struct part {
    const void *data;
    size_t len;
};

#define LITERAL(text)           ((struct part){(text), sizeof(text) - 1})
#define HASH_PARTS(hash, parts) hash_parts((hash), (parts), sizeof(parts) / sizeof *(parts))

static void hash_parts(uint8_t hash[HASH_LEN], const struct part *parts, size_t count)
{
    struct sha256 state;

    sha256_begin(&state);
    for (size_t i = 0; i < count; i++)
        sha256_add(&state, parts[i].data, parts[i].len);
    sha256_end(&state, hash);
}

void entry_withdraw_secret(uint8_t s[HASH_LEN], const uint8_t seed[SEED_LEN])
{
    const struct part parts[] = {LITERAL("petition-withdraw-seed/v1\n"), {seed, SEED_LEN}};

    HASH_PARTS(s, parts);
}

void entry_withdraw_hash(uint8_t w[HASH_LEN], const uint8_t s[HASH_LEN])
{
    const struct part parts[] = {LITERAL("petition-withdraw/v1\n"), {s, HASH_LEN}};

    HASH_PARTS(w, parts);
}

void entry_contact_hash(uint8_t ch[HASH_LEN], const uint8_t r2[HASH_LEN], const char *canonical)
{
    const struct part parts[] = {LITERAL("petition-contact/v1\n"),
                                 {r2, HASH_LEN},
                                 {canonical, strlen(canonical)}};

    HASH_PARTS(ch, parts);
}

void entry_commitment(uint8_t c[HASH_LEN], const uint8_t g[HASH_LEN],
                      const uint8_t opening[OPENING_LEN], const struct buf *fields)
{
    const struct part parts[] = {LITERAL("petition-sign/v1\n"),
                                 {g, HASH_LEN},
                                 {opening, OPENING_LEN},
                                 {fields->data, fields->len}};

    assert(buf_ok(fields));
    HASH_PARTS(c, parts);
}

/* ---- writing ---- */

void entry_fields(struct buf *out, const struct fields *f)
{
    char day[11];

    day_text(day, f->day);
    buf_adds(out, "{\"name\":");
    buf_json(out, f->name);
    buf_adds(out, ",\"country\":");
    buf_json(out, f->country);
    buf_adds(out, ",\"text\":");
    buf_int(out, f->text);
    buf_adds(out, ",\"day\":\"");
    buf_adds(out, day);
    buf_adds(out, "\",\"visibility\":\"");
    buf_adds(out, visibility_names[f->visibility]);
    buf_adds(out, "\"}");
}

static void add_text_hashes(struct buf *out, uint8_t text_hashes[3][HASH_LEN],
                            const uint8_t addressees[HASH_LEN])
{
    static const char *const before[3] = {TEXT_EN, TEXT_FR, TEXT_KM};

    for (size_t i = 0; i < 3; i++) {
        buf_adds(out, before[i]);
        buf_hex(out, text_hashes[i], HASH_LEN);
    }
    buf_adds(out, ADDRESSEES);
    buf_hex(out, addressees, HASH_LEN);
}

void entry_open(struct buf *out, const char *origin, uint8_t text_hashes[3][HASH_LEN],
                const uint8_t addressees[HASH_LEN], const uint8_t seal_key[32])
{
    buf_adds(out, OPEN_HEAD);
    buf_json(out, origin);
    buf_adds(out, PETITION);
    add_text_hashes(out, text_hashes, addressees);
    buf_adds(out, SEAL_KEY);
    buf_base64(out, seal_key, 32);
    buf_adds(out, TAIL);
}

void entry_text(struct buf *out, uint8_t text_hashes[3][HASH_LEN],
                const uint8_t addressees[HASH_LEN])
{
    buf_adds(out, TEXT_HEAD);
    add_text_hashes(out, text_hashes, addressees);
    buf_adds(out, TAIL);
}

void entry_sign(struct buf *out, const uint8_t c[HASH_LEN], const uint8_t w[HASH_LEN])
{
    buf_adds(out, SIGN_HEAD);
    buf_base64(out, c, HASH_LEN);
    buf_adds(out, SIGN_W);
    buf_base64(out, w, HASH_LEN);
    buf_adds(out, TAIL);
}

void entry_wd(struct buf *out, int64_t index, const uint8_t s[HASH_LEN])
{
    buf_printf(out, WD_HEAD "%" PRId64 WD_S, index);
    buf_base64(out, s, HASH_LEN);
    buf_adds(out, TAIL);
}

void entry_void(struct buf *out, int64_t index, enum void_why why)
{
    buf_printf(out, VOID_HEAD "%" PRId64 VOID_WHY "%s" TAIL, index, void_why_names[why]);
}

void entry_dlv(struct buf *out, const struct dlv_entry *d)
{
    buf_printf(out, "{\"v\":1,\"t\":\"dlv\",\"n\":%" PRId64 ",\"size\":%" PRId64 ",\"manifests\":[",
               d->n, d->size);
    for (int i = 0; i < ENTRY_MANIFESTS; i++) {
        buf_adds(out, i > 0 ? ",\"" : "\"");
        buf_hex(out, d->manifests[i], HASH_LEN);
        buf_addc(out, '"');
    }
    buf_adds(out, "]}");
}

void entry_close(struct buf *out, const struct closing_figures *f)
{
    buf_printf(out,
               "{\"v\":1,\"t\":\"close\",\"sign\":%" PRIu64 ",\"wd\":%" PRIu64 ",\"void\":%" PRIu64
               ",\"repeats\":%" PRIu64 "}",
               f->sign, f->withdrawn, f->removed, f->repeats);
}

/* ---- reading ---- */

static bool is_origin_char(char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '\\';
}

static bool take_origin(struct cursor *c, char *out, size_t out_size)
{
    size_t len = 0;

    if (!take_literal(c, "\""))
        return false;
    while (c->at < c->end && is_origin_char(*c->at)) {
        if (len + 1 == out_size)
            return false;
        out[len++] = *c->at++;
    }
    out[len] = '\0';
    return len > 0 && take_literal(c, "\"");
}

static bool take_text_hashes(struct cursor *c, struct opening_entry *out)
{
    return take_literal(c, TEXT_EN) && take_hex(c, out->text_hashes[0]) &&
           take_literal(c, TEXT_FR) && take_hex(c, out->text_hashes[1]) &&
           take_literal(c, TEXT_KM) && take_hex(c, out->text_hashes[2]) &&
           take_literal(c, ADDRESSEES) && take_hex(c, out->addressees);
}

static bool take_tail(struct cursor *c)
{
    return take_literal(c, TAIL) && take_end(c);
}

int entry_sign_w(uint8_t w[HASH_LEN], const char *body, size_t len)
{
    struct cursor c = {body, body + len};
    uint8_t commitment[HASH_LEN];

    return take_literal(&c, SIGN_HEAD) && take_base64(&c, commitment) && take_literal(&c, SIGN_W) &&
                   take_base64(&c, w) && take_tail(&c)
               ? 0
               : -1;
}

int entry_parse_open(struct opening_entry *out, const char *body, size_t len)
{
    struct cursor c = {body, body + len};

    *out = (struct opening_entry){.origin = ""};
    return take_literal(&c, OPEN_HEAD) && take_origin(&c, out->origin, sizeof out->origin) &&
                   take_literal(&c, PETITION) && take_text_hashes(&c, out) &&
                   take_literal(&c, SEAL_KEY) && take_base64(&c, out->seal_key) && take_tail(&c)
               ? 0
               : -1;
}

int entry_parse_text(struct opening_entry *out, const char *body, size_t len)
{
    struct cursor c = {body, body + len};

    *out = (struct opening_entry){.origin = ""};
    return take_literal(&c, TEXT_HEAD) && take_text_hashes(&c, out) && take_tail(&c) ? 0 : -1;
}

/* ---- codes ---- */

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The value of a digit as people write it, or -1. */
static int digit_value(char c)
{
    const char *found;

    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == 'O')
        c = '0';
    if (c == 'I' || c == 'L')
        c = '1';
    found = strchr(crockford, c);
    return found ? (int)(found - crockford) : -1;
}

/* The i-th group of 5 bits, most significant first; bits beyond the end are zero. */
static uint8_t five_bits(const uint8_t *bytes, size_t len, size_t i)
{
    size_t byte = 5 * i / 8, shift = 11 - 5 * i % 8;
    unsigned window = (unsigned)bytes[byte] << 8 | (byte + 1 < len ? bytes[byte + 1] : 0U);

    return (uint8_t)(window >> shift & 31);
}

/* Source: https://en.wikipedia.org/wiki/Luhn_mod_N_algorithm with N = 32. To make the check digit
 * start with factor 2, to test a number that includes it with factor 1. */
static unsigned luhn_sum(const uint8_t *digits, size_t count, unsigned factor)
{
    unsigned sum = 0;

    while (count > 0) {
        unsigned addend = factor * digits[--count];

        sum += addend / 32 + addend % 32;
        factor = 3 - factor;
    }
    return sum % 32;
}

void entry_withdraw_code(char out[CODE_MAX], int64_t index, const uint8_t seed[SEED_LEN])
{
    uint8_t digits[CODE_DIGITS];
    char text[CODE_DIGITS + 1] = "";

    assert(index >= 0 && index <= INDEX_MAX);
    for (size_t i = 0; i < CODE_DIGITS - 1; i++)
        digits[i] = five_bits(seed, SEED_LEN, i);
    digits[CODE_DIGITS - 1] = (uint8_t)((32 - luhn_sum(digits, CODE_DIGITS - 1, 2)) % 32);
    for (size_t i = 0; i < CODE_DIGITS; i++)
        text[i] = crockford[digits[i]];
    snprintf(out, CODE_MAX, "%" PRId64 "-%s", index, text);
    sodium_memzero(digits, sizeof digits);
    sodium_memzero(text, sizeof text);
}

static void print_short_code(char out[CODE_MAX], int64_t index, const char text[SHORT_DIGITS + 1])
{
    snprintf(out, CODE_MAX, "%" PRId64 "-%.4s-%s", index, text, text + 4);
}

void entry_short_code(char out[CODE_MAX], int64_t index, const uint8_t leaf[HASH_LEN])
{
    char text[SHORT_DIGITS + 1] = "";

    for (size_t i = 0; i < SHORT_DIGITS; i++)
        text[i] = crockford[five_bits(leaf, HASH_LEN, i)];
    print_short_code(out, index, text);
}

/* A code in digits, split into its two parts. */
struct code {
    uint8_t digits[INDEX_DIGITS_MAX + CODE_DIGITS];
    size_t count, index_count;
};

/* The index ends at the first hyphen; without one, the last `rest` digits are the rest. */
static bool read_code(struct code *c, const char *code, size_t rest)
{
    bool split = false;

    for (; *code; code++) {
        int value;

        if (strchr(" \t\r\n", *code))
            continue;
        if (*code == '-') {
            c->index_count = split ? c->index_count : c->count;
            split = true;
            continue;
        }
        value = digit_value(*code);
        if (value < 0 || c->count == sizeof c->digits)
            return false;
        c->digits[c->count++] = (uint8_t)value;
    }
    if (!split && c->count > rest)
        c->index_count = c->count - rest;
    return c->index_count > 0 && c->index_count <= INDEX_DIGITS_MAX &&
           c->count - c->index_count == rest;
}

/* Decimal without leading zeros; false above INDEX_MAX. */
static bool read_index(int64_t *index, const struct code *c)
{
    int64_t n = 0;

    for (size_t i = 0; i < c->index_count; i++) {
        if (c->digits[i] > 9)
            return false;
        n = 10 * n + c->digits[i];
    }
    *index = n;
    return n <= INDEX_MAX && (c->digits[0] != 0 || c->index_count == 1);
}

/* False if the check digit or the padding bits are wrong. */
static bool read_seed(uint8_t seed[SEED_LEN], const uint8_t digits[CODE_DIGITS])
{
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t len = 0;

    if (luhn_sum(digits, CODE_DIGITS, 1) != 0 || (digits[CODE_DIGITS - 2] & 3) != 0)
        return false;
    for (size_t i = 0; i < CODE_DIGITS - 1; i++) {
        bits = bits << 5 | digits[i];
        bit_count += 5;
        if (bit_count >= 8) {
            bit_count -= 8;
            seed[len++] = (uint8_t)(bits >> bit_count);
        }
    }
    return true;
}

int entry_parse_withdraw_code(int64_t *index, uint8_t seed[SEED_LEN], const char *code)
{
    struct code c = {.count = 0};
    bool ok = false;

    if (read_code(&c, code, CODE_DIGITS) && read_index(index, &c))
        ok = read_seed(seed, c.digits + c.index_count);
    sodium_memzero(&c, sizeof c);
    return ok ? 0 : -1;
}

int entry_parse_short_code(int64_t *index, char plain[CODE_MAX], const char *code)
{
    struct code c = {.count = 0};
    char text[SHORT_DIGITS + 1] = "";

    if (!read_code(&c, code, SHORT_DIGITS) || !read_index(index, &c))
        return -1;
    for (size_t i = 0; i < SHORT_DIGITS; i++)
        text[i] = crockford[c.digits[c.index_count + i]];
    print_short_code(plain, *index, text);
    return 0;
}
