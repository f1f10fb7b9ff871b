/*
 * tlog: tiles, their paths, the right edge, and bundles (see tlog.h). Any thread: there is no
 * state. Reading hashes out of tiles that may be forged is tlog_reader's.
 */
#include "tlog.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENTRIES "entries/"
#define PARTIAL ".p/"

/* ---- paths */

void tile_path(const struct tile *t, char out[TILE_PATH_MAX])
{
    static const int64_t groups[] = {INT64_C(1000000000000000), INT64_C(1000000000000),
                                     INT64_C(1000000000), INT64_C(1000000), INT64_C(1000)};
    int at;

    if (t->level == TILE_ENTRIES)
        at = snprintf(out, TILE_PATH_MAX, ENTRIES);
    else
        at = snprintf(out, TILE_PATH_MAX, "%d/", t->level);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (t->n >= groups[i])
            at += snprintf(out + at, (size_t)(TILE_PATH_MAX - at), "x%03" PRId64 "/",
                           t->n / groups[i] % 1000);
    at += snprintf(out + at, (size_t)(TILE_PATH_MAX - at), "%03" PRId64, t->n % 1000);
    if (t->width < TILE_WIDTH)
        at += snprintf(out + at, (size_t)(TILE_PATH_MAX - at), PARTIAL "%d", t->width);
    assert(at < TILE_PATH_MAX);
}

/* Takes at most `max` digits; -1 if there is none. */
static int64_t take_number(const char **at, int max)
{
    int64_t n = 0;
    int count = 0;

    for (; count < max && **at >= '0' && **at <= '9'; count++)
        n = 10 * n + (*(*at)++ - '0');
    return count > 0 ? n : -1;
}

static bool take(const char **at, const char *literal)
{
    size_t len = strlen(literal);

    if (strncmp(*at, literal, len) != 0)
        return false;
    *at += len;
    return true;
}

/* Groups of three digits, all but the last after an x. False above MERKLE_SIZE_MAX. */
static bool take_groups(const char **at, int64_t *n)
{
    bool more;

    *n = 0;
    do {
        int64_t group;

        more = take(at, "x");
        group = take_number(at, 3);
        if (group < 0 || (more && !take(at, "/")))
            return false;
        *n = 1000 * *n + group;
    } while (more && *n <= MERKLE_SIZE_MAX);
    return !more && *n <= MERKLE_SIZE_MAX;
}

/* Reads generously; what is not spelled as tile_path spells it is found by spelling it again. */
int tile_parse(struct tile *out, const char *path)
{
    const char *at = path;
    char again[TILE_PATH_MAX];

    out->width = TILE_WIDTH;
    if (take(&at, ENTRIES)) {
        out->level = TILE_ENTRIES;
    } else {
        out->level = (int)take_number(&at, 2);
        if (out->level < 0 || out->level >= TILE_LEVELS || !take(&at, "/"))
            return -1;
    }
    if (!take_groups(&at, &out->n))
        return -1;
    if (take(&at, PARTIAL)) {
        out->width = (int)take_number(&at, 3);
        if (out->width < 1 || out->width >= TILE_WIDTH)
            return -1;
    }
    tile_path(out, again);
    return strcmp(again, path) == 0 ? 0 : -1;
}

/* ---- places */

int tile_width(int level, int64_t n, int64_t size)
{
    int shift = level == TILE_ENTRIES ? 0 : TILE_BITS * level;
    int64_t hashes = size >> shift, before = n * TILE_WIDTH;

    if (n >= (hashes + TILE_WIDTH - 1) / TILE_WIDTH)
        return 0;
    return hashes - before < TILE_WIDTH ? (int)(hashes - before) : TILE_WIDTH;
}

struct tile tile_of_node(int level, int64_t index, int *first, int *count)
{
    int above = level % TILE_BITS;
    int64_t at = index << above;

    *count = 1 << above;
    *first = (int)(at % TILE_WIDTH);
    return (struct tile){level / TILE_BITS, at / TILE_WIDTH, *first + *count};
}

/* ---- the right edge */

static int edge_width(const struct tlog_edge *e, int level)
{
    return (int)(e->size >> TILE_BITS * level) % TILE_WIDTH;
}

void tlog_edge_init(struct tlog_edge *e)
{
    e->size = 0;
}

void tlog_edge_copy(struct tlog_edge *to, const struct tlog_edge *from)
{
    to->size = from->size;
    for (int level = 0; level < TILE_LEVELS; level++)
        memcpy(to->hashes[level], from->hashes[level], (size_t)edge_width(from, level) * HASH_LEN);
}

int tlog_append(struct tlog_edge *e, const uint8_t leaf[HASH_LEN], tlog_full *full, void *ctx)
{
    uint8_t hash[HASH_LEN];
    int result = 0;

    memcpy(hash, leaf, HASH_LEN);
    for (int level = 0; result == 0; level++) {
        struct tile t = {level, e->size >> TILE_BITS * (level + 1), TILE_WIDTH};
        int width = edge_width(e, level);

        assert(level < TILE_LEVELS);
        memcpy(e->hashes[level] + width * HASH_LEN, hash, HASH_LEN);
        if (width + 1 < TILE_WIDTH)
            break;
        merkle_perfect(hash, e->hashes[level], TILE_WIDTH);
        result = full(ctx, &t, e->hashes[level]);
    }
    e->size++;
    return result;
}

static int edge_get(void *ctx, int level, int64_t index, uint8_t hash[HASH_LEN])
{
    const struct tlog_edge *e = ctx;
    int first, count;
    struct tile t = tile_of_node(level, index, &first, &count);

    merkle_perfect(hash, e->hashes[t.level] + first * HASH_LEN, (size_t)count);
    return 0;
}

void tlog_edge_tree(struct tlog_edge *e, struct merkle_tree *out)
{
    const struct merkle_source s = {edge_get, e};

    out->size = e->size;
    if (merkle_root(&s, e->size, out->root) != 0)
        assert(false); /* edge_get does not fail */
}

/* ---- bundles */

void tlog_add_entry(struct buf *bundle, const void *body, size_t len)
{
    assert(len >= 1 && len <= ENTRY_MAX_BYTES);
    buf_addc(bundle, (char)(len >> 8));
    buf_addc(bundle, (char)(len & 0xff));
    buf_add(bundle, body, len);
}

int tlog_next_entry(const struct buf *bundle, size_t *at, struct tlog_entry *out)
{
    const uint8_t *head = (const uint8_t *)bundle->data + *at;
    size_t left = bundle->len - *at;

    if (left == 0)
        return 0;
    out->len = left >= 2 ? (size_t)head[0] << 8 | head[1] : 0;
    if (out->len == 0 || out->len > left - 2)
        return -1;
    out->body = bundle->data + *at + 2;
    *at += 2 + out->len;
    return 1;
}
