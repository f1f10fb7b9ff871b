/*
 * Fuzzes signed notes, keys and checkpoints. The first line may be a vkey: one that is accepted is
 * printed as it was read. The rest is a note, or a checkpoint's text: that has its origin, size and
 * root in the one spelling.
 *
 * .ci/run links it with all modules; the corpus is tests/fuzz/corpus/note.
 */
#include "checkpoint.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_vkey(struct note_verifier *v, const char *line)
{
    struct buf again;

    if (note_parse_vkey(v, line) != 0) {
        *v = (struct note_verifier){.name = "petition.example/log"};
        return;
    }
    buf_init(&again, BUF_UNLIMITED);
    note_print_vkey(&again, v);
    if (strcmp(again.data, line) != 0)
        abort();
    buf_release(&again);
}

static void check_text(const char *text, size_t len)
{
    struct checkpoint c;
    struct buf again;

    if (checkpoint_parse(&c, text, len) != 0)
        return;
    buf_init(&again, BUF_UNLIMITED);
    checkpoint_text(&again, c.origin, &c.tree);
    if (!memchr(text, '\0', len) && (again.len > len || memcmp(again.data, text, again.len) != 0))
        abort();
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *newline = memchr(text, '\n', size);
    struct note_verifier v;
    struct checkpoint c;
    char line[512] = "";
    size_t first = newline ? (size_t)(newline - text) : 0, text_len;

    if (sodium_init() < 0)
        abort();
    memcpy(line, text, first < sizeof line ? first : 0);
    check_vkey(&v, line);
    check_text(text, size);
    if (newline)
        check_text(newline + 1, size - first - 1);
    if (newline && note_verify(&v, newline + 1, size - first - 1, &text_len) == NOTE_OK &&
        !checkpoint_open(&c, &v, newline + 1, size - first - 1) && c.tree.size < 0)
        abort();
    return 0;
}
