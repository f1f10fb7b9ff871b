/*
 * Fuzzes the reading of ZIPs and of their layout: whatever the bytes, a sentence is given if and
 * only if something is wrong, and a file with a strict layout has as many members as its end says.
 *
 * .ci/run links it with all modules; the corpus is tests/fuzz/corpus/zip.
 */
#include "archive_read.h"

#include "files.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(void *ctx, const void *data, size_t len)
{
    size_t *left = ctx;

    (void)data;
    if (len > *left)
        return 1;
    *left -= len;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("zip", MFD_CLOEXEC);
    struct archive_reader *r;
    char path[64];
    size_t left = 1 << 20;
    struct buf why;
    const char *wrong;

    if (fd < 0 || files_write_all(fd, data, size) != 0)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    buf_init(&why, BUF_UNLIMITED);
    wrong = archive_reader_strict(path);
    r = archive_reader_open(path, &why);
    if (!r != (why.len > 0))
        abort();
    if (r && !wrong && archive_reader_count(r) != (data[size - 12] | (size_t)data[size - 11] << 8))
        abort();
    for (size_t i = 0; r && i < archive_reader_count(r); i++) {
        const char *name = archive_reader_name(r, i);

        buf_clear(&why);
        if (name && (archive_reader_stream(r, name, take, &left, &why) < 0) != (why.len > 0))
            abort();
    }
    archive_reader_close(r);
    buf_release(&why);
    close(fd);
    return 0;
}
