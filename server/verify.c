/*
 * verify: all things in, one verdict out (see verify.h). One thread.
 *
 * The order is: read everything; find the key; open every checkpoint with it; recompute the log, if
 * there is one, with all those trees as marks; then look at receipts, openings and bundles, whose
 * entries are known by now. The first thing that does not hold ends it.
 */
#include "verify.h"

#include "fetch.h"
#include "files.h"
#include "log_check.h"
#include "things.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARKS_PER_THING 2 /* a bundle has a checkpoint and a root */

struct verifying {
    const struct verify *request;
    struct thing *things;
    size_t count;       /* read */
    struct thing *log;  /* one of them, or NULL */
    struct thing saved; /* what is in the file of `save`; kind THING_CHECKPOINT if there is one */
    bool has_saved, has_key;
    struct note_verifier key;
    struct log_mark *marks;
    size_t mark_count;
    struct log_check check;
    struct audit *audit; /* NULL without a log */
    struct buf *out, *err, believed, why;
    int status;
};

/* ---- saying */

static int fail_with(struct verifying *v, int status, const char *name, const char *sentence)
{
    buf_printf(v->err, "%s%s%s", name ? name : "", name ? ": " : "", sentence);
    v->status = status;
    return -1;
}

static int fail(struct verifying *v, const char *name, const char *sentence)
{
    return fail_with(v, 1, name, sentence);
}

/* Once each, however many things ask for it. */
static void believe(struct verifying *v, const char *sentence)
{
    if (!strstr(v->believed.data, sentence))
        buf_printf(&v->believed, "believed: %s\n", sentence);
}

/* ---- reading */

static int read_things(struct verifying *v)
{
    const struct verify *r = v->request;

    for (size_t i = 0; i < r->count; i++) {
        struct thing *t = &v->things[v->count++];

        if (thing_read(t, r->names[i], r->minisign_key, &v->why) != 0)
            return fail(v, t->name, v->why.data);
        if (t->kind == THING_LOG && v->log)
            return fail_with(v, 2, t->name, "is a second log: one at a time");
        if (t->kind == THING_LOG)
            v->log = t;
    }
    if (!r->save)
        return 0;
    if (!v->log)
        return fail_with(v, 2, NULL, "--save needs a log: log.zip, a folder or an address");
    if (access(r->save, F_OK) != 0 && errno == ENOENT)
        return 0;
    v->has_saved = true;
    if (thing_read(&v->saved, r->save, NULL, &v->why) != 0)
        return fail(v, r->save, v->why.data);
    return v->saved.kind == THING_CHECKPOINT ? 0 : fail(v, r->save, "is no checkpoint");
}

/* Whether anything there is of no use without the key. */
static bool needs_key(const struct verifying *v)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->things[i].kind != THING_BUNDLE && v->things[i].kind != THING_OPENING)
            return true;
    return false;
}

static int find_key(struct verifying *v)
{
    struct buf text;

    if (v->request->vkey) {
        v->has_key = true;
        return note_parse_vkey(&v->key, v->request->vkey) == 0
                   ? 0
                   : fail_with(v, 2, NULL, "--vkey is not the key of a log");
    }
    if (!v->log)
        return needs_key(v) ? fail_with(v, 2, NULL, "without a log the log's key is needed: --vkey")
                            : 0;
    if (log_source_key(v->log->log, &v->key, &v->why) != 0)
        return fail(v, v->log->name, v->why.data);
    v->has_key = true;
    buf_init(&text, BUF_UNLIMITED);
    buf_adds(&text, "that this is the key of the log, which the log names itself: ");
    note_print_vkey(&text, &v->key);
    believe(v, text.data);
    buf_release(&text);
    return 0;
}

/* ---- checkpoints */

/* The signed note that a thing has; NULL if it has none. */
static const struct buf *note_of(const struct thing *t)
{
    if (t->kind == THING_PROOF)
        return &t->proof.checkpoint;
    if (t->kind == THING_CHECKPOINT)
        return &t->note;
    if (t->kind == THING_BUNDLE && bundle_check_facts(t->bundle)->checkpoint.len > 0)
        return &bundle_check_facts(t->bundle)->checkpoint;
    return NULL;
}

static int open_checkpoint(struct verifying *v, struct thing *t)
{
    const struct buf *note = note_of(t);
    const char *wrong =
        note ? checkpoint_open(&t->checkpoint, &v->key, note->data, note->len) : NULL;

    if (wrong)
        return fail(v, t->name, wrong);
    if (note)
        v->marks[v->mark_count++] = (struct log_mark){t->name, t->checkpoint.tree};
    return 0;
}

/* What a bundle says of its root, and that its checkpoint says the same. */
static int add_root(struct verifying *v, const struct thing *t)
{
    const struct bundle_facts *f = bundle_check_facts(t->bundle);
    struct merkle_tree tree = {.size = f->totals[BUNDLE_LOG_SIZE]};

    if (f->has_root) {
        memcpy(tree.root, f->root, HASH_LEN);
        v->marks[v->mark_count++] = (struct log_mark){t->name, tree};
    }
    if (f->checkpoint.len > 0 && t->checkpoint.tree.size != tree.size)
        return fail(v, t->name, "its checkpoint is of another size than its delivery");
    return 0;
}

static int open_checkpoints(struct verifying *v)
{
    if (!v->has_key)
        return 0;
    for (size_t i = 0; i < v->count; i++)
        if (open_checkpoint(v, &v->things[i]) != 0 ||
            (v->things[i].kind == THING_BUNDLE && add_root(v, &v->things[i]) != 0))
            return -1;
    return v->has_saved ? open_checkpoint(v, &v->saved) : 0;
}

/* Without the log: trees of one size are one tree. Checkpoints of two sizes were given to be
 * compared, which takes the log; receipts may be of as many sizes as there are. */
static int compare_marks(struct verifying *v)
{
    const struct thing *first = NULL;
    bool sizes = false;

    for (size_t i = 1; i < v->mark_count; i++) {
        const struct merkle_tree *a = &v->marks[i - 1].tree, *b = &v->marks[i].tree;

        sizes = sizes || a->size != b->size;
        for (size_t j = 0; j < i; j++)
            if (v->marks[j].tree.size == b->size &&
                memcmp(v->marks[j].tree.root, b->root, HASH_LEN) != 0)
                return fail(v, v->marks[i].name,
                            "has another root than a tree of the same size: the log was forked");
    }
    for (size_t i = 0; i < v->count; i++) {
        const struct thing *t = &v->things[i];

        if (t->kind != THING_CHECKPOINT)
            continue;
        if (first && first->checkpoint.tree.size != t->checkpoint.tree.size)
            return fail(v, t->name,
                        "is of another size than the checkpoint before: give the log, too");
        first = t;
    }
    if (sizes)
        believe(v, "that the trees of these sizes are one log: the log itself shows it");
    return 0;
}

/* ---- the log */

static void tell_counts(struct verifying *v)
{
    struct audit_counts c;
    int64_t repeats = 0, voids = 0;

    audit_count(v->audit, audit_size(v->audit), &c);
    for (int why = 0; why < VOID__MAX; why++)
        voids += c.removed[why];
    buf_printf(v->out,
               "count: %" PRId64 " sign entries - %" PRId64 " withdrawn - %" PRId64
               " removed = %" PRId64 " live submissions\n",
               c.sign, c.removed[REMOVED_WD], voids, c.live);
    for (int why = 0; why < VOID__MAX; why++)
        if (c.removed[why] > 0)
            buf_printf(v->out, "removed as %s: %" PRId64 "\n", void_why_names[why], c.removed[why]);
    if (audit_closed(v->audit, &repeats)) {
        buf_printf(v->out, "closed: %" PRId64 " repeats\n", repeats);
        believe(v, "the number of repeats at the close");
    } else {
        believe(v, "how many of the live submissions are repeats of one person");
    }
}

static void tell_log(struct verifying *v)
{
    const struct audit_dlv *d;

    buf_printf(v->out,
               "log: %s, %" PRId64 " entries; root recomputed, %" PRId64 " tiles compared\n",
               audit_origin(v->audit), audit_size(v->audit), v->check.tiles);
    tell_counts(v);
    for (size_t i = 0; (d = audit_dlv_at(v->audit, i)); i++)
        buf_printf(v->out, "delivery %" PRId64 ": frozen at size %" PRId64 ", entry %" PRId64 "\n",
                   d->n, d->size, d->index);
    believe(v, "that signers are real people: no log can show that");
}

static int check_log(struct verifying *v)
{
    if (!v->log)
        return compare_marks(v);
    v->check.source = v->log->log;
    v->check.verifier = &v->key;
    v->check.marks = v->marks;
    v->check.mark_count = v->mark_count;
    v->audit = log_check_run(&v->check, &v->why);
    if (!v->audit)
        return fail(v, v->log->name, v->why.data);
    tell_log(v);
    return 0;
}

/* ---- receipts */

static void tell_state(struct verifying *v, int64_t index)
{
    const struct audit_sign *s = v->audit ? audit_sign_at(v->audit, index) : NULL;
    int64_t at;
    int how;

    if (!s)
        return;
    if (!audit_removed(s, audit_size(v->audit), &how, &at))
        buf_adds(v->out, ", live");
    else if (how == REMOVED_WD)
        buf_printf(v->out, ", withdrawn by entry %" PRId64, at);
    else
        buf_printf(v->out, ", removed (%s) by entry %" PRId64, void_why_names[how], at);
}

static int check_proof(struct verifying *v, struct thing *t)
{
    const char *wrong = tlog_proof_verify(&t->proof, &v->key, &t->checkpoint);
    struct entry e;

    if (!wrong && entry_read(&e, t->proof.extra.data, t->proof.extra.len) != 0)
        wrong = "its entry is none of this format";
    if (!wrong && e.type != ENTRY_SIGN)
        wrong = "its entry is not a signature";
    if (wrong)
        return fail(v, t->name, wrong);
    buf_printf(v->out, "%s: entry %" PRId64 " is in the log of size %" PRId64, t->name,
               t->proof.index, t->checkpoint.tree.size);
    tell_state(v, t->proof.index);
    buf_addc(v->out, '\n');
    return 0;
}

static const char *compare_with_log(const struct verifying *v, const struct thing *t,
                                    const uint8_t c[HASH_LEN], bool *found)
{
    const struct opening *o = &t->opening;
    const struct audit_sign *s = audit_sign_at(v->audit, o->index);
    struct fields_read f;
    int64_t text = -1;

    if (!s)
        return "there is no signature at its index in the log";
    *found = true;
    if (memcmp(audit_genesis(v->audit), o->genesis, HASH_LEN) != 0)
        return "is of another log";
    if (memcmp(s->c, c, HASH_LEN) != 0)
        return "does not open the commitment of its entry";
    if (fields_read(&f, o->fields.data, o->fields.len) == 0) {
        text = f.fields.text;
        fields_release(&f);
    }
    return text == audit_text_before(v->audit, o->index)
               ? NULL
               : "was signed under another text than it says";
}

/* Compares with each proof of that index, and with the log. */
static int check_opening(struct verifying *v, struct thing *t)
{
    const char *wrong = NULL;
    uint8_t c[HASH_LEN];
    bool found = false;

    opening_commitment(&t->opening, c);
    for (size_t i = 0; i < v->count && !wrong; i++) {
        const struct thing *p = &v->things[i];
        struct entry e;

        if (p->kind != THING_PROOF || p->proof.index != t->opening.index)
            continue;
        found = true;
        if (entry_read(&e, p->proof.extra.data, p->proof.extra.len) != 0 || e.type != ENTRY_SIGN ||
            memcmp(e.c, c, HASH_LEN) != 0)
            wrong = "does not open the commitment of its entry";
    }
    if (!wrong && v->audit)
        wrong = compare_with_log(v, t, c, &found);
    if (!wrong && !found)
        wrong = "needs its receipt (.tlog-proof), or the log";
    if (wrong)
        return fail(v, t->name, wrong);
    buf_printf(v->out,
               "%s: opens the commitment of entry %" PRId64
               ": contact and fields are what was signed\n",
               t->name, t->opening.index);
    return 0;
}

/* ---- bundles */

static int check_bundle(struct verifying *v, struct thing *t)
{
    const struct bundle_facts *f = bundle_check_facts(t->bundle);
    char key[MINISIGN_PUBLIC_TEXT + 80];
    struct row_counts rows;

    if (bundle_check_run(t->bundle, v->audit, &rows, &v->why) != 0)
        return fail(v, t->name, v->why.data);
    buf_printf(v->out,
               "%s: delivery %" PRId64 " of %s to addressee %" PRId64 ": %" PRId64 " rows, %" PRId64
               " with name%s\n",
               t->name, f->delivery, f->date, f->addressee, rows.rows, rows.opened,
               v->audit ? "; each is a live signature of the log, and none is left out"
                        : "; sums, signature and totals agree");
    buf_printf(v->out,
               "%s: %" PRId64 " signatures + %" PRId64 " repeats = %" PRId64 " submissions\n",
               t->name, f->totals[BUNDLE_SIGNATURES], f->totals[BUNDLE_REPEATS],
               f->totals[BUNDLE_SUBMISSIONS]);
    if (f->key_is_its_own) {
        snprintf(key, sizeof key,
                 "that this minisign key is the petition's, which the bundle names itself: %s",
                 f->minisign_key);
        believe(v, key);
    }
    believe(v, "the tier of each row, the countries of private rows, repeats and confirmations");
    believe(v, "what the letters say, and the words and tables of the summary");
    if (!v->audit)
        believe(v, "that the rows, and the list of what was withdrawn or removed, are the log's: "
                   "give log.zip of this delivery, too");
    return 0;
}

static int check_thing(struct verifying *v, struct thing *t)
{
    switch (t->kind) {
    case THING_PROOF:
        return check_proof(v, t);
    case THING_OPENING:
        return check_opening(v, t);
    case THING_BUNDLE:
        return check_bundle(v, t);
    case THING_CHECKPOINT:
        buf_printf(v->out, "%s: signed checkpoint of size %" PRId64 "%s\n", t->name,
                   t->checkpoint.tree.size, v->audit ? "; the log begins with it" : "");
        return 0;
    case THING_LOG:
        return 0;
    }
    return 0;
}

/* ---- the whole */

static int save(struct verifying *v)
{
    const char *path = v->request->save;

    if (!path)
        return 0;
    if (files_replace(path, v->check.note.data, v->check.note.len) != 0)
        return fail(v, path, strerror(errno));
    if (v->has_saved)
        buf_printf(v->out, "%s: the log still begins with the %" PRId64 " entries seen then\n",
                   path, v->saved.checkpoint.tree.size);
    return 0;
}

static int verify_all(struct verifying *v)
{
    if (read_things(v) != 0 || find_key(v) != 0 || open_checkpoints(v) != 0 || check_log(v) != 0)
        return -1;
    for (size_t i = 0; i < v->count; i++)
        if (check_thing(v, &v->things[i]) != 0)
            return -1;
    return save(v);
}

int verify_run(const struct verify *request, struct buf *out, struct buf *err)
{
    struct verifying v = {.request = request, .out = out, .err = err};

    v.things = xcalloc(request->count, sizeof *v.things);
    v.marks = xcalloc(MARKS_PER_THING * request->count + 1, sizeof *v.marks);
    buf_init(&v.believed, BUF_UNLIMITED);
    buf_init(&v.why, BUF_UNLIMITED);
    buf_init(&v.check.note, NOTE_MAX_BYTES);
    if (verify_all(&v) == 0) {
        buf_add(out, v.believed.data, v.believed.len);
        buf_adds(out, "OK\n");
    }
    for (size_t i = 0; i < v.count; i++)
        thing_release(&v.things[i]);
    if (v.has_saved)
        thing_release(&v.saved);
    audit_free(v.audit);
    buf_release(&v.believed);
    buf_release(&v.why);
    buf_release(&v.check.note);
    free(v.marks);
    free(v.things);
    return v.status;
}

int verify_print(const struct verify *request)
{
    struct buf out, err;
    int status;

    buf_init(&out, BUF_UNLIMITED);
    buf_init(&err, BUF_UNLIMITED);
    status = verify_run(request, &out, &err);
    if (status != 0)
        fprintf(stderr, "petition: %s\n", err.data);
    else if (files_write_all(STDOUT_FILENO, out.data, out.len) != 0)
        status = 1;
    buf_release(&out);
    buf_release(&err);
    return status;
}
