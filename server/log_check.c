/*
 * log_check: entries in, tiles compared, root compared (see log_check.h). One thread.
 *
 * Always true: `edge` and `frontier` come from the entries alone. A tile is compared as soon as it
 * is full, and those of the right edge at the end; so each is compared once.
 */
#include "log_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BUNDLE_MAX_BYTES (TILE_WIDTH * (2 + ENTRY_MAX_BYTES))

struct walk {
    struct log_check *check;
    struct audit *audit;
    struct tlog_edge edge;
    struct buf bundle, tile, *why;
};

static int compare_tile(void *ctx, const struct tile *t, const uint8_t hashes[TILE_BYTES])
{
    struct walk *w = ctx;
    size_t len = (size_t)t->width * HASH_LEN;
    char path[TILE_PATH_MAX];

    if (log_source_tile(w->check->source, t, &w->tile, w->why) != 0)
        return -1;
    w->check->tiles++;
    if (w->tile.len >= len && memcmp(w->tile.data, hashes, len) == 0 &&
        (w->tile.len == len || w->tile.len == TILE_BYTES))
        return 0;
    tile_path(t, path);
    buf_printf(w->why, "tile/%s does not have the hashes of the entries", path);
    return -1;
}

static int compare_edge(struct walk *w)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        int64_t n = w->edge.size >> TILE_BITS * (level + 1);
        struct tile t = {level, n, tile_width(level, n, w->edge.size)};

        if (t.width > 0 && compare_tile(w, &t, w->edge.hashes[level]) != 0)
            return -1;
    }
    return 0;
}

/* The trees of this size must have the root that the entries give. */
static int compare_marks(struct walk *w)
{
    struct log_check *c = w->check;
    struct merkle_tree tree = {.size = -1};

    for (size_t i = 0; i < c->mark_count; i++) {
        if (c->marks[i].tree.size != w->edge.size)
            continue;
        if (tree.size < 0)
            tlog_edge_tree(&w->edge, &tree);
        if (memcmp(tree.root, c->marks[i].tree.root, HASH_LEN) == 0)
            continue;
        buf_printf(w->why,
                   "%s: is not of this log: at size %" PRId64
                   " the log's entries have another root",
                   c->marks[i].name, w->edge.size);
        return -1;
    }
    return 0;
}

static int add_entry(struct walk *w, const struct tlog_entry *e)
{
    uint8_t leaf[HASH_LEN];
    const char *wrong = audit_add(w->audit, e->body, e->len);

    if (wrong) {
        buf_printf(w->why, "entry %" PRId64 " %s", w->edge.size, wrong);
        return -1;
    }
    merkle_leaf(leaf, e->body, e->len);
    if (tlog_append(&w->edge, leaf, compare_tile, w) != 0)
        return -1;
    return compare_marks(w);
}

/* What lies behind the entries of a full bundle, read for a partial one, is not looked at. */
static int add_bundle(struct walk *w, int64_t n, int width)
{
    struct tile t = {TILE_ENTRIES, n, width};
    struct tlog_entry e;
    size_t at = 0;

    if (log_source_tile(w->check->source, &t, &w->bundle, w->why) != 0)
        return -1;
    for (int i = 0; i < width; i++) {
        if (tlog_next_entry(&w->bundle, &at, &e) != 1) {
            buf_printf(w->why, "entry %" PRId64 " is missing in its bundle", w->edge.size);
            return -1;
        }
        if (add_entry(w, &e) != 0)
            return -1;
    }
    if (width == TILE_WIDTH && at != w->bundle.len) {
        buf_printf(w->why, "the bundle of entries %" PRId64 " holds more than its entries", n);
        return -1;
    }
    return 0;
}

static int walk_entries(struct walk *w)
{
    const struct merkle_tree *tree = &w->check->checkpoint.tree;
    struct merkle_tree own;

    for (int64_t n = 0; n * TILE_WIDTH < tree->size; n++)
        if (add_bundle(w, n, tile_width(0, n, tree->size)) != 0)
            return -1;
    tlog_edge_tree(&w->edge, &own);
    if (memcmp(own.root, tree->root, HASH_LEN) != 0) {
        buf_adds(w->why, "the entries do not have the root of the signed checkpoint");
        return -1;
    }
    return compare_edge(w);
}

static int open_checkpoint(struct log_check *c, struct buf *why)
{
    const char *wrong;
    int result = log_source_get(c->source, "checkpoint", &c->note, why);

    if (result == 1)
        buf_adds(why, "checkpoint is missing");
    if (result != 0)
        return -1;
    wrong = checkpoint_open(&c->checkpoint, c->verifier, c->note.data, c->note.len);
    if (!wrong && c->checkpoint.tree.size == 0)
        wrong = "the log is empty";
    if (wrong)
        buf_adds(why, wrong);
    return wrong ? -1 : 0;
}

/* Whatever is to be found at some size must be at one that the log has. */
static int check_mark_sizes(const struct log_check *c, struct buf *why)
{
    for (size_t i = 0; i < c->mark_count; i++) {
        if (c->marks[i].tree.size <= c->checkpoint.tree.size && c->marks[i].tree.size > 0)
            continue;
        buf_printf(why, "%s: is of size %" PRId64 ", but the log has %" PRId64 " entries only",
                   c->marks[i].name, c->marks[i].tree.size, c->checkpoint.tree.size);
        return -1;
    }
    return 0;
}

struct audit *log_check_run(struct log_check *c, struct buf *why)
{
    struct walk *w = xcalloc(1, sizeof *w);
    struct audit *audit = NULL;
    int result = -1;

    if (open_checkpoint(c, why) != 0 || check_mark_sizes(c, why) != 0)
        goto out;
    w->check = c;
    w->why = why;
    w->audit = audit_new();
    tlog_edge_init(&w->edge);
    buf_init(&w->bundle, BUNDLE_MAX_BYTES);
    buf_init(&w->tile, TILE_BYTES);
    result = walk_entries(w);
    if (result == 0 && strcmp(audit_origin(w->audit), c->checkpoint.origin) != 0) {
        buf_adds(why, "entry 0 opens the log of another origin");
        result = -1;
    }
    buf_release(&w->bundle);
    buf_release(&w->tile);
    audit = w->audit;
    if (result != 0) {
        audit_free(audit);
        audit = NULL;
    }
out:
    free(w);
    return audit;
}
