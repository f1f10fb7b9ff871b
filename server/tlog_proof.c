/*
 * tlog_proof: writing, reading and checking proofs (see tlog_proof.h). Any thread: there is no
 * state. What the entry says is left to the caller.
 */
#include "tlog_proof.h"

#include <inttypes.h>
#include <string.h>

#define FIRST_LINE "c2sp.org/tlog-proof@v1\n"
#define EXTRA      "extra "
#define INDEX      "index "

#define BASE64_HASH_CHARS 44

void tlog_proof_init(struct tlog_proof *p)
{
    p->index = 0;
    p->path.count = 0;
    buf_init(&p->extra, TLOG_PROOF_ENTRY_MAX);
    buf_init(&p->checkpoint, NOTE_MAX_BYTES);
}

void tlog_proof_release(struct tlog_proof *p)
{
    buf_release(&p->extra);
    buf_release(&p->checkpoint);
}

void tlog_proof_write(struct buf *out, const struct tlog_proof *p)
{
    buf_adds(out, FIRST_LINE);
    if (p->extra.len > 0) {
        buf_adds(out, EXTRA);
        buf_base64(out, (const uint8_t *)p->extra.data, p->extra.len);
        buf_addc(out, '\n');
    }
    buf_printf(out, INDEX "%" PRId64 "\n", p->index);
    for (size_t i = 0; i < p->path.count; i++) {
        buf_base64(out, p->path.hashes[i], HASH_LEN);
        buf_addc(out, '\n');
    }
    buf_addc(out, '\n');
    buf_add(out, p->checkpoint.data, p->checkpoint.len);
}

/* ---- reading */

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *c, const char *literal)
{
    size_t len = strlen(literal);

    if ((size_t)(c->end - c->at) < len || memcmp(c->at, literal, len) != 0)
        return false;
    c->at += len;
    return true;
}

/* Takes the rest of a line and its newline; NULL if it has none. */
static const char *take_line(struct cursor *c, size_t *len)
{
    const char *line = c->at, *newline = memchr(c->at, '\n', (size_t)(c->end - c->at));

    if (!newline)
        return NULL;
    *len = (size_t)(newline - line);
    c->at = newline + 1;
    return line;
}

static bool take_extra(struct cursor *c, struct buf *extra)
{
    size_t len;
    const char *line = take_line(c, &len);

    return line && len > 0 && buf_unbase64(extra, line, len) == 0;
}

static bool take_hash(struct cursor *c, struct merkle_path *path)
{
    char base64[BASE64_HASH_CHARS + 1] = "";
    size_t len;
    const char *line = take_line(c, &len);

    if (!line || len != BASE64_HASH_CHARS || path->count == MERKLE_PATH_MAX)
        return false;
    memcpy(base64, line, len);
    return base64_decode(path->hashes[path->count++], HASH_LEN, base64) == 0;
}

int tlog_proof_parse(struct tlog_proof *out, const char *file, size_t len)
{
    struct cursor c = {file, file + len};
    const char *line;

    if (len > TLOG_PROOF_MAX_BYTES || !take(&c, FIRST_LINE) ||
        (take(&c, EXTRA) && !take_extra(&c, &out->extra)) || !take(&c, INDEX))
        return -1;
    line = take_line(&c, &len);
    out->index = line ? checkpoint_number(line, len) : -1;
    if (out->index < 0)
        return -1;
    while (!take(&c, "\n"))
        if (!take_hash(&c, &out->path))
            return -1;
    buf_add(&out->checkpoint, c.at, (size_t)(c.end - c.at));
    return buf_ok(&out->checkpoint) ? 0 : -1;
}

const char *tlog_proof_verify(const struct tlog_proof *p, const struct note_verifier *v,
                              struct checkpoint *c)
{
    uint8_t leaf[HASH_LEN];
    const char *wrong = checkpoint_open(c, v, p->checkpoint.data, p->checkpoint.len);

    if (wrong)
        return wrong;
    if (p->extra.len == 0)
        return "the proof does not hold its entry";
    merkle_leaf(leaf, p->extra.data, p->extra.len);
    if (!merkle_verify_inclusion(&c->tree, p->index, leaf, &p->path))
        return "the entry is not in the log at that index";
    return NULL;
}
