/*
 * receipt: judging what was pasted, and answering with what the log says (see receipt.h). Runs on
 * the request threads; the body is wiped by http, the copy of it here.
 *
 * A .tlog-proof is judged in the order of its specification: the checkpoint's log and signature,
 * the entry in its tree, and then what only this server can tell: whether the log that it shows to
 * everybody begins with that tree. If it does not, the receipt is evidence, and the page says so.
 */
#include "receipt.h"

#include "input.h"
#include "tlog_proof.h"

#include <sodium.h>
#include <string.h>

static const int statuses[RECEIPT_STATE__COUNT] = {
    [RECEIPT_ASK] = 200,     [RECEIPT_MISSING] = 422, [RECEIPT_MALFORMED] = 422,
    [RECEIPT_PRIVATE] = 422, [RECEIPT_CODE] = 422,    [RECEIPT_FOREIGN] = 422,
    [RECEIPT_FORGED] = 422,  [RECEIPT_BROKEN] = 422,  [RECEIPT_FORK] = 422,
    [RECEIPT_UNKNOWN] = 404, [RECEIPT_LATER] = 404,   [RECEIPT_BUSY] = 503,
    [RECEIPT_FOUND] = 200,
};

struct asking {
    const struct receipts *receipts;
    struct view_receipt shown;
    struct lookup_entry entry;
};

/* ---- what the log says */

/* Looks the entry up; RECEIPT_FOUND still has to be earned by its code or its hash. */
static enum receipt_state look_up(struct asking *a, int64_t index)
{
    int result = lookup_entry(a->receipts->lookup, index, &a->entry);

    a->shown.index = index;
    if (result == DB_NO_ROW && index >= lookup_size(a->receipts->lookup))
        return RECEIPT_LATER;
    if (result != DB_OK)
        return result == DB_NO_ROW ? RECEIPT_UNKNOWN : RECEIPT_BUSY;
    a->shown.since = a->entry.since;
    a->shown.end = a->entry.end;
    a->shown.why = a->entry.why;
    a->shown.deliveries = a->entry.deliveries;
    a->shown.delivery_count = a->entry.delivery_count;
    a->shown.more_deliveries = a->entry.more_deliveries;
    return RECEIPT_FOUND;
}

static enum receipt_state judge_code(struct asking *a, int64_t index, const char *plain)
{
    enum receipt_state state = look_up(a, index);
    char code[CODE_MAX];

    if (state != RECEIPT_FOUND)
        return state;
    entry_short_code(code, index, a->entry.leaf);
    return strcmp(code, plain) == 0 ? RECEIPT_FOUND : RECEIPT_UNKNOWN;
}

/* Whose checkpoint it is, by what it says itself. */
static bool is_foreign(const struct tlog_proof *proof, const struct note_verifier *v)
{
    size_t len = strcspn(proof->checkpoint.data, "\n");

    return len != strlen(v->name) || memcmp(proof->checkpoint.data, v->name, len) != 0;
}

static enum receipt_state judge_proof(struct asking *a, const struct tlog_proof *proof)
{
    const struct note_verifier *v = lookup_verifier(a->receipts->lookup);
    uint8_t leaf[HASH_LEN];
    enum receipt_state state;
    struct checkpoint c;
    int result;

    if (is_foreign(proof, v))
        return RECEIPT_FOREIGN;
    if (checkpoint_open(&c, v, proof->checkpoint.data, proof->checkpoint.len))
        return RECEIPT_FORGED;
    if (tlog_proof_verify(proof, v, &c))
        return RECEIPT_BROKEN;
    result = lookup_begins_with(a->receipts->lookup, &c.tree);
    if (result != DB_OK)
        return result == DB_NO_ROW ? RECEIPT_FORK : RECEIPT_BUSY;
    state = look_up(a, proof->index);
    merkle_leaf(leaf, proof->extra.data, proof->extra.len);
    a->shown.proven = c.tree.size;
    if (state == RECEIPT_FOUND && memcmp(leaf, a->entry.leaf, HASH_LEN) != 0)
        return RECEIPT_FORK;
    return state;
}

/* ---- what was pasted */

/* As the file was: forms send CR LF, and people lose the end of the last line. */
static void restore_lines(struct buf *out, const char *typed)
{
    size_t len = strlen(typed);

    while (len > 0 && strchr(" \t\r\n", typed[len - 1]))
        len--;
    for (size_t i = 0; i < len; i++)
        if (typed[i] != '\r')
            buf_addc(out, typed[i]);
    buf_addc(out, '\n');
}

static enum receipt_state judge_file(struct asking *a, const char *typed)
{
    enum receipt_state state = RECEIPT_MALFORMED;
    struct tlog_proof proof;
    struct buf file;

    buf_init(&file, INPUT_BODY_MAX_BYTES);
    tlog_proof_init(&proof);
    restore_lines(&file, typed);
    if (tlog_proof_parse(&proof, file.data, file.len) == 0)
        state = judge_proof(a, &proof);
    tlog_proof_release(&proof);
    buf_wipe(&file);
    return state;
}

/* What must never be shown to anybody, in any spelling. */
static bool is_private(const char *typed)
{
    static const char *const members[] = {"\"r2\"", "\"genesis\"", "\"contact\""};

    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strstr(typed, members[i]))
            return true;
    return false;
}

static enum receipt_state judge(struct asking *a, const char *typed)
{
    static const char first_line[] = "c2sp.org/tlog-proof@";
    uint8_t seed[SEED_LEN];
    char plain[CODE_MAX];
    int64_t index;
    bool is_code;

    typed += strspn(typed, " \t\r\n#");
    if (*typed == '\0')
        return RECEIPT_MISSING;
    if (is_private(typed))
        return RECEIPT_PRIVATE;
    if (strncmp(typed, first_line, strlen(first_line)) == 0)
        return judge_file(a, typed);
    is_code = entry_parse_withdraw_code(&index, seed, typed) == 0;
    sodium_memzero(seed, sizeof seed);
    if (is_code)
        return RECEIPT_CODE;
    return entry_parse_short_code(&index, plain, typed) == 0 ? judge_code(a, index, plain)
                                                             : RECEIPT_MALFORMED;
}

void receipt_form(struct http_request *rq, void *ctx)
{
    struct asking a = {.receipts = ctx};
    const struct input_member *m;
    const char *typed = "";
    struct input in;
    struct buf page;
    size_t len;
    const char *body = http_body(rq, &len);
    bool again;

    if (input_parse_form(&in, body, len) != INPUT_OK) {
        http_fail(rq, 400);
        input_release(&in);
        return;
    }
    m = input_find(&in, "receipt", &again);
    if (m && m->string && !again)
        typed = m->string;
    a.shown.state = judge(&a, typed);
    if (a.shown.state != RECEIPT_PRIVATE && a.shown.state != RECEIPT_CODE)
        a.shown.typed = typed;
    if (a.shown.state == RECEIPT_BUSY)
        http_set_header(rq, "Retry-After", "5");
    buf_init(&page, BUF_UNLIMITED);
    view_receipt(&page, a.receipts->view, (enum lang)lang_of(http_lang(rq)), &a.shown);
    http_reply(rq, statuses[a.shown.state], "text/html; charset=utf-8", &page);
    input_release(&in);
}
