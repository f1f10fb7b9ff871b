/*
 * things: recognising files (see things.h). One thread. A file is known by how it begins; a
 * checkpoint by the signature that it has.
 */
#include "things.h"

#include "archive_read.h"
#include "fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ZIP_HEAD   "PK\3\4"
#define NOTE_MARK  "\n\n\xe2\x80\x94 " /* between a note's text and its signatures */
#define PROOF_HEAD "c2sp.org/tlog-proof@"

static bool begins(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

static int read_proof(struct thing *t, const struct buf *file, struct buf *why)
{
    t->kind = THING_PROOF;
    if (tlog_proof_parse(&t->proof, file->data, file->len) == 0)
        return 0;
    buf_adds(why, "is a damaged receipt");
    return -1;
}

static int read_opening(struct thing *t, const struct buf *file, struct buf *why)
{
    t->kind = THING_OPENING;
    if (opening_parse(&t->opening, file->data, file->len) == 0)
        return 0;
    buf_adds(why, "is a damaged private opening");
    return -1;
}

static int read_checkpoint(struct thing *t, const struct buf *file, struct buf *why)
{
    t->kind = THING_CHECKPOINT;
    buf_add(&t->note, file->data, file->len);
    if (buf_ok(&t->note) && memmem(file->data, file->len, NOTE_MARK, strlen(NOTE_MARK)))
        return 0;
    buf_adds(why, "is no receipt, opening, checkpoint, bundle or log");
    return -1;
}

static int read_text(struct thing *t, struct buf *why)
{
    struct buf file;
    int result = -1;

    buf_init(&file, TLOG_PROOF_MAX_BYTES);
    if (buf_read_file(&file, t->name) != 0)
        buf_adds(why, errno == EFBIG ? "is no receipt, opening, checkpoint, bundle or log"
                                     : strerror(errno));
    else if (begins(file.data, PROOF_HEAD))
        result = read_proof(t, &file, why);
    else if (file.data[0] == '{')
        result = read_opening(t, &file, why);
    else
        result = read_checkpoint(t, &file, why);
    buf_wipe(&file);
    return result;
}

static int read_log(struct thing *t, struct buf *why)
{
    t->kind = THING_LOG;
    t->log = log_source_open(t->name, why);
    return t->log ? 0 : -1;
}

static int read_zip(struct thing *t, const char *minisign_key, struct buf *why)
{
    struct archive_reader *zip = archive_reader_open(t->name, why);
    bool is_log =
        zip && archive_reader_has(zip, "checkpoint") && !archive_reader_has(zip, "manifest.json");

    if (!zip)
        return -1;
    archive_reader_close(zip);
    if (is_log)
        return read_log(t, why);
    t->kind = THING_BUNDLE;
    t->bundle = bundle_check_open(t->name, minisign_key, why);
    return t->bundle ? 0 : -1;
}

static bool is_zip(const char *path)
{
    char head[sizeof ZIP_HEAD] = "";
    FILE *file = fopen(path, "rbe");
    bool result = file && fread(head, 1, strlen(ZIP_HEAD), file) == strlen(ZIP_HEAD) &&
                  strcmp(head, ZIP_HEAD) == 0;

    if (file)
        fclose(file);
    return result;
}

int thing_read(struct thing *t, const char *name, const char *minisign_key, struct buf *why)
{
    struct stat st;

    *t = (struct thing){.name = name};
    tlog_proof_init(&t->proof);
    opening_init(&t->opening);
    buf_init(&t->note, NOTE_MAX_BYTES);
    if (fetch_is_url(name) || (stat(name, &st) == 0 && S_ISDIR(st.st_mode)))
        return read_log(t, why);
    return is_zip(name) ? read_zip(t, minisign_key, why) : read_text(t, why);
}

void thing_release(struct thing *t)
{
    tlog_proof_release(&t->proof);
    opening_release(&t->opening);
    buf_release(&t->note);
    bundle_check_close(t->bundle);
    log_source_close(t->log);
}
