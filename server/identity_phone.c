/*
 * identity_phone: phone numbers as they are dialled, to E.164 (see identity.h). Any thread.
 */
#include "identity_internal.h"

#include "input.h"

#include <sodium.h>
#include <string.h>
#include <utf8proc.h>

#define PHONE_MIN_DIGITS 7
#define PHONE_MAX_DIGITS 15 /* E.164 */
#define ANY_LENGTH_MIN   4  /* for a plan that lists no lengths */
#define ANY_LENGTH_MAX   14
#define NOT_A_DIGIT      (-1)

struct dialled {
    bool international; /* it began with + or 00, which are not among the digits */
    size_t len;
    size_t optional_zero; /* index of the zero of a "(0)" that is not the first digit, or 0 */
    char digits[CONTACT_MAX_BYTES + 1]; /* ASCII */
};

/* Value of a decimal digit of any script. Each script has its ten in a row from zero, but
 * neighbours may follow without a gap. */
static int digit_value(uint32_t point)
{
    utf8proc_int32_t first = (utf8proc_int32_t)point;

    if (utf8proc_category(first) != UTF8PROC_CATEGORY_ND)
        return NOT_A_DIGIT;
    while (utf8proc_category(first - 1) == UTF8PROC_CATEGORY_ND)
        first--;
    return ((utf8proc_int32_t)point - first) % 10;
}

static bool is_plus(uint32_t point)
{
    return point == '+' || point == 0xFF0B || point == 0xFE62;
}

/* What people put between digits: spaces, dashes, brackets, full stops, slashes, middle dots, also
 * in their East Asian forms, and the joiners that input_clean_line leaves. */
static bool is_separator(uint32_t point)
{
    static const uint32_t others[] = {'(',    ')',    '[',    ']',    '.',    '/',    0x00B7,
                                      0x200C, 0x200D, 0x2022, 0x2027, 0x2043, 0x2044, 0x2212,
                                      0x2215, 0x2219, 0x30FB, 0x30FC, 0xFF08, 0xFF09, 0xFF0E,
                                      0xFF0F, 0xFF3B, 0xFF3D, 0xFF65, 0xFF70};
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (point == others[i])
            return true;
    return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_PD;
}

static void drop_digits(struct dialled *d, size_t at, size_t count)
{
    d->len -= count;
    memmove(d->digits + at, d->digits + at + count, d->len - at + 1);
}

/* Takes the digits out of the text; false if it has anything that no phone number has. */
static bool read_digits(struct dialled *d, const char *text)
{
    uint32_t point, before = 0;

    *d = (struct dialled){.len = 0};
    for (; *text; before = point) {
        int value;

        point = input_next_code_point(&text);
        value = digit_value(point);
        if (value != NOT_A_DIGIT) {
            if (value == 0 && before == '(' && *text == ')')
                d->optional_zero = d->len;
            d->digits[d->len++] = (char)('0' + value);
        } else if (is_plus(point)) {
            if (d->international || d->len > 0)
                return false;
            d->international = true;
        } else if (!is_separator(point)) {
            return false;
        }
    }
    return d->len > 0;
}

static bool is_possible(const struct phone_plan *plan, size_t len)
{
    if (plan->length_count == 0)
        return len >= ANY_LENGTH_MIN && len <= ANY_LENGTH_MAX;
    for (size_t i = 0; i < plan->length_count; i++)
        if (plan->lengths[i] == len)
            return true;
    return false;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Finishes with the digits behind the calling code: drops the trunk prefix and checks the length.
 * No number begins with the zero that is its trunk prefix, but with an 8 or a 1 one may: those go
 * only if the number is impossible with them. False if it is no number of this plan. */
static bool complete(struct contact *out, const struct phone_plan *plan, const char *national)
{
    size_t trunk_len = strlen(plan->trunk), len = strlen(national), calling_len;

    if (plan->trunk[0] == '0') {
        for (; starts_with(national, plan->trunk); len -= trunk_len)
            national += trunk_len;
    } else if (starts_with(national, plan->trunk) && !is_possible(plan, len)) {
        len -= trunk_len;
        national += trunk_len;
    }
    calling_len = strlen(plan->calling);
    if (!is_possible(plan, len) || calling_len + len < PHONE_MIN_DIGITS ||
        calling_len + len > PHONE_MAX_DIGITS)
        return false;
    out->kind = 'p';
    out->canonical[0] = '+';
    memcpy(out->canonical + 1, plan->calling, calling_len);
    memcpy(out->canonical + 1 + calling_len, national, len + 1);
    return true;
}

/* A number with its calling code. Countries may share one; the longest that fits counts. */
static bool complete_international(const struct phone_plan *plans, size_t count,
                                   struct contact *out, const char *digits)
{
    const struct phone_plan *plan, *end = plans + count;
    size_t longest = 0;

    for (plan = plans; plan < end; plan++)
        if (plan->calling && starts_with(digits, plan->calling) && strlen(plan->calling) > longest)
            longest = strlen(plan->calling);
    for (plan = plans; plan < end && longest > 0; plan++)
        if (plan->calling && starts_with(digits, plan->calling) &&
            strlen(plan->calling) == longest && complete(out, plan, digits + longest))
            return true;
    return false;
}

/* A number as dialled inside the country, or with its calling code but without the plus. */
static bool complete_local(const struct phone_plan *plans, size_t count, struct contact *out,
                           const char *digits, const char *country)
{
    const struct phone_plan *plan = plans, *end = plans + count;

    while (plan < end && strcmp(plan->code, country) != 0)
        plan++;
    if (plan == end || !plan->calling)
        return false;
    return complete(out, plan, digits) || (starts_with(digits, plan->calling) &&
                                           complete(out, plan, digits + strlen(plan->calling)));
}

enum contact_reason identity_phone(const struct phone_plan *plans, size_t count,
                                   struct contact *out, const char *text, const char *country)
{
    struct dialled d;
    bool found = false;

    if (!read_digits(&d, text)) {
        sodium_memzero(&d, sizeof d);
        return CONTACT_UNRECOGNISED;
    }
    if (!d.international && starts_with(d.digits, "00")) {
        drop_digits(&d, 0, 2);
        d.international = true;
        d.optional_zero = d.optional_zero > 2 ? d.optional_zero - 2 : 0;
    }
    if (!d.international) {
        found = complete_local(plans, count, out, d.digits, country);
    } else {
        found = complete_international(plans, count, out, d.digits);
        if (!found && d.optional_zero > 0) {
            drop_digits(&d, d.optional_zero, 1);
            found = complete_international(plans, count, out, d.digits);
        }
    }
    sodium_memzero(&d, sizeof d);
    return found ? CONTACT_OK : CONTACT_BAD_PHONE;
}
