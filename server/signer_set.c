/*
 * signer_set: open addressing with linear probing, in parts of their own by the first byte, so that
 * growing moves a small part at a time. Slots are whole pages, from the kernel and back to it: the
 * heap would keep the holes that each growth of each part leaves.
 */
#include "signer_set.h"

#include "buf.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PARTS      256
#define PAGE_SLOTS 512 /* of 4096 bytes */

/* Slots in the order of their values, but for those that found theirs taken. 0: empty. */
struct part {
    uint64_t *slots;
    uint32_t count, room;
};

struct signer_set {
    size_t count;
    struct part parts[PARTS];
};

/* ---- a part */

static uint64_t value_of(const uint8_t head[SIGNER_SET_HEAD_LEN])
{
    uint64_t value;

    memcpy(&value, head + 1, sizeof value);
    return value ? value : 1;
}

static uint32_t place_of(const struct part *p, uint64_t value)
{
    return (uint32_t)((value >> 32) * p->room >> 32);
}

static uint32_t behind(const struct part *p, uint32_t at)
{
    return at + 1 == p->room ? 0 : at + 1;
}

/* The slot that holds the value, or the empty one where it belongs. */
static uint32_t find(const struct part *p, uint64_t value)
{
    uint32_t at = place_of(p, value);

    while (p->slots[at] != 0 && p->slots[at] != value)
        at = behind(p, at);
    return at;
}

static uint64_t *new_slots(uint32_t room)
{
    uint64_t *slots = mmap(NULL, room * sizeof *slots, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (slots == MAP_FAILED)
        abort();
    madvise(slots, room * sizeof *slots, MADV_DONTDUMP);
    return slots;
}

static void free_slots(struct part *p)
{
    if (!p->slots)
        return;
    sodium_memzero(p->slots, p->room * sizeof *p->slots);
    munmap(p->slots, p->room * sizeof *p->slots);
}

static void grow(struct part *p, uint32_t pages)
{
    struct part grown = {.count = p->count, .room = p->room + pages * PAGE_SLOTS};

    grown.slots = new_slots(grown.room);
    for (uint32_t i = 0; i < p->room; i++)
        if (p->slots[i] != 0)
            grown.slots[find(&grown, p->slots[i])] = p->slots[i];
    free_slots(p);
    *p = grown;
}

/* ---- the set */

struct signer_set *signer_set_new(uint64_t expected)
{
    struct signer_set *set = xcalloc(1, sizeof *set);

    for (unsigned i = 0; i < PARTS; i++)
        grow(&set->parts[i], (uint32_t)(expected / PARTS * 10 / 7 / PAGE_SLOTS + 1));
    return set;
}

void signer_set_free(struct signer_set *set)
{
    for (unsigned i = 0; set && i < PARTS; i++)
        free_slots(&set->parts[i]);
    free(set);
}

static struct part *part_of(struct signer_set *set, const uint8_t head[SIGNER_SET_HEAD_LEN])
{
    return &set->parts[head[0]];
}

bool signer_set_add(struct signer_set *set, const uint8_t head[SIGNER_SET_HEAD_LEN])
{
    struct part *p = part_of(set, head);
    uint64_t value = value_of(head);
    uint32_t at;
    bool is_new;

    if (p->count >= p->room / 4 * 3)
        grow(p, p->room / PAGE_SLOTS / 4 + 1);
    at = find(p, value);
    is_new = p->slots[at] == 0;
    p->slots[at] = value;
    p->count += is_new;
    set->count += is_new;
    return is_new;
}

void signer_set_remove(struct signer_set *set, const uint8_t head[SIGNER_SET_HEAD_LEN])
{
    struct part *p = part_of(set, head);
    uint32_t hole = find(p, value_of(head));

    assert(p->slots[hole] != 0);
    /* Whoever stands behind and would have stood here, or before, moves up. */
    for (uint32_t at = behind(p, hole); p->slots[at] != 0; at = behind(p, at)) {
        uint32_t place = place_of(p, p->slots[at]);
        uint32_t from_place = at >= place ? at - place : at + p->room - place;
        uint32_t from_hole = at >= hole ? at - hole : at + p->room - hole;

        if (from_place >= from_hole) {
            p->slots[hole] = p->slots[at];
            hole = at;
        }
    }
    p->slots[hole] = 0;
    p->count--;
    set->count--;
}

size_t signer_set_count(const struct signer_set *set)
{
    return set->count;
}
