/*
 * checkpoint: the text of a log's signed notes (see checkpoint.h). Any thread: there is no state.
 */
#include "checkpoint.h"

#include <inttypes.h>
#include <string.h>

#define TEXT_MAX_BYTES    1024 /* of our own */
#define BASE64_HASH_CHARS 44
#define DIGITS_MAX        16 /* of MERKLE_SIZE_MAX */

void checkpoint_text(struct buf *out, const char *origin, const struct merkle_tree *tree)
{
    buf_printf(out, "%s\n%" PRId64 "\n", origin, tree->size);
    buf_base64(out, tree->root, HASH_LEN);
    buf_addc(out, '\n');
}

void checkpoint_sign(struct buf *out, const struct note_key *key, const struct merkle_tree *tree)
{
    struct buf text;

    buf_init(&text, TEXT_MAX_BYTES);
    checkpoint_text(&text, note_key_verifier(key)->name, tree);
    note_sign(key, out, text.data, text.len);
    buf_release(&text);
}

int64_t checkpoint_number(const char *text, size_t len)
{
    int64_t n = 0;

    if (len == 0 || len > DIGITS_MAX || (text[0] == '0' && len > 1))
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        n = 10 * n + (text[i] - '0');
    }
    return n <= MERKLE_SIZE_MAX ? n : -1;
}

struct line {
    const char *at;
    size_t len;
};

/* Takes a line off the front; false if it is empty or has no end. */
static bool take_line(struct line *line, const char **at, const char *end)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));

    if (!newline || newline == *at)
        return false;
    *line = (struct line){*at, (size_t)(newline - *at)};
    *at = newline + 1;
    return true;
}

int checkpoint_parse(struct checkpoint *out, const char *text, size_t len)
{
    const char *at = text, *end = text + len;
    struct line origin, size, root, extension;
    char base64[BASE64_HASH_CHARS + 1] = "";

    if (!take_line(&origin, &at, end) || !take_line(&size, &at, end) ||
        !take_line(&root, &at, end) || origin.len > NOTE_NAME_MAX || root.len != BASE64_HASH_CHARS)
        return -1;
    memcpy(out->origin, origin.at, origin.len);
    out->origin[origin.len] = '\0';
    memcpy(base64, root.at, root.len);
    out->tree.size = checkpoint_number(size.at, size.len);
    if (out->tree.size < 0 || base64_decode(out->tree.root, HASH_LEN, base64) != 0)
        return -1;
    while (at < end)
        if (!take_line(&extension, &at, end))
            return -1;
    return 0;
}

const char *checkpoint_open(struct checkpoint *out, const struct note_verifier *v, const char *note,
                            size_t len)
{
    static const char *const reasons[] = {
        [NOTE_MALFORMED] = "the checkpoint is not a signed note",
        [NOTE_UNSIGNED] = "the checkpoint is not signed with the log's key",
        [NOTE_FORGED] = "the checkpoint has a forged signature",
    };
    size_t text_len;
    enum note_result result = note_verify(v, note, len, &text_len);

    if (result != NOTE_OK)
        return reasons[result];
    if (checkpoint_parse(out, note, text_len) != 0)
        return "the signed note is not a checkpoint";
    return strcmp(out->origin, v->name) == 0 ? NULL : "the checkpoint is of another log";
}
