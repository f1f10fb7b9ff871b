/*
 * batch: a file of paper rows goes in as a whole, and can be removed as a whole.
 *
 * All or nothing: a file with a wrong row is refused, so that the mended file can be brought in
 * again without counting rows without a contact twice. A good one goes through the writer in
 * chunks, so that signers online never wait long, and in random order within a chunk, so that the
 * log does not tell who signed next to whom. The batch is stored before its first row and marked
 * as done with its last: what a crash or a full disk interrupts stays visible as such, and is
 * removed by an organiser before the file is brought in again. (The server cannot go on by itself:
 * the file is not kept.)
 *
 * Removing appends a `void` entry for each live row, in chunks; interrupted, it is gone on with by
 * asking again. One import or removal runs at a time. The calls wait: they are for threads that
 * may.
 */
#ifndef BATCH_H
#define BATCH_H

#include "paper.h"

#define BATCH_LABEL_MAX 200 /* code points */

struct batches;

struct batches_config {
    struct writer *writer;
    const struct content *content;
    const struct identity *identity;
    struct submitter *submitter;
};
struct batches *batches_new(const struct batches_config *config);
void batches_free(struct batches *b);
/* The server is stopping: what is in work ends after its chunk, interrupted. Any thread. */
void batches_stop(struct batches *b);

enum batch_outcome {
    BATCH_DONE,
    BATCH_FAULT,       /* of the file: nothing was stored */
    BATCH_WRONG_ROWS,  /* nothing was stored */
    BATCH_STALE,       /* there is a newer batch than file->after: nothing was stored */
    BATCH_BUSY,        /* another one runs: nothing was stored */
    BATCH_CLOSED,      /* the petition is closed: nothing was stored */
    BATCH_UNKNOWN,     /* removal: there is no such batch */
    BATCH_GONE,        /* removal: it was removed before */
    BATCH_FAILED,      /* the database failed before anything was stored, or removed */
    BATCH_INTERRUPTED, /* after a part of it was */
    BATCH_OUTCOME__COUNT
};

struct batch_file {
    const char *data;
    size_t len;
    enum lang lang;    /* of whoever brings it in */
    size_t rows_max;   /* 0: PAPER_ROWS_MAX */
    int64_t after;     /* the newest batch must be this one; -1: any */
    const char *who;   /* in the audit trail */
    const char *label; /* cleaned; "" if there is none */
    /* Each row, as it is judged; may be NULL. */
    void (*row)(void *ctx, const struct paper_row *row);
    /* After each chunk; may be NULL. */
    void (*progress)(void *ctx, size_t stored);
    void *ctx;
};

struct batch_result {
    enum batch_outcome outcome;
    enum paper_fault fault; /* BATCH_FAULT */
    size_t line;            /* of the fault */
    struct paper_totals totals;
    int64_t id;    /* 0: there is no batch */
    size_t stored; /* rows; of a removal: removed */
};

/* A verdict on each row; stores nothing. The outcome is DONE, FAULT, WRONG_ROWS or
 * CLOSED. */
void batch_check(const struct batches *b, const struct batch_file *file,
                 struct batch_result *result);
/* Checks, and if all is well stores the batch. */
void batch_import(struct batches *b, const struct batch_file *file, struct batch_result *result);

struct batch_removal {
    int64_t id;
    enum void_why why; /* the first one counts */
    const char *who;   /* in the audit trail */
};
/* Removes what is left of a batch. */
void batch_remove(struct batches *b, const struct batch_removal *removal,
                  struct batch_result *result);

/* The batch whose rows are going in or out at this moment; 0: none. */
int64_t batch_in_work(const struct batches *b);

#endif
