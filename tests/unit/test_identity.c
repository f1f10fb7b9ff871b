/*
 * Tests of identity: which spellings are the same person, and which are nobody.
 *
 * They read the two data files that the service ships, public/countries.json and
 * public/mail-domains.conf, so the working directory is the root of the repository.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "identity.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table)   (sizeof(table) / sizeof *(table))
#define DATA_MAX_BYTES (4u << 20)
#define PLANS_MAX      300

static const uint8_t pepper[PEPPER_LEN] = "an example pepper of 32 bytes..";

static cJSON *countries; /* the plans point into it */
static struct phone_plan plans[PLANS_MAX];
static size_t plan_count;
static struct buf mail_rules;
static struct identity *identity;

static const char *text_of(const cJSON *country, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(country, name));
}

static void load_plan(struct phone_plan *plan, const cJSON *country)
{
    const cJSON *length;

    memcpy(plan->code, text_of(country, "code"), sizeof plan->code);
    plan->calling = text_of(country, "calling");
    plan->trunk = text_of(country, "trunk");
    cJSON_ArrayForEach(length, cJSON_GetObjectItemCaseSensitive(country, "lengths"))
    {
        assert_true(plan->length_count < PHONE_LENGTHS_MAX);
        plan->lengths[plan->length_count++] = (uint8_t)length->valueint;
    }
}

static int load(void **state)
{
    const cJSON *country;
    struct buf text, err;

    (void)state;
    buf_init(&text, DATA_MAX_BYTES);
    buf_init(&mail_rules, DATA_MAX_BYTES);
    buf_init(&err, DATA_MAX_BYTES);
    if (buf_read_file(&text, "public/countries.json") != 0 ||
        buf_read_file(&mail_rules, "public/mail-domains.conf") != 0)
        return -1;
    countries = cJSON_Parse(text.data);
    cJSON_ArrayForEach(country, cJSON_GetObjectItemCaseSensitive(countries, "countries"))
    {
        assert_true(plan_count < PLANS_MAX);
        load_plan(&plans[plan_count++], country);
    }
    identity = identity_new(pepper, plans, plan_count, mail_rules.data, &err);
    buf_release(&text);
    buf_release(&err);
    return identity && plan_count > 200 ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    identity_free(identity);
    buf_release(&mail_rules);
    cJSON_Delete(countries);
    return 0;
}

/* What is typed, the country chosen, and the canonical contact or, if that is NULL, the reason. */
struct spelling {
    const char *typed, *country, *canonical;
    enum contact_reason reason;
    int line;
};

static void check_spellings(const struct spelling *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct spelling *s = &cases[i];
        struct contact c, again;
        enum contact_reason reason = identity_contact(identity, &c, s->typed, s->country);

        if (reason != s->reason)
            fail_msg("line %d: reason %d instead of %d, \"%s\"", s->line, (int)reason,
                     (int)s->reason, c.canonical);
        if (reason != CONTACT_OK) {
            assert_int_equal(c.kind, 0);
            assert_string_equal(c.canonical, "");
            continue;
        }
        if (strcmp(c.canonical, s->canonical) != 0)
            fail_msg("line %d: \"%s\" instead of \"%s\"", s->line, c.canonical, s->canonical);
        assert_int_equal(c.kind, strchr(s->canonical, '@') ? 'e' : 'p');
        if (identity_contact(identity, &again, c.canonical, "") != CONTACT_OK ||
            again.kind != c.kind || strcmp(again.canonical, c.canonical) != 0)
            fail_msg("line %d: \"%s\" is not its own canonical form", s->line, c.canonical);
    }
}

#define SAME(typed, country, canonical)                                                            \
    {                                                                                              \
        typed, country, canonical, CONTACT_OK, __LINE__                                            \
    }
#define REFUSED(typed, country, reason)                                                            \
    {                                                                                              \
        typed, country, NULL, reason, __LINE__                                                     \
    }

#define A10  "aaaaaaaaaa"
#define A60  A10 A10 A10 A10 A10 A10
#define A63  A60 "aaa"
#define A253 A63 "." A63 "." A63 "." A60 "a"
#define U5   "ü.ü.ü.ü.ü."

static void spellings_of_an_address_are_one_person(void **state)
{
    static const struct spelling cases[] = {
        /* Case and space */
        SAME("sok.dara@example.org", "", "sok.dara@example.org"),
        SAME("  Sok.Dara@Example.ORG \t", "KH", "sok.dara@example.org"),
        SAME("\u00A0sok.dara@example.org\u3000\r\n", "", "sok.dara@example.org"),
        SAME("ÉLODIE@example.fr", "", "élodie@example.fr"),
        SAME("E\u0301lodie@example.fr", "", "élodie@example.fr"), /* combining accent */
        SAME("ДАРА@example.ru", "", "дара@example.ru"),
        SAME("ΣΊΣΥΦΟΣ@example.gr", "", "σίσυφοσ@example.gr"),
        SAME("J\u030Can@example.org", "", "ǰan@example.org"),  /* composes in lower case only */
        SAME("\u212Aent@example.org", "", "kent@example.org"), /* Kelvin sign */
        SAME("İlke@example.org", "", "ilke@example.org"),
        SAME("straße@example.org", "", "straße@example.org"),
        SAME("strasse@example.org", "", "strasse@example.org"), /* somebody else */

        /* Compatibility forms */
        SAME("ｓｏｋ＠ｅｘａｍｐｌｅ．ｏｒｇ", "", "sok@example.org"),
        SAME("sok\uFE6Bexample.org", "", "sok@example.org"), /* small commercial at */
        SAME("oﬃce@example.org", "", "office@example.org"),
        SAME("ﬁn@ﬁrma.example", "", "fin@firma.example"),
        SAME("①②@example.org", "", "12@example.org"),
        SAME("㎅@example.org", "", "kb@example.org"), /* upper case only once decomposed */

        /* Pasted invisibles */
        SAME("\uFEFFsok@example.org", "", "sok@example.org"),
        SAME("sok\u200B@exam\u00ADple.org", "", "sok@example.org"),
        SAME("\u202Asok@example.org\u202C", "", "sok@example.org"),
        SAME("sok\u2060@\u200Dexample.org", "", "sok@example.org"),

        /* Khmer and other scripts before the @ */
        SAME("សុខ@example.org", "KH", "សុខ@example.org"),
        SAME("用户@example.org", "", "用户@example.org"),

        /* International domains, as typed and as A-labels */
        SAME("info@bücher.example", "", "info@xn--bcher-kva.example"),
        SAME("info@BÜCHER.example", "", "info@xn--bcher-kva.example"),
        SAME("info@bu\u0308cher.example", "", "info@xn--bcher-kva.example"),
        SAME("info@xn--bcher-kva.example", "", "info@xn--bcher-kva.example"),
        SAME("info@XN--BCHER-KVA.Example", "", "info@xn--bcher-kva.example"),
        SAME("info@straße.de", "", "info@xn--strae-oqa.de"), /* not strasse.de: another domain */
        SAME("info@xn--strae-oqa.de", "", "info@xn--strae-oqa.de"),
        SAME("info@strasse.de", "", "info@strasse.de"),
        SAME("info@ខ្មែរ.com", "KH", "info@xn--j2e0cg3n2c.com"),
        SAME("info@例え。テスト", "", "info@xn--r8jz45g.xn--zckzah"), /* ideographic full stop */
        SAME("info@例え.テスト.", "", "info@xn--r8jz45g.xn--zckzah"),
        SAME("info@пример.рф", "", "info@xn--e1afmkfd.xn--p1ai"),

        /* What stays as it is */
        SAME("info@example.org.", "", "info@example.org"), /* the root dot */
        SAME("o'brien!#$%&*/=?^_`{|}~-@example.org", "", "o'brien!#$%&*/=?^_`{|}~-@example.org"),
        SAME("a+b@example.org", "", "a+b@example.org"),       /* no rule for this domain */
        SAME("a.b@mail.gmail.com", "", "a.b@mail.gmail.com"), /* nor for a subdomain */
        SAME("a-b@yahoo.com", "", "a-b@yahoo.com"),
        SAME("a@1.2.3.4.example", "", "a@1.2.3.4.example"),
        SAME("a@r3--x.example", "", "a@r3--x.example"),
        SAME(A60 "aaaa@example.org", "", A60 "aaaa@example.org"),
        SAME("a@" A63 ".org", "", "a@" A63 ".org"),

        /* Providers */
        SAME("sokdara@gmail.com", "", "sokdara@gmail.com"),
        SAME("Sok.Dara@gmail.com", "", "sokdara@gmail.com"),
        SAME("s.o.k.d.a.r.a@gmail.com", "", "sokdara@gmail.com"),
        SAME("sokdara+petition@gmail.com", "", "sokdara@gmail.com"),
        SAME("sok.dara+a+b@googlemail.com", "", "sokdara@gmail.com"),
        SAME("sokdara.+x@gmail.com", "", "sokdara@gmail.com"),
        SAME("ｓｏｋ.dara@ｇｍａｉｌ.com", "", "sokdara@gmail.com"),
        SAME("g.\u0301+x@gmail.com", "", "g.\u0301@gmail.com"), /* undotted, they would compose */
        SAME("dara+x@icloud.com", "", "dara@icloud.com"),
        SAME("dara@me.com", "", "dara@icloud.com"),
        SAME("Dara+1@mac.com", "", "dara@icloud.com"),
        SAME("d.ara@icloud.com", "", "d.ara@icloud.com"), /* Apple's dots count */
        SAME("dara@proton.me", "", "dara@proton.me"),
        SAME("d.ara+x@protonmail.com", "", "dara@proton.me"),
        SAME("dara@pm.me", "", "dara@proton.me"),
        SAME("dara+x@protonmail.ch", "", "dara@proton.me"),
        SAME("dara+x@outlook.com", "", "dara@outlook.com"),
        SAME("dara+x@hotmail.fr", "", "dara@hotmail.fr"),
        SAME("dara@live.com", "", "dara@live.com"), /* two Microsoft domains, two people */
        SAME("d.ara+x@fastmail.com", "", "d.ara@fastmail.com"),
        SAME("dara+x@yandex.com", "", "dara@yandex.ru"),
    };

    (void)state;
    check_spellings(cases, COUNT(cases));
}

static void spellings_of_a_number_are_one_person(void **state)
{
    static const struct spelling cases[] = {
        /* Cambodia */
        SAME("012 345 678", "KH", "+85512345678"),
        SAME("012345678", "KH", "+85512345678"),
        SAME("12 345 678", "KH", "+85512345678"),
        SAME("(012) 345-678", "KH", "+85512345678"),
        SAME("012.345.678", "KH", "+85512345678"),
        SAME("+85512345678", "KH", "+85512345678"),
        SAME("+855 12 345 678", "", "+85512345678"),
        SAME("+855 12 345 678", "FR", "+85512345678"),
        SAME("+855 012 345 678", "KH", "+85512345678"),
        SAME("+855 (0)12 345 678", "KH", "+85512345678"),
        SAME("+855(0) 12 345 678", "US", "+85512345678"),
        SAME("(+855) 12 345 678", "KH", "+85512345678"),
        SAME("00855 12 345 678", "KH", "+85512345678"),
        SAME("00 855 (0)12 345 678", "TH", "+85512345678"),
        SAME("85512345678", "KH", "+85512345678"),
        SAME("855 012 345 678", "KH", "+85512345678"),
        SAME("097 123 4567", "KH", "+855971234567"), /* nine digits */
        SAME("+855 97 123 4567", "", "+855971234567"),

        /* Digits and signs of other scripts */
        SAME("០១២ ៣៤៥ ៦៧៨", "KH", "+85512345678"),
        SAME("+៨៥៥ ១២ ៣៤៥ ៦៧៨", "", "+85512345678"),
        SAME("០១២ 345 ៦៧៨", "KH", "+85512345678"),
        SAME("០១២\u200B៣៤៥\u200B៦៧៨", "KH", "+85512345678"),
        SAME("＋８５５　１２　３４５　６７８", "", "+85512345678"),
        SAME("０１２－３４５－６７８", "KH", "+85512345678"),
        SAME("（０１２）３４５ー６７８", "KH", "+85512345678"),
        SAME("+٨٥٥ ١٢ ٣٤٥ ٦٧٨", "", "+85512345678"),
        SAME("+۸۵۵ ۱۲ ۳۴۵ ۶۷۸", "", "+85512345678"),
        SAME("๐๘๑ ๒๓๔ ๕๖๗๘", "TH", "+66812345678"),
        SAME("໐໒໐ ໕໕໑໒ ໓໔໕໖", "LA", "+8562055123456"),
        SAME("०१२ ३४५ ६७८", "KH", "+85512345678"),
        SAME("၀၁၂ ၃၄၅ ၆၇၈", "KH", "+85512345678"),
        SAME("𝟎𝟏𝟐 𝟛𝟜𝟝 𝟼𝟽𝟾", "KH", "+85512345678"),

        /* Separators, typed and pasted */
        SAME("012\u00A0345\u202F678", "KH", "+85512345678"),
        SAME("012\u2011345\u2013678", "KH", "+85512345678"),
        SAME("012\u2014345\u2212678", "KH", "+85512345678"),
        SAME("[012]·345•/678", "KH", "+85512345678"),
        SAME("\u202A+855 12 345 678\u202C", "", "+85512345678"), /* from an address book */
        SAME("012\t345\n678", "KH", "+85512345678"),
        SAME("012\u200D345\u200C678", "KH", "+85512345678"),

        /* France */
        SAME("06 12 34 56 78", "FR", "+33612345678"),
        SAME("+33 6 12 34 56 78", "", "+33612345678"),
        SAME("+33 (0)6 12 34 56 78", "", "+33612345678"),
        SAME("0033612345678", "KH", "+33612345678"),
        SAME("33612345678", "FR", "+33612345678"),
        SAME("0690 12 34 56", "GP", "+590690123456"),
        SAME("+590 690 12 34 56", "FR", "+590690123456"),

        /* Italy and the Vatican keep the zero */
        SAME("06 6982 1234", "IT", "+390669821234"),
        SAME("+39 06 6982 1234", "", "+390669821234"),
        SAME("0039 06 6982 1234", "FR", "+390669821234"),
        SAME("+39 (0)6 6982 1234", "", "+390669821234"),
        SAME("06 6982 1234", "VA", "+390669821234"),
        SAME("347 123 4567", "IT", "+393471234567"),
        SAME("+225 07 01 02 03 04", "", "+2250701020304"), /* Ivory Coast does too */

        /* United Kingdom and neighbours under its code */
        SAME("020 7946 0000", "GB", "+442079460000"),
        SAME("+44 (0)20 7946 0000", "", "+442079460000"),
        SAME("01534 123456", "JE", "+441534123456"),
        SAME("+44 1534 123456", "US", "+441534123456"),

        /* North America */
        SAME("212-555-0123", "US", "+12125550123"),
        SAME("(212) 555-0123", "US", "+12125550123"),
        SAME("1-212-555-0123", "US", "+12125550123"),
        SAME("+1 (212) 555-0123", "", "+12125550123"),
        SAME("+1 1 212 555 0123", "", "+12125550123"),
        SAME("001 212 555 0123", "FR", "+12125550123"),
        SAME("212.555.0123", "CA", "+12125550123"),
        SAME("+1 242 555 0123", "KH", "+12425550123"), /* the Bahamas */

        /* A trunk prefix that is no zero goes only if it must */
        SAME("8 (912) 345-67-89", "RU", "+79123456789"),
        SAME("+7 912 345-67-89", "", "+79123456789"),
        SAME("+7 8 912 345 67 89", "", "+79123456789"),
        SAME("7 912 345 67 89", "RU", "+79123456789"),
        SAME("812 345 67 89", "RU", "+78123456789"),
        SAME("8 701 123 45 67", "KZ", "+77011234567"),
        SAME("06 20 123 4567", "HU", "+36201234567"),
        SAME("+36 06 20 123 4567", "", "+36201234567"),
        SAME("20 123 4567", "HU", "+36201234567"),
        SAME("8 029 123-45-67", "BY", "+375291234567"),

        /* Elsewhere */
        SAME("081 234 5678", "TH", "+66812345678"),
        SAME("+66 (0) 81 234 5678", "", "+66812345678"),
        SAME("0912 345 678", "VN", "+84912345678"),
        SAME("0151 12345678", "DE", "+4915112345678"),
        SAME("+49 (0)151/12345678", "", "+4915112345678"),
        SAME("079 123 45 67", "CH", "+41791234567"),
        SAME("0412 345 678", "AU", "+61412345678"),
        SAME("040 1234567", "AX", "+358401234567"),
        SAME("090-1234-5678", "JP", "+819012345678"),
        SAME("+45 (0)32 12 34 56", "", "+4532123456"), /* Denmark has no trunk prefix at all */
        SAME("00 45 (0)32 12 34 56", "", "+4532123456"),
    };

    (void)state;
    check_spellings(cases, COUNT(cases));
}

static void what_is_nobody_is_refused_with_its_reason(void **state)
{
    static const struct spelling cases[] = {
        REFUSED("", "KH", CONTACT_MISSING),
        REFUSED(" \t\r\n\u00A0\u3000", "KH", CONTACT_MISSING),
        REFUSED("\u200B\uFEFF\u202A", "KH", CONTACT_MISSING),

        REFUSED(A253 "aa", "KH", CONTACT_TOO_LONG),
        REFUSED("a@" A253, "KH", CONTACT_TOO_LONG),
        REFUSED(A253 "a", "KH", CONTACT_UNRECOGNISED), /* 254 bytes are read */
        REFUSED("  " A253 "a  ", "KH", CONTACT_UNRECOGNISED),

        REFUSED("😀", "KH", CONTACT_UNRECOGNISED),
        REFUSED("\u200D", "KH", CONTACT_UNRECOGNISED),
        REFUSED("+", "KH", CONTACT_UNRECOGNISED),
        REFUSED("( ) -", "KH", CONTACT_UNRECOGNISED),
        REFUSED("+855 +12 345 678", "KH", CONTACT_UNRECOGNISED),
        REFUSED("++85512345678", "KH", CONTACT_UNRECOGNISED),
        REFUSED("012 345 678+", "KH", CONTACT_UNRECOGNISED),
        REFUSED("012 345 678 ext. 9", "KH", CONTACT_UNRECOGNISED),
        REFUSED("012345678, 097123456", "KH", CONTACT_UNRECOGNISED),
        REFUSED("tel:+85512345678", "KH", CONTACT_UNRECOGNISED),
        REFUSED("O12 345 678", "KH", CONTACT_UNRECOGNISED), /* the letter */
        REFUSED("Ⅻ 345 678", "KH", CONTACT_UNRECOGNISED),
        REFUSED("0¹²345678", "KH", CONTACT_UNRECOGNISED),
        REFUSED("*123#", "KH", CONTACT_UNRECOGNISED),
        REFUSED("=1+1", "KH", CONTACT_UNRECOGNISED),
        REFUSED("' OR 1=1 --", "KH", CONTACT_UNRECOGNISED),
        REFUSED("'; DROP TABLE signer; --", "KH", CONTACT_UNRECOGNISED),
        REFUSED("<script>alert(1)</script>", "KH", CONTACT_UNRECOGNISED),
        REFUSED("\U000E01F0", "KH", CONTACT_UNRECOGNISED), /* unassigned */

        REFUSED("@", "", CONTACT_BAD_EMAIL),
        REFUSED("＠", "", CONTACT_BAD_EMAIL),
        REFUSED("a@", "", CONTACT_BAD_EMAIL),
        REFUSED("@example.org", "", CONTACT_BAD_EMAIL),
        REFUSED("a@b", "", CONTACT_BAD_EMAIL),
        REFUSED("a@b.", "", CONTACT_BAD_EMAIL),
        REFUSED("a@localhost", "", CONTACT_BAD_EMAIL),
        REFUSED("a@@b.c", "", CONTACT_BAD_EMAIL),
        REFUSED("a@b@c.de", "", CONTACT_BAD_EMAIL),
        REFUSED("a＠b@c.de", "", CONTACT_BAD_EMAIL),
        REFUSED("a b@c.de", "", CONTACT_BAD_EMAIL),
        REFUSED("a\tb@c.de", "", CONTACT_BAD_EMAIL),
        REFUSED("a\u00A0b@c.de", "", CONTACT_BAD_EMAIL),
        REFUSED("a@c.de b", "", CONTACT_BAD_EMAIL),
        REFUSED("a@b.de,c@d.de", "", CONTACT_BAD_EMAIL),
        REFUSED("..@x.y", "", CONTACT_BAD_EMAIL),
        REFUSED(".a@example.org", "", CONTACT_BAD_EMAIL),
        REFUSED("a.@example.org", "", CONTACT_BAD_EMAIL),
        REFUSED("a..b@example.org", "", CONTACT_BAD_EMAIL),
        REFUSED("a‥b@example.org", "", CONTACT_BAD_EMAIL), /* two dots in one sign */
        REFUSED("Dara <dara@example.org>", "", CONTACT_BAD_EMAIL),
        REFUSED("mailto:dara@example.org", "", CONTACT_BAD_EMAIL),
        REFUSED("\"a b\"@example.org", "", CONTACT_BAD_EMAIL),
        REFUSED("a(comment)@example.org", "", CONTACT_BAD_EMAIL),
        REFUSED("a\\b@example.org", "", CONTACT_BAD_EMAIL),
        REFUSED("a\u037Eb@example.org", "", CONTACT_BAD_EMAIL), /* Greek question mark: ; */
        REFUSED("a@[192.0.2.1]", "", CONTACT_BAD_EMAIL),
        REFUSED("a@192.0.2.1", "", CONTACT_BAD_EMAIL),
        REFUSED("a@example..org", "", CONTACT_BAD_EMAIL),
        REFUSED("a@bücher..example", "", CONTACT_BAD_EMAIL),
        REFUSED("a@example.org..", "", CONTACT_BAD_EMAIL),
        REFUSED("a@-example.org", "", CONTACT_BAD_EMAIL),
        REFUSED("a@example-.org", "", CONTACT_BAD_EMAIL),
        REFUSED("a@exa_mple.org", "", CONTACT_BAD_EMAIL),
        REFUSED("a@exa_mple.bücher.org", "", CONTACT_BAD_EMAIL),
        REFUSED("a@exam/ple.org", "", CONTACT_BAD_EMAIL),
        REFUSED("a@example.org/path", "", CONTACT_BAD_EMAIL),
        REFUSED("a@example.org?subject=x", "", CONTACT_BAD_EMAIL),
        REFUSED("a@xn--zzzzz--.de", "", CONTACT_BAD_EMAIL), /* not Punycode */
        REFUSED("a@xn--abc-.de", "", CONTACT_BAD_EMAIL),    /* Punycode of plain ASCII */
        REFUSED("a@xn--ls8h.la", "", CONTACT_BAD_EMAIL),    /* of an emoji: not IDNA2008 */
        REFUSED("a@💩.la", "", CONTACT_BAD_EMAIL),
        REFUSED("a@" A63 "a.org", "", CONTACT_BAD_EMAIL),
        REFUSED(A60 "@" U5 U5 U5 U5 U5 "org", "", CONTACT_BAD_EMAIL), /* 264 bytes in A-labels */
        REFUSED(A60 "aaaaa@example.org", "", CONTACT_BAD_EMAIL),
        REFUSED("\u0378@example.org", "", CONTACT_BAD_EMAIL),  /* unassigned: may fold one day */
        REFUSED("a\uE000@example.org", "", CONTACT_BAD_EMAIL), /* private use */
        REFUSED("+tag@gmail.com", "", CONTACT_BAD_EMAIL),      /* nothing left */
        REFUSED("+@proton.me", "", CONTACT_BAD_EMAIL),
        REFUSED("a.+tag@outlook.com", "", CONTACT_BAD_EMAIL),
        REFUSED("<script>@example.org", "", CONTACT_BAD_EMAIL),
        REFUSED("\u200D@example.org", "", CONTACT_BAD_EMAIL),

        REFUSED("123", "KH", CONTACT_BAD_PHONE),
        REFUSED("0", "KH", CONTACT_BAD_PHONE),
        REFUSED("00", "KH", CONTACT_BAD_PHONE),
        REFUSED("000000000", "KH", CONTACT_BAD_PHONE),
        REFUSED("+855", "KH", CONTACT_BAD_PHONE),
        REFUSED("+855 (0)", "KH", CONTACT_BAD_PHONE),
        REFUSED("+855 123", "KH", CONTACT_BAD_PHONE),
        REFUSED("+43 1234", "AT", CONTACT_BAD_PHONE), /* possible there, but six digits in all */
        REFUSED("012 345 67", "KH", CONTACT_BAD_PHONE),
        REFUSED("123456789012345678901234567890", "KH", CONTACT_BAD_PHONE),
        REFUSED("+123456789012345678901234567890", "KH", CONTACT_BAD_PHONE),
        REFUSED("+999 12 345 678", "KH", CONTACT_BAD_PHONE), /* nobody's calling code */
        REFUSED("+0012345678", "KH", CONTACT_BAD_PHONE),
        REFUSED("012 345 678", "", CONTACT_BAD_PHONE), /* local to where? */
        REFUSED("012 345 678", "XX", CONTACT_BAD_PHONE),
        REFUSED("012 345 678", "AQ", CONTACT_BAD_PHONE), /* Antarctica has no plan */
        REFUSED("85512345678", "FR", CONTACT_BAD_PHONE), /* neither French nor dialled abroad */
        REFUSED("555-0123", "US", CONTACT_BAD_PHONE),    /* without an area code */
        REFUSED("+1 212 555 01234", "US", CONTACT_BAD_PHONE),
    };

    (void)state;
    check_spellings(cases, COUNT(cases));
}

static void a_plan_without_lengths_takes_what_e164_allows(void **state)
{
    static const struct phone_plan open_plans[] = {
        {.code = "XA", .calling = "999", .trunk = "0"},
        {.code = "XB", .calling = "99", .trunk = ""},
    };
    static const struct {
        const char *typed, *canonical;
    } cases[] = {
        {"01234", "+9991234"},
        {"0123", NULL},
        {"+999 01234", "+9991234"}, /* the longest calling code counts */
        {"+999 123456789012", "+999123456789012"},
        {"+999 1234567890123", NULL},
    };
    struct buf err;
    struct identity *id;

    (void)state;
    buf_init(&err, BUF_UNLIMITED);
    id = identity_new(pepper, open_plans, COUNT(open_plans), "", &err);
    assert_non_null(id);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct contact c;
        enum contact_reason reason = identity_contact(id, &c, cases[i].typed, "XA");

        assert_int_equal(reason, cases[i].canonical ? CONTACT_OK : CONTACT_BAD_PHONE);
        assert_string_equal(c.canonical, cases[i].canonical ? cases[i].canonical : "");
    }
    identity_free(id);
}

static void the_dash_rule_cuts_at_the_first_dash(void **state)
{
    struct buf err;
    struct contact c;
    struct identity *id;

    (void)state;
    buf_init(&err, BUF_UNLIMITED);
    id = identity_new(pepper, NULL, 0, "example.org dash,plus example.org\n", &err);
    assert_non_null(id);
    assert_int_equal(identity_contact(id, &c, "sok-a-b@example.org", ""), CONTACT_OK);
    assert_string_equal(c.canonical, "sok@example.org");
    assert_int_equal(identity_contact(id, &c, "-a@example.org", ""), CONTACT_BAD_EMAIL);
    identity_free(id);
}

static void wrong_mail_rules_are_refused_with_their_line(void **state)
{
    static const struct {
        const char *rules, *hint; /* no hint: the rules are right */
    } cases[] = {
        {"", NULL},
        {"# nothing\n\n   \t\n", NULL},
        {"a.org - a.org", NULL},
        {"a.org plus a.org # why\r\nb.org\tplus  a.org\r\n", NULL},
        {"xn--bcher-kva.example dots,plus,dash xn--bcher-kva.example", NULL},
        {"a.org plus a.org\nb.org\n", "line 2"},
        {"a.org plus\n", "line 1"},
        {"a.org plus a.org extra\n", "line 1"},
        {"\n\na.org minus a.org\n", "line 3"},
        {"a.org plus,,dots a.org\n", "line 1"},
        {"a.org plus, a.org\n", "line 1"},
        {"A.org plus A.org\n", "line 1"},
        {"bücher.example - bücher.example\n", "line 1"},
        {"org - org\n", "line 1"},
        {"a.org. - a.org.\n", "line 1"},
        {"a.org plus a.org\na.org - a.org\n", "a.org has two lines"},
        {"b.org plus a.org\n", "a.org needs a line"},
        {"a.org dots a.org\nb.org plus a.org\n", "flags of b.org"},
        {"a.org - a.org\nb.org - a.org\nc.org - b.org\n", "flags of c.org"}, /* a chain */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf err;
        struct identity *id;

        buf_init(&err, BUF_UNLIMITED);
        id = identity_new(pepper, NULL, 0, cases[i].rules, &err);
        if (cases[i].hint) {
            assert_null(id);
            assert_non_null(strstr(err.data, cases[i].hint));
        } else {
            assert_non_null(id);
            assert_string_equal(err.data, "");
        }
        identity_free(id);
        buf_release(&err);
    }
}

/* ---- Tags ---- */

static void tag_of(uint8_t tag[TAG_LEN], const struct identity *id, const char *typed)
{
    struct contact c;

    assert_int_equal(identity_contact(id, &c, typed, "KH"), CONTACT_OK);
    identity_tag(id, tag, &c);
}

static void a_forgotten_pepper_gives_tags_that_stand_for_nobody(void **state)
{
    uint8_t tags[4][TAG_LEN];
    struct identity *id;
    struct buf err;

    (void)state;
    buf_init(&err, BUF_UNLIMITED);
    id = identity_new(pepper, NULL, 0, "", &err);
    assert_non_null(id);
    tag_of(tags[0], id, "sok@example.org");
    tag_of(tags[1], id, "sok@example.org");
    assert_memory_equal(tags[0], tags[1], TAG_LEN);
    identity_forget(id);
    identity_forget(id);
    tag_of(tags[2], id, "sok@example.org");
    tag_of(tags[3], id, "sok@example.org");
    assert_memory_not_equal(tags[2], tags[0], TAG_LEN);
    assert_memory_not_equal(tags[2], tags[3], TAG_LEN);
    identity_free(id);
    id = identity_new(NULL, NULL, 0, "", &err);
    assert_non_null(id);
    tag_of(tags[3], id, "sok@example.org");
    assert_memory_not_equal(tags[3], tags[0], TAG_LEN);
    identity_free(id);
    buf_release(&err);
}

static void one_person_has_one_tag(void **state)
{
    static const char *const same[][2] = {
        {"Sok.Dara+x@GoogleMail.com", "sokdara@gmail.com"},
        {"០១២ ៣៤៥ ៦៧៨", "+855 (0)12 345 678"},
        {"info@bücher.example", "INFO@xn--bcher-kva.example"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(same); i++) {
        uint8_t one[TAG_LEN], other[TAG_LEN];

        tag_of(one, identity, same[i][0]);
        tag_of(other, identity, same[i][1]);
        assert_memory_equal(one, other, TAG_LEN);
    }
}

static void another_contact_kind_or_pepper_is_another_tag(void **state)
{
    struct contact email = {.kind = 'e', .canonical = "+85512345678"};
    struct contact phone = {.kind = 'p', .canonical = "+85512345678"};
    uint8_t first[TAG_LEN], second[TAG_LEN], other_pepper[PEPPER_LEN] = {0};
    struct identity *other;
    struct buf err;

    (void)state;
    tag_of(first, identity, "a@example.org");
    tag_of(second, identity, "b@example.org");
    assert_memory_not_equal(first, second, TAG_LEN);

    identity_tag(identity, first, &email);
    identity_tag(identity, second, &phone);
    assert_memory_not_equal(first, second, TAG_LEN);

    buf_init(&err, BUF_UNLIMITED);
    other = identity_new(other_pepper, plans, plan_count, mail_rules.data, &err);
    assert_non_null(other);
    identity_tag(other, second, &email);
    assert_memory_not_equal(first, second, TAG_LEN);
    identity_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_an_address_are_one_person),
        cmocka_unit_test(spellings_of_a_number_are_one_person),
        cmocka_unit_test(what_is_nobody_is_refused_with_its_reason),
        cmocka_unit_test(a_plan_without_lengths_takes_what_e164_allows),
        cmocka_unit_test(the_dash_rule_cuts_at_the_first_dash),
        cmocka_unit_test(wrong_mail_rules_are_refused_with_their_line),
        cmocka_unit_test(a_forgotten_pepper_gives_tags_that_stand_for_nobody),
        cmocka_unit_test(one_person_has_one_tag),
        cmocka_unit_test(another_contact_kind_or_pepper_is_another_tag),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
