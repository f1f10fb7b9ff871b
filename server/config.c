/*
 * config: the settings (see config.h). Runs once, in main, before there are threads.
 *
 * One table drives everything: the file, the environment, the flags, the defaults, the bounds and
 * the commented template. A key whose feature comes later is in the table already, so that a
 * configuration written for a newer version is refused only for what is really unknown.
 */
#include "config.h"

#include "files.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CONFIG_FILE_MAX_BYTES 65536

enum key_type { KEY_TEXT, KEY_NUMBER, KEY_YES_NO, KEY_LEVEL };

struct key {
    const char *name;
    enum key_type type;
    size_t offset;        /* of the field in struct config */
    const char *fallback; /* the default, as text */
    int min, max;         /* KEY_NUMBER */
    const char *help;
};

#define TEXT(name, fallback, help)                                                                 \
    {                                                                                              \
#name, KEY_TEXT, offsetof(struct config, name), fallback, 0, 0, help                       \
    }
#define NUMBER(name, field, fallback, min, max, help)                                              \
    {                                                                                              \
        name, KEY_NUMBER, offsetof(struct config, field), fallback, min, max, help                 \
    }
#define YES_NO(name, field, fallback, help)                                                        \
    {                                                                                              \
        name, KEY_YES_NO, offsetof(struct config, field), fallback, 0, 0, help                     \
    }

static const struct key keys[] = {
    TEXT(listen, "127.0.0.1:8080", "ADDR:PORT, [ADDR]:PORT or unix:PATH"),
    TEXT(base_url, "", "https://host as visitors see it; empty: relative links"),
    TEXT(trusted_proxies, "", "addresses, networks (10.0.0.0/8) whose X-Forwarded-For counts"),
    TEXT(public_dir, "", "folder of public content; empty: looked for in the usual places"),
    TEXT(pepper_file, "", "the pepper, if not DIR/pepper.key (a systemd credential, say)"),
    NUMBER("threads", threads, "0", 0, 256, "request threads; 0: one per core"),
    NUMBER("queue_limit", queue_limit, "4096", 1, 65536, "submissions that may wait; more: 503"),
    NUMBER("publish_every", publish_every_s, "10", 0, 86400, "seconds between publications"),
    NUMBER("publish_min", publish_min, "20", 1, 100000, "new entries a publication waits for"),
    NUMBER("count_step", count_step, "10", 1, 100000, "figures are shown in multiples of this"),
    YES_NO("petition_open", petition_open, "yes", "no: signing is paused; withdrawing is not"),
    TEXT(organiser_name, "", "sender of the letters, controller on the privacy page"),
    TEXT(organiser_contact, "", "where signers reach the organisers"),
    TEXT(confirmation, "none", "none or email"),
    TEXT(mail, "", "how mail is sent"),
    YES_NO("accept_unconfirmed", accept_unconfirmed, "yes", "no: only proven mailboxes may sign"),
    NUMBER("pow_bits", pow_bits, "0", 0, 32, "work asked of a signer's browser; 0: none"),
    NUMBER("rate_limit", rate_limit, "0", 0, 1000000, "submissions per address and hour; 0: off"),
    TEXT(metrics_listen, "", "ADDR:PORT of the metrics listener; empty: none"),
    {"log_level", KEY_LEVEL, offsetof(struct config, log_level), "info", 0, 0,
     "error, warn, info or debug"},
};
#define KEY_COUNT (sizeof keys / sizeof *keys)

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

static int parse_number(const struct key *key, const char *value, int *out)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(value, &end, 10);
    if (errno || end == value || *end || isspace((unsigned char)*value) || n < key->min ||
        n > key->max)
        return -1;
    *out = (int)n;
    return 0;
}

static int parse_yes_no(const char *value, bool *out)
{
    *out = strcmp(value, "yes") == 0;
    return *out || strcmp(value, "no") == 0 ? 0 : -1;
}

static int parse_level(const char *value, enum log_level *out)
{
    for (int i = 0; i <= (int)LOG_LEVEL_DEBUG; i++) {
        if (strcmp(level_names[i], value) == 0) {
            *out = (enum log_level)i;
            return 0;
        }
    }
    return -1;
}

static void set_text(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

/* Stores one value; -1 with a line in err that begins with `where`. */
static int set_key(struct config *c, const struct key *key, const char *value, const char *where,
                   struct buf *err)
{
    void *field = (char *)c + key->offset;

    if (!*value)
        value = key->fallback;
    switch (key->type) {
    case KEY_TEXT:
        set_text(field, value);
        return 0;
    case KEY_NUMBER:
        if (parse_number(key, value, field) == 0)
            return 0;
        buf_printf(err, "%s%s must be a whole number from %d to %d", where, key->name, key->min,
                   key->max);
        return -1;
    case KEY_YES_NO:
        if (parse_yes_no(value, field) == 0)
            return 0;
        buf_printf(err, "%s%s must be yes or no", where, key->name);
        return -1;
    case KEY_LEVEL:
        if (parse_level(value, field) == 0)
            return 0;
        buf_printf(err, "%s%s must be error, warn, info or debug", where, key->name);
        return -1;
    }
    return -1;
}

static char *trim(char *s)
{
    char *end;

    while (isspace((unsigned char)*s))
        s++;
    end = s + strlen(s);
    while (end > s && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return s;
}

/* One line of the file. */
static int read_line(struct config *c, char *line, int number, struct buf *err)
{
    const struct key *key;
    char where[64], *name = trim(line), *equals;

    if (*name == '\0' || *name == '#')
        return 0;
    snprintf(where, sizeof where, "line %d: ", number);
    equals = strchr(name, '=');
    if (!equals) {
        buf_printf(err, "%s: %sis not `key = value`", c->config_file, where);
        return -1;
    }
    *equals = '\0';
    name = trim(name);
    key = find_key(name);
    if (!key) {
        buf_printf(err, "%s: %sunknown key \"%.60s\"", c->config_file, where, name);
        return -1;
    }
    buf_printf(err, "%s: ", c->config_file);
    if (set_key(c, key, trim(equals + 1), where, err) != 0)
        return -1;
    buf_clear(err);
    return 0;
}

static int read_file(struct config *c, struct buf *err)
{
    struct buf text;
    char *next, *line;
    int result = -1, number = 0;

    buf_init(&text, CONFIG_FILE_MAX_BYTES);
    if (buf_read_file(&text, c->config_file) != 0) {
        buf_printf(err, "%s: %s", c->config_file, strerror(errno));
        goto out;
    }
    for (line = text.data; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (read_line(c, line, ++number, err) != 0)
            goto out;
    }
    result = 0;
out:
    buf_release(&text);
    return result;
}

static const char *flag_value(const struct config_flag *flags, size_t count, const char *key)
{
    for (size_t i = count; i-- > 0;)
        if (strcmp(flags[i].key, key) == 0)
            return flags[i].value;
    return NULL;
}

/* --config, DIR/petition.conf or /etc/petition/petition.conf: the first that there is. */
static void choose_file(struct config *c, const char *asked)
{
    static const char system_file[] = "/etc/petition/petition.conf";
    char *own = files_join(c->data_dir, "petition.conf");

    if (asked)
        set_text(&c->config_file, asked);
    else if (access(own, F_OK) == 0)
        set_text(&c->config_file, own);
    else if (access(system_file, F_OK) == 0)
        set_text(&c->config_file, system_file);
    free(own);
}

/* PETITION_SOME_KEY for some_key. */
static void environment_name(char out[64], const char *key)
{
    int at = snprintf(out, 64, "PETITION_");

    for (; *key && at < 63; key++)
        out[at++] = (char)toupper((unsigned char)*key);
    out[at] = '\0';
}

static int read_environment(struct config *c, struct buf *err)
{
    char name[64];

    for (size_t i = 0; i < KEY_COUNT; i++) {
        const char *value;

        environment_name(name, keys[i].name);
        value = getenv(name);
        if (!value)
            continue;
        buf_printf(err, "%s: ", name);
        if (set_key(c, &keys[i], value, "", err) != 0)
            return -1;
        buf_clear(err);
    }
    return 0;
}

/* A misspelt variable would silently do nothing; so it is named. Values are not shown. */
static void warn_unknown_environment(void)
{
    char name[64];

    for (char **entry = environ; *entry; entry++) {
        bool known = false;
        size_t len = strcspn(*entry, "=");

        if (strncmp(*entry, "PETITION_", 9) != 0)
            continue;
        for (size_t i = 0; i < KEY_COUNT && !known; i++) {
            environment_name(name, keys[i].name);
            known = strlen(name) == len && strncmp(name, *entry, len) == 0;
        }
        if (!known)
            log_warn("unknown environment variable %.*s", (int)(len < 60 ? len : 60), *entry);
    }
}

static bool is_public_dir(const char *dir)
{
    char *probe = files_join(dir, "addressees.json");
    bool found = access(probe, R_OK) == 0;

    free(probe);
    return found;
}

/* <executable>/../public */
static char *beside_executable(void)
{
    char path[4096], *slash;
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);

    if (len <= 0)
        return xstrdup(".");
    path[len] = '\0';
    slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return files_join(path, "../public");
}

/* Without a setting the usual places are tried; content_open then says what is missing. */
static void resolve_public_dir(struct config *c)
{
    char *beside = beside_executable();
    const char *places[] = {"./public", beside, PETITION_PREFIX "/share/petition/public"};

    for (size_t i = 0; i < 3 && !*c->public_dir; i++)
        if (is_public_dir(places[i]))
            set_text(&c->public_dir, places[i]);
    if (!*c->public_dir)
        set_text(&c->public_dir, places[2]);
    free(beside);
}

/* Brings base_url to the form in which browsers write an origin: lower case, without the scheme's
 * own port, without a slash at the end. -1 if it is no origin. */
static int normalise_base_url(char *url)
{
    size_t len = strlen(url), scheme, port;

    for (char *c = url; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
    if (len > 0 && url[len - 1] == '/')
        url[--len] = '\0';
    port = scheme == 8 ? 4 : 3; /* ":443", ":80" */
    if (len > port && strcmp(url + len - port, scheme == 8 ? ":443" : ":80") == 0)
        url[len - port] = '\0';
    return scheme > 0 && url[scheme] && !strpbrk(url + scheme, "/?#@ \"<>") ? 0 : -1;
}

/* What the table cannot say. */
static int check_whole(struct config *c, struct buf *err)
{
    if (*c->base_url && normalise_base_url(c->base_url) != 0) {
        buf_adds(err,
                 "base_url must be https://HOST or http://HOST, with a port if need be, and no "
                 "path");
        return -1;
    }
    buf_adds(err, "trusted_proxies: ");
    if (peer_parse_networks(&c->trusted, c->trusted_proxies, err) != 0)
        return -1;
    buf_clear(err);
    if (strcmp(c->confirmation, "none") != 0) {
        buf_adds(err, "confirmation must be none (email is not available in this version)");
        return -1;
    }
    return 0;
}

int config_load(struct config *c, const struct config_flag *flags, size_t flag_count,
                struct buf *err)
{
    const char *dir = flag_value(flags, flag_count, "data_dir");
    size_t i;

    *c = (struct config){0};
    for (i = 0; i < KEY_COUNT; i++)
        if (set_key(c, &keys[i], keys[i].fallback, "", err) != 0)
            return -1;
    set_text(&c->data_dir, dir ? dir : "./data");
    choose_file(c, flag_value(flags, flag_count, "config_file"));
    if (c->config_file && read_file(c, err) != 0)
        return -1;
    if (read_environment(c, err) != 0)
        return -1;
    for (i = 0; i < flag_count; i++) {
        const struct key *key = find_key(flags[i].key);

        if (key && set_key(c, key, flags[i].value, "", err) != 0)
            return -1;
    }
    if (check_whole(c, err) != 0)
        return -1;
    log_init(c->log_level);
    warn_unknown_environment();
    resolve_public_dir(c);
    return 0;
}

void config_release(struct config *c)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].type == KEY_TEXT)
            free(*(char **)(void *)((char *)c + keys[i].offset));
    free(c->data_dir);
    free(c->config_file);
    *c = (struct config){0};
}

void config_write_template(struct buf *out, const struct config_flag *set)
{
    buf_adds(out,
             "# petition.conf: every key with its default. Flags and PETITION_SOME_KEY in the\n"
             "# environment are stronger than this file.\n\n");
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const char *value = NULL;

        for (const struct config_flag *s = set; s->key; s++)
            if (strcmp(s->key, keys[i].name) == 0)
                value = s->value;
        buf_printf(out, "# %s\n", keys[i].help);
        buf_printf(out, "%s%s = %s\n\n", value ? "" : "#", keys[i].name,
                   value ? value : keys[i].fallback);
    }
}
