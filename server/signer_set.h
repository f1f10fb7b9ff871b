/*
 * signer_set: the contacts that have signed, in memory: whether one is new is asked here, not on a
 * page of the database.
 *
 * A contact goes by the first bytes of its tag, which a keyed hash has spread evenly. Nine of them
 * are used: that any two of 10,000,000 contacts are taken for one has a chance of 1 in 100,000,000.
 * Adding one that is there costs what adding a new one costs: a slot is looked for and written.
 * Takes 11 to 14 bytes for a contact, and 1 MiB with few. One thread.
 */
#ifndef SIGNER_SET_H
#define SIGNER_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGNER_SET_HEAD_LEN 9

struct signer_set;

/* With room for so many; it grows. */
struct signer_set *signer_set_new(uint64_t expected);
/* Overwrites what it held. */
void signer_set_free(struct signer_set *set);

/* True if it was not there. */
bool signer_set_add(struct signer_set *set, const uint8_t head[SIGNER_SET_HEAD_LEN]);
/* Takes out one that is there. */
void signer_set_remove(struct signer_set *set, const uint8_t head[SIGNER_SET_HEAD_LEN]);
size_t signer_set_count(const struct signer_set *set);

#endif
