/*
 * Fuzzes the canonical contact: whatever is typed, an accepted contact is its own canonical form,
 * wherever one says to be. The first byte chooses the country.
 *
 *   clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iserver tests/fuzz/fuzz_contact.c \
 *       server/buf.c server/input.c server/identity.c -lcjson -lsodium -lutf8proc -lidn2 \
 *       -o fuzz_contact && ./fuzz_contact tests/fuzz/corpus/contact
 */
#include "identity.h"

#include "input.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct phone_plan plans[] = {
    {"KH", "855", "0", {8, 9, 10}, 3},   {"FR", "33", "0", {9}, 1},
    {"IT", "39", "", {6, 8, 10, 12}, 4}, {"DK", "45", "", {8}, 1},
    {"US", "1", "1", {10}, 1},           {"BS", "1", "1", {10}, 1},
    {"RU", "7", "8", {10, 14}, 2},       {"KZ", "7", "8", {10, 14}, 2},
    {"GB", "44", "0", {7, 9, 10}, 3},    {"IM", "44", "0", {10}, 1},
    {"HU", "36", "06", {8, 9}, 2},       {"BY", "375", "80", {9}, 1},
    {"XA", "999", "0", {0}, 0},          {"AQ", NULL, "", {0}, 0},
};
static const size_t plan_count = sizeof plans / sizeof *plans;

static const char mail_rules[] =
    "gmail.com plus,dots gmail.com\ngooglemail.com plus,dots gmail.com\n"
    "a.b plus,dash,dots a.b\nxn--bcher-kva.example plus a.c\n"
    "a.c plus a.c\n";

static void check(const struct identity *id, const char *typed, const char *country)
{
    struct contact first, again;

    if (identity_contact(id, &first, typed, country) != CONTACT_OK) {
        if (first.kind || first.canonical[0])
            abort();
        return;
    }
    for (size_t i = 0; i < plan_count; i++)
        if (identity_contact(id, &again, first.canonical, plans[i].code) != CONTACT_OK ||
            again.kind != first.kind || strcmp(again.canonical, first.canonical) != 0)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct identity *id;
    char typed[1024];

    if (!id) {
        uint8_t pepper[PEPPER_LEN] = {0};
        struct buf err;

        buf_init(&err, BUF_UNLIMITED);
        id = identity_new(pepper, plans, plan_count, mail_rules, &err);
    }
    if (!id || size == 0 || size > sizeof typed || !input_is_utf8((const char *)data + 1, size - 1))
        return 0;
    memcpy(typed, data + 1, size - 1);
    typed[size - 1] = '\0';
    check(id, typed, plans[data[0] % plan_count].code);
    return 0;
}
