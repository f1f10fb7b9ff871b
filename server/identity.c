/*
 * identity: canonical contacts and their tags (see identity.h).
 *
 * Any thread may use an object: nothing in it changes between identity_new and identity_free, but
 * that identity_forget takes the pepper away, under a lock. The pepper lies in guarded, locked,
 * read-only memory.
 *
 * Always true: a canonical contact canonicalises to itself, whatever the country. Code points that
 * this Unicode version does not know are refused in an address, so that a newer library, which may
 * fold them, never changes the tag of somebody who has signed.
 *
 * Nothing is asked of the network: whether a mailbox or a number exists is not known here.
 */
#include "identity_internal.h"

#include "input.h"

#include <idn2.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define LOCAL_MAX_BYTES  64  /* RFC 5321, 4.5.3.1.1 */
#define DOMAIN_MAX_BYTES 253 /* RFC 1035, in text form without the last dot */
#define LABEL_MAX_BYTES  63

struct mail_rule {
    const char *domain; /* A-labels, lower case; the key */
    const char *canonical;
    unsigned flags;
};

struct identity {
    pthread_rwlock_t *lock; /* of the pepper */
    uint8_t *pepper;        /* NULL: there is none any more */
    const struct phone_plan *plans;
    size_t plan_count;
    char *rule_text; /* the rules point into it */
    struct mail_rule *rules;
    size_t rule_count;
};

/* ---- Domains */

/* One label of a host name in lower case (RFC 1123). */
static bool is_label(const char *label, size_t len)
{
    if (len == 0 || len > LABEL_MAX_BYTES || label[0] == '-' || label[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = label[i];

        if (c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z'))
            return false;
    }
    return true;
}

/* Two labels or more, and the last one not a number, as in 192.0.2.1. */
static bool is_domain(const char *domain)
{
    size_t labels = 0;

    if (strlen(domain) > DOMAIN_MAX_BYTES)
        return false;
    for (;; labels++) {
        size_t len = strcspn(domain, ".");

        if (!is_label(domain, len))
            return false;
        if (!domain[len])
            return labels > 0 && strspn(domain, "0123456789") < len;
        domain += len + 1;
    }
}

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

static bool has_a_label(const char *domain)
{
    return strncmp(domain, "xn--", 4) == 0 || strstr(domain, ".xn--");
}

/* Writes the folded domain in A-labels (IDNA2008, so that ß stays itself). 0 or -1. */
static int domain_to_ascii(char out[DOMAIN_MAX_BYTES + 1], const char *domain)
{
    uint8_t *converted = NULL;
    int status = -1;
    size_t len;

    if (!is_ascii(domain) || has_a_label(domain)) {
        if (idn2_lookup_u8((const uint8_t *)domain, &converted,
                           IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
            goto out;
        domain = (const char *)converted;
    }
    len = strlen(domain);
    if (len > 0 && domain[len - 1] == '.')
        len--;
    if (len > DOMAIN_MAX_BYTES)
        goto out;
    memcpy(out, domain, len);
    out[len] = '\0';
    status = is_domain(out) ? 0 : -1;
out:
    idn2_free(converted);
    return status;
}

/* ---- Mail rules */

#define RULE_PLUS (1u << 0)
#define RULE_DASH (1u << 1)
#define RULE_DOTS (1u << 2)

static const struct {
    const char *name;
    unsigned flag;
} rule_flags[] = {{"-", 0}, {"plus", RULE_PLUS}, {"dash", RULE_DASH}, {"dots", RULE_DOTS}};

static int parse_flags(unsigned *flags, char *text)
{
    char *word;

    *flags = 0;
    while ((word = strsep(&text, ","))) {
        size_t i = 0, count = sizeof rule_flags / sizeof *rule_flags;

        while (i < count && strcmp(word, rule_flags[i].name) != 0)
            i++;
        if (i == count)
            return -1;
        *flags |= rule_flags[i].flag;
    }
    return 0;
}

/* The next word of the line, cut off with a NUL; "" at its end. */
static char *next_column(char **line)
{
    char *word = *line + strspn(*line, " \t\r");
    size_t len = strcspn(word, " \t\r");

    *line = word + len;
    if (**line)
        *(*line)++ = '\0';
    return word;
}

/* Parses one line into *rule. 1: a rule; 0: nothing on the line; -1: wrong. */
static int parse_rule(struct mail_rule *rule, char *line)
{
    char *flags;

    line[strcspn(line, "#")] = '\0';
    rule->domain = next_column(&line);
    if (!*rule->domain)
        return 0;
    flags = next_column(&line);
    rule->canonical = next_column(&line);
    if (*next_column(&line) || !is_domain(rule->domain) || !is_domain(rule->canonical))
        return -1;
    return parse_flags(&rule->flags, flags) == 0 ? 1 : -1;
}

static int compare_rules(const void *a, const void *b)
{
    const struct mail_rule *left = a, *right = b;

    return strcmp(left->domain, right->domain);
}

static const struct mail_rule *find_rule(const struct identity *id, const char *domain)
{
    struct mail_rule key = {.domain = domain};

    return bsearch(&key, id->rules, id->rule_count, sizeof key, compare_rules);
}

/* A domain has one rule, and an alias the rule of what it stands for: otherwise the canonical
 * address would not be its own canonical form. */
static int check_rules(const struct identity *id, struct buf *err)
{
    for (size_t i = 0; i < id->rule_count; i++) {
        const struct mail_rule *rule = &id->rules[i], *target = find_rule(id, rule->canonical);

        if (i + 1 < id->rule_count && strcmp(rule->domain, rule[1].domain) == 0) {
            buf_printf(err, "mail rules: %s has two lines", rule->domain);
            return -1;
        }
        if (!target || target->flags != rule->flags ||
            strcmp(target->domain, target->canonical) != 0) {
            buf_printf(err, "mail rules: %s needs a line of its own with the flags of %s",
                       rule->canonical, rule->domain);
            return -1;
        }
    }
    return 0;
}

static int load_rules(struct identity *id, const char *text, struct buf *err)
{
    char *line, *rest;
    size_t lines = 1;

    for (const char *s = text; *s; s++)
        lines += *s == '\n';
    id->rules = xcalloc(lines, sizeof *id->rules);
    id->rule_text = rest = xstrdup(text);
    for (size_t number = 1; (line = strsep(&rest, "\n")); number++) {
        int found = parse_rule(&id->rules[id->rule_count], line);

        if (found < 0) {
            buf_printf(err, "mail rules, line %zu: not DOMAIN FLAGS CANONICAL-DOMAIN", number);
            return -1;
        }
        id->rule_count += (size_t)found;
    }
    qsort(id->rules, id->rule_count, sizeof *id->rules, compare_rules);
    return check_rules(id, err);
}

/* ---- E-mail */

/* Appends the text in NFKC, without default-ignorable code points. -1 if it has unassigned ones. */
static int add_compatible(struct buf *out, const char *text)
{
    const utf8proc_option_t options = UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE |
                                      UTF8PROC_COMPAT | UTF8PROC_IGNORE | UTF8PROC_REJECTNA;
    utf8proc_uint8_t *mapped = NULL;
    utf8proc_ssize_t len = utf8proc_map((const utf8proc_uint8_t *)text, 0, &mapped, options);

    if (len < 0)
        return -1;
    buf_add(out, mapped, (size_t)len);
    sodium_memzero(mapped, (size_t)len);
    free(mapped);
    return 0;
}

static void add_lower(struct buf *out, const char *text)
{
    while (*text) {
        utf8proc_int32_t point = utf8proc_tolower((utf8proc_int32_t)input_next_code_point(&text));
        utf8proc_uint8_t bytes[4];

        buf_add(out, bytes, (size_t)utf8proc_encode_char(point, bytes));
    }
}

/* Fills the empty buffer with the text in NFKC and lower case. Lower case may compose where upper
 * case does not (J with caron), so NFKC comes again behind it. 0 or -1. */
static int fold(struct buf *out, const char *text)
{
    int status = 0;
    struct buf lower, mapped;

    buf_init(&lower, BUF_UNLIMITED);
    buf_init(&mapped, BUF_UNLIMITED);
    if (is_ascii(text)) {
        add_lower(out, text);
        goto out;
    }
    status = add_compatible(&mapped, text);
    if (status != 0)
        goto out;
    add_lower(&lower, mapped.data);
    status = add_compatible(out, lower.data);
out:
    buf_wipe(&mapped);
    buf_wipe(&lower);
    return status;
}

/* ASCII: what RFC 5322 calls atext, and dots. Beyond: whatever is no space and no control. */
static bool is_local_point(uint32_t point)
{
    const char *category = utf8proc_category_string((utf8proc_int32_t)point);

    if (point < 0x80)
        return point > ' ' && point < 0x7F && !strchr("\"(),:;<>@[\\]", (int)point);
    return *category != 'C' && *category != 'Z';
}

static bool is_local_part(const char *local)
{
    size_t len = strlen(local);

    if (len == 0 || len > LOCAL_MAX_BYTES || local[0] == '.' || local[len - 1] == '.' ||
        strstr(local, ".."))
        return false;
    while (*local)
        if (!is_local_point(input_next_code_point(&local)))
            return false;
    return true;
}

static void drop_char(char *text, char unwanted)
{
    char *to = text;

    for (; *text; text++)
        if (*text != unwanted)
            *to++ = *text;
    *to = '\0';
}

static void apply_flags(char *local, unsigned flags)
{
    if (flags & RULE_PLUS)
        local[strcspn(local, "+")] = '\0';
    if (flags & RULE_DASH)
        local[strcspn(local, "-")] = '\0';
    if ((flags & RULE_DOTS) && is_ascii(local)) /* others might compose where a dot was */
        drop_char(local, '.');
}

static enum contact_reason canonical_email(const struct identity *id, struct contact *out,
                                           char *folded)
{
    char *local = folded, *at = strchr(folded, '@');
    char typed_domain[DOMAIN_MAX_BYTES + 1];
    const char *domain = typed_domain;
    const struct mail_rule *rule;
    size_t local_len, domain_len;

    if (!at || strchr(at + 1, '@'))
        return CONTACT_BAD_EMAIL;
    *at = '\0';
    if (!is_local_part(local) || domain_to_ascii(typed_domain, at + 1) != 0)
        return CONTACT_BAD_EMAIL;
    rule = find_rule(id, domain);
    if (rule) {
        domain = rule->canonical;
        apply_flags(local, rule->flags);
        if (!is_local_part(local)) /* "+tag@", or "name.+tag@" where dots count */
            return CONTACT_BAD_EMAIL;
    }
    local_len = strlen(local);
    domain_len = strlen(domain);
    if (local_len + 1 + domain_len > CONTACT_MAX_BYTES) /* A-labels may be longer */
        return CONTACT_BAD_EMAIL;
    out->kind = 'e';
    memcpy(out->canonical, local, local_len);
    out->canonical[local_len] = '@';
    memcpy(out->canonical + local_len + 1, domain, domain_len + 1);
    return CONTACT_OK;
}

/* ---- Contacts and tags */

enum contact_reason identity_contact(const struct identity *id, struct contact *out,
                                     const char *typed, const char *country)
{
    enum contact_reason reason;
    struct buf line, folded;

    *out = (struct contact){.kind = 0};
    buf_init(&folded, BUF_UNLIMITED);
    buf_init(&line, CONTACT_MAX_BYTES);
    input_clean_line(&line, typed);
    if (!buf_ok(&line))
        reason = CONTACT_TOO_LONG;
    else if (line.len == 0)
        reason = CONTACT_MISSING;
    else if (fold(&folded, line.data) == 0 && strchr(folded.data, '@'))
        reason = canonical_email(id, out, folded.data);
    else if (strchr(line.data, '@'))
        reason = CONTACT_BAD_EMAIL;
    else
        reason = identity_phone(id->plans, id->plan_count, out, line.data, country);
    buf_wipe(&folded);
    buf_wipe(&line);
    return reason;
}

/* With the pepper's lock held. */
static void hash_contact(const struct identity *id, uint8_t tag[TAG_LEN], const struct contact *c)
{
    static const char context[] = "petition-tag/v1\n";
    crypto_generichash_state state;

    crypto_generichash_init(&state, id->pepper, PEPPER_LEN, TAG_LEN);
    crypto_generichash_update(&state, (const uint8_t *)context, sizeof context - 1);
    crypto_generichash_update(&state, (const uint8_t *)&c->kind, 1);
    crypto_generichash_update(&state, (const uint8_t *)c->canonical, strlen(c->canonical));
    crypto_generichash_final(&state, tag, TAG_LEN);
    sodium_memzero(&state, sizeof state);
}

void identity_tag(const struct identity *id, uint8_t tag[TAG_LEN], const struct contact *c)
{
    pthread_rwlock_rdlock(id->lock);
    if (id->pepper)
        hash_contact(id, tag, c);
    else
        randombytes_buf(tag, TAG_LEN);
    pthread_rwlock_unlock(id->lock);
}

/* ---- Life */

static int keep_pepper(struct identity *id, const uint8_t pepper[PEPPER_LEN], struct buf *err)
{
    id->pepper = sodium_init() < 0 ? NULL : sodium_malloc(PEPPER_LEN);
    if (!id->pepper) {
        buf_adds(err, "no locked memory for the pepper");
        return -1;
    }
    memcpy(id->pepper, pepper, PEPPER_LEN);
    sodium_mprotect_readonly(id->pepper);
    return 0;
}

struct identity *identity_new(const uint8_t pepper[PEPPER_LEN], const struct phone_plan *plans,
                              size_t plan_count, const char *mail_rules, struct buf *err)
{
    struct identity *id = xcalloc(1, sizeof *id);

    id->lock = xcalloc(1, sizeof *id->lock);
    pthread_rwlock_init(id->lock, NULL);
    id->plans = plans;
    id->plan_count = plan_count;
    if (load_rules(id, mail_rules, err) == 0 && (!pepper || keep_pepper(id, pepper, err) == 0))
        return id;
    identity_free(id);
    return NULL;
}

void identity_forget(struct identity *id)
{
    pthread_rwlock_wrlock(id->lock);
    sodium_free(id->pepper); /* wipes it */
    id->pepper = NULL;
    pthread_rwlock_unlock(id->lock);
}

void identity_free(struct identity *id)
{
    if (!id)
        return;
    sodium_free(id->pepper);
    pthread_rwlock_destroy(id->lock);
    free(id->lock);
    free(id->rules);
    free(id->rule_text);
    free(id);
}
