/*
 * Fuzzes the reader of log entries and the log's rules. The input is a log, an entry a line.
 * Whatever the bytes, an accepted sign, wd or void entry is what its writer writes from what was
 * read; a log takes an entry or stays as it was; and what is live is what was signed and not
 * removed.
 *
 * .ci/run links it with all modules; the corpus is tests/fuzz/corpus/entry.
 */
#include "audit_log.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const char *body, size_t len)
{
    struct entry e = {.type = ENTRY_OPEN};
    struct buf again;

    if (entry_read(&e, body, len) != 0)
        return;
    buf_init(&again, BUF_UNLIMITED);
    if (e.type == ENTRY_SIGN)
        entry_sign(&again, e.c, e.w);
    else if (e.type == ENTRY_WD)
        entry_wd(&again, e.target, e.s);
    else if (e.type == ENTRY_VOID)
        entry_void(&again, e.target, e.why);
    if (again.len > 0 && (again.len != len || memcmp(again.data, body, len) != 0))
        abort();
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct audit *audit = audit_new();
    const char *at = (const char *)data, *end = at + size;
    struct audit_counts counts;
    int64_t removed = 0;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((newline ? newline : end) - at);
        int64_t before = audit_size(audit), taken;

        check_entry(at, len);
        taken = audit_add(audit, at, len) == NULL;
        if (audit_size(audit) != before + taken)
            abort();
        at += len + (newline ? 1 : 0);
    }
    audit_count(audit, audit_size(audit), &counts);
    for (int how = 0; how < REMOVAL__KINDS; how++)
        removed += counts.removed[how];
    if (counts.live != counts.sign - removed || counts.live < 0)
        abort();
    audit_free(audit);
    return 0;
}
