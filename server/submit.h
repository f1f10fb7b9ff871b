/*
 * submit: from a valid form to a stored submission. The one way in, for signers who come by the web
 * and for rows of paper sheets.
 *
 * submission_prepare does all that can be done before the writer's turn, on any thread;
 * submission_apply is the writer's part, inside its transaction. A struct draft holds what the
 * signer typed (in its record): it is wiped with draft_release.
 */
#ifndef SUBMIT_H
#define SUBMIT_H

#include "form.h"
#include "seal.h"
#include "writer.h"

/* What all submissions of a petition share. Constant, but for the sealing of the open transaction,
 * which is the writer's. */
struct submitter;

struct submit_config {
    const struct identity *identity;
    uint8_t genesis[HASH_LEN]; /* G: leaf hash of entry 0 */
    uint8_t seal_key[SEAL_KEY_LEN];
    int64_t text_index; /* of the last open or text entry */
};

struct submitter *submitter_new(const struct submit_config *config);
void submitter_free(struct submitter *s);
/* The petition is closed: handlers need not try any more. Any thread. */
void submitter_close(struct submitter *s);
bool submitter_closed(const struct submitter *s);
/* Around every transaction attempt: the life of the ephemeral sealing key. */
int submitter_begin(struct submitter *s) DB_CHECKED;
void submitter_end(struct submitter *s);

struct draft {
    const struct form *form; /* valid; until submission_apply has run for the last time */
    enum tier tier;
    int64_t batch; /* of paper; 0: a form */
    uint8_t tag[TAG_LEN];
    uint8_t w[HASH_LEN];
    uint8_t opening[OPENING_LEN];
    day_number day;
    uint8_t r2[HASH_LEN];
    struct buf entry, record, fields;
    uint8_t leaf[HASH_LEN]; /* of the entry */
    int64_t index;          /* set by submission_apply */
};

void draft_init(struct draft *d, const struct form *form, enum tier tier);
void draft_release(struct draft *d);

/* Builds tag, entry and record. A form without a contact gets a random tag: it stands for nobody
 * else. False if the record is too long to seal. */
bool submission_prepare(const struct submitter *s, struct draft *d)
    __attribute__((warn_unused_result));
/* Appends the entry and stores the submission. DB_NO_ROW, and nothing is stored, if the petition is
 * closed. */
int submission_apply(struct submitter *s, struct draft *d, struct db *db) DB_CHECKED;

#endif
