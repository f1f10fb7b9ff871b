/*
 * audit_log: the rules of the log (see audit_log.h). No I/O, no threads.
 *
 * Always true: `records` has one for each entry that was taken. They lie in chunks that never move,
 * so that a million of them cost what they hold and no more.
 */
#include "audit_log.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_RECORDS 65536
#define KIND_BITS     3
#define LIVE          UINT64_MAX       /* a removal that lies behind every size */
#define NO_SIGN       (UINT64_MAX - 1) /* another entry's record */

_Static_assert(REMOVAL__KINDS <= 1 << KIND_BITS, "a removal's kind has its bits");

struct list {
    size_t count, room;
};

struct audit {
    int64_t size;
    struct audit_sign **chunks;
    struct list chunk_list;
    struct audit_dlv *dlvs;
    struct list dlv_list;
    int64_t *texts; /* the indices of open and text entries */
    struct list text_list;
    struct opening_entry opening;
    uint8_t genesis[HASH_LEN];
    struct audit_counts counts;
    int64_t closed, repeats;
};

/* Room for one more element. */
static void *grow(void *array, struct list *l, size_t size)
{
    size_t room = l->room ? 2 * l->room : 16;

    if (l->count < l->room)
        return array;
    array = reallocarray(array, room, size);
    if (!array)
        abort();
    l->room = room;
    return array;
}

struct audit *audit_new(void)
{
    return xcalloc(1, sizeof(struct audit));
}

void audit_free(struct audit *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->chunk_list.count; i++)
        free(a->chunks[i]);
    free(a->chunks);
    free(a->dlvs);
    free(a->texts);
    free(a);
}

static struct audit_sign *record(const struct audit *a, int64_t index)
{
    return &a->chunks[index / CHUNK_RECORDS][index % CHUNK_RECORDS];
}

static struct audit_sign *new_record(struct audit *a)
{
    if (a->size % CHUNK_RECORDS == 0) {
        a->chunks = grow(a->chunks, &a->chunk_list, sizeof *a->chunks);
        a->chunks[a->chunk_list.count++] = xcalloc(CHUNK_RECORDS, sizeof **a->chunks);
    }
    return record(a, a->size++);
}

/* ---- what each type may do */

static const char *add_text_index(struct audit *a)
{
    a->texts = grow(a->texts, &a->text_list, sizeof *a->texts);
    a->texts[a->text_list.count++] = a->size;
    return NULL;
}

static const char *take_open(struct audit *a, const struct entry *e)
{
    if (a->size > 0)
        return "opens the log a second time";
    a->opening = e->opening;
    return add_text_index(a);
}

static const char *take_text(struct audit *a, const struct entry *e)
{
    (void)e;
    return add_text_index(a);
}

static const char *take_sign(struct audit *a, const struct entry *e)
{
    (void)e;
    a->counts.sign++;
    a->counts.live++;
    return NULL;
}

static const char *remove_sign(struct audit *a, int64_t target, int how)
{
    struct audit_sign *s = target < a->size ? record(a, target) : NULL;

    if (!s || s->removal == NO_SIGN)
        return "removes what is no earlier signature";
    if (s->removal != LIVE)
        return "removes what is removed already";
    s->removal = (uint64_t)a->size << KIND_BITS | (uint64_t)how;
    a->counts.removed[how]++;
    a->counts.live--;
    return NULL;
}

static const char *take_wd(struct audit *a, const struct entry *e)
{
    const struct audit_sign *s = audit_sign_at(a, e->target);
    uint8_t w[HASH_LEN];

    entry_withdraw_hash(w, e->s);
    if (s && sodium_memcmp(w, s->w, sizeof w) != 0)
        return "withdraws without the secret of the signature";
    return remove_sign(a, e->target, REMOVED_WD);
}

static const char *take_void(struct audit *a, const struct entry *e)
{
    return remove_sign(a, e->target, (int)e->why);
}

static const char *take_dlv(struct audit *a, const struct entry *e)
{
    size_t count = a->dlv_list.count;
    struct audit_dlv *d;

    if (e->size < 1 || e->size > a->size)
        return "is of a delivery that was frozen later than itself";
    if (e->n <= (count > 0 ? a->dlvs[count - 1].n : 0))
        return "does not go on with the numbers of the deliveries";
    a->dlvs = grow(a->dlvs, &a->dlv_list, sizeof *a->dlvs);
    d = &a->dlvs[a->dlv_list.count++];
    *d = (struct audit_dlv){.index = a->size, .n = e->n, .size = e->size};
    memcpy(d->manifests, e->manifests, sizeof d->manifests);
    return NULL;
}

static const char *take_close(struct audit *a, const struct entry *e)
{
    int64_t voids = 0;

    for (int why = 0; why < VOID__MAX; why++)
        voids += a->counts.removed[why];
    if (e->signs != a->counts.sign || e->withdrawals != a->counts.removed[REMOVED_WD] ||
        e->voids != voids)
        return "closes the log with other numbers than its entries have";
    if (e->repeats > a->counts.live)
        return "closes the log with more repeats than signatures";
    a->closed = a->size + 1;
    a->repeats = e->repeats;
    return NULL;
}

static const struct {
    const char *(*take)(struct audit *a, const struct entry *e);
    bool after_close;
} rules[ENTRY__TYPES] = {
    [ENTRY_OPEN] = {take_open, false},   [ENTRY_TEXT] = {take_text, false},
    [ENTRY_SIGN] = {take_sign, false},   [ENTRY_WD] = {take_wd, true},
    [ENTRY_VOID] = {take_void, true},    [ENTRY_DLV] = {take_dlv, true},
    [ENTRY_CLOSE] = {take_close, false},
};

const char *audit_add(struct audit *a, const char *body, size_t len)
{
    struct audit_sign *s;
    const char *wrong;
    struct entry e;

    if (entry_read(&e, body, len) != 0)
        return "is not an entry of this format";
    if (a->size == 0 && e.type != ENTRY_OPEN)
        return "does not open the log";
    if (a->closed && !rules[e.type].after_close)
        return "stands behind the one that closes the log";
    wrong = rules[e.type].take(a, &e);
    if (wrong)
        return wrong;
    if (a->size == 0)
        merkle_leaf(a->genesis, body, len);
    s = new_record(a);
    s->removal = e.type == ENTRY_SIGN ? LIVE : NO_SIGN;
    if (e.type == ENTRY_SIGN) {
        memcpy(s->c, e.c, sizeof s->c);
        memcpy(s->w, e.w, sizeof s->w);
    }
    return NULL;
}

/* ---- what follows */

int64_t audit_size(const struct audit *a)
{
    return a->size;
}

const char *audit_origin(const struct audit *a)
{
    return a->opening.origin;
}

const uint8_t *audit_genesis(const struct audit *a)
{
    return a->genesis;
}

const struct audit_sign *audit_sign_at(const struct audit *a, int64_t index)
{
    const struct audit_sign *s = index >= 0 && index < a->size ? record(a, index) : NULL;

    return s && s->removal != NO_SIGN ? s : NULL;
}

bool audit_removed(const struct audit_sign *s, int64_t size, int *how, int64_t *at)
{
    *how = (int)(s->removal & ((1 << KIND_BITS) - 1));
    *at = (int64_t)(s->removal >> KIND_BITS);
    return *at < size;
}

int64_t audit_text_before(const struct audit *a, int64_t index)
{
    size_t i = a->text_list.count;

    while (i > 0 && a->texts[i - 1] >= index)
        i--;
    return i > 0 ? a->texts[i - 1] : 0;
}

const struct audit_dlv *audit_dlv_at(const struct audit *a, size_t i)
{
    return i < a->dlv_list.count ? &a->dlvs[i] : NULL;
}

const struct audit_dlv *audit_dlv_of(const struct audit *a, int64_t n)
{
    for (size_t i = 0; i < a->dlv_list.count; i++)
        if (a->dlvs[i].n == n)
            return &a->dlvs[i];
    return NULL;
}

const struct audit_dlv *audit_dlv_before(const struct audit *a, const struct audit_dlv *d)
{
    size_t i = (size_t)(d - a->dlvs);

    while (i > 0 && a->dlvs[i - 1].index >= d->size)
        i--;
    return i > 0 ? &a->dlvs[i - 1] : NULL;
}

void audit_count(const struct audit *a, int64_t size, struct audit_counts *out)
{
    *out = (struct audit_counts){0};
    for (int64_t i = 0; i < size && i < a->size; i++) {
        const struct audit_sign *s = audit_sign_at(a, i);
        int64_t at;
        int how;

        if (!s)
            continue;
        out->sign++;
        if (audit_removed(s, size, &how, &at))
            out->removed[how]++;
        else
            out->live++;
    }
}

int64_t audit_closed(const struct audit *a, int64_t *repeats)
{
    *repeats = a->repeats;
    return a->closed;
}
