/*
 * backup_make: copying and streaming (see backup_make.h).
 *
 * Runs on the thread of the command. The database is touched only by jobs of the writer, one step
 * each, which run after the answers of their batch have left and take about a millisecond. Why not
 * otherwise: VACUUM INTO on the writer's connection stops signing for its whole time (1.4 s for
 * 200,000 signatures); a reader's snapshot must end within a minute, which a large database and a
 * slow disk exceed, and keeps erased columns in the WAL; and whoever is not the writer must not
 * write or checkpoint at all. tests/bench/backup.mjs measures what the copy costs the signers.
 */
#include "backup_make.h"

#include "db_copy.h"
#include "files.h"
#include "sha256.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIECE_BYTES      65536
#define MEMBER_MAX       65536   /* of key files and petition.conf */
#define PAUSE_BYTES      1048576 /* read and sealed between two pauses, */
#define PAUSE_US         5000    /* which leave processor and disk to the signers */
#define STATE_UNKNOWN_US 10000

/* One of the files that go into the backup. */
struct part {
    int fd;          /* of the database's copy; -1: the bytes are in `text` */
    struct buf text; /* may hold a key */
};

struct making {
    struct service *service;
    const atomic_bool *stopping;
    const struct control_sink *sink;
    struct db_copy *copy;
    struct part parts[BACKUP__MEMBERS];
    struct backup_manifest manifest;
    struct buf *err;
};

/* ---- the copy of the database */

/* A step of the copy, on the writer's thread. */
struct step_job {
    struct job job;
    struct db *db; /* set by apply; the database is the same each time */
    struct db_copy *copy;
    const char *dir;
    struct buf *err;
    int64_t size; /* of the log, after the step */
    int result;   /* 1: more to do */
    bool end;     /* this is the last step */
};

static int apply_nothing(struct job *job, struct db *db)
{
    ((struct step_job *)job)->db = db;
    return DB_OK;
}

/* After the transaction, whatever came of it: the backup has nothing in it. */
static void do_step(struct job *job)
{
    struct step_job *j = (struct step_job *)job;

    if (!j->db)
        return;
    if (j->end)
        db_copy_end(j->copy);
    else if (j->copy)
        j->result = db_copy_step(j->copy);
    else if ((j->copy = db_copy_begin(j->db, j->dir, j->err)) == NULL)
        j->result = DB_BROKEN;
    j->size = db_log_size(j->db);
}

/* Until the writer has come to it: a batch that fails before may keep it from that. */
static void run_step(struct making *m, struct step_job *j)
{
    j->result = 1;
    j->db = NULL;
    while (writer_run(m->service->writer, &j->job) != JOB_COMMITTED && !j->db)
        usleep(STATE_UNKNOWN_US);
}

static bool stopping(const struct making *m)
{
    return atomic_load(m->stopping);
}

static int copy_database(struct making *m)
{
    struct step_job j = {.job = {.apply = apply_nothing, .done = do_step, .last = true},
                         .dir = m->service->config->data_dir,
                         .err = m->err};

    do {
        run_step(m, &j);
    } while (j.result == 1 && !stopping(m));
    m->manifest.size = j.size;
    m->manifest.at_s = time(NULL);
    m->copy = j.copy;
    if (j.copy) {
        int result = j.result;

        j.end = true;
        run_step(m, &j);
        j.result = result;
    }
    if (j.result == DB_OK)
        return 0;
    if (m->err->len == 0)
        buf_adds(m->err, stopping(m) ? "the server is stopping" : "the database cannot be copied");
    return -1;
}

/* ---- the members */

static int read_part(struct making *m, enum backup_member which, const char *path)
{
    struct part *part = &m->parts[which];

    part->fd = -1;
    m->manifest.members[which].present = true;
    if (buf_read_file(&part->text, path) == 0)
        return 0;
    buf_printf(m->err, "%s: %s", path, strerror(errno));
    return -1;
}

static int read_key(struct making *m, enum backup_member which)
{
    char *path = files_join(m->service->config->data_dir, backup_member_names[which]);
    int result = read_part(m, which, path);

    free(path);
    return result;
}

static int read_parts(struct making *m)
{
    const char *config_file = m->service->config->config_file;

    if (read_key(m, BACKUP_LOG_KEY) != 0 || read_key(m, BACKUP_MINISIGN_KEY) != 0)
        return -1;
    if (config_file && read_part(m, BACKUP_CONFIG, config_file) != 0)
        return -1;
    m->parts[BACKUP_DATABASE].fd = db_copy_fd(m->copy);
    m->manifest.members[BACKUP_DATABASE].present = true;
    return 0;
}

/* Takes the bytes of a part, piece by piece; a negative result ends it. */
typedef int take_piece(void *ctx, const void *data, size_t len);

static int for_each_piece(const struct making *m, const struct part *part, take_piece *take,
                          void *ctx)
{
    uint8_t piece[PIECE_BYTES];
    off_t at = 0;
    ssize_t got;

    if (part->fd < 0)
        return take(ctx, part->text.data, part->text.len);
    while ((got = pread(part->fd, piece, sizeof piece, at)) > 0) {
        if (stopping(m) || take(ctx, piece, (size_t)got) != 0)
            return -1;
        at += got;
        if (at % PAUSE_BYTES == 0)
            usleep(PAUSE_US);
    }
    return got == 0 ? 0 : -1;
}

struct sum {
    struct sha256 hash;
    uint64_t bytes;
};

static int add_to_sum(void *ctx, const void *data, size_t len)
{
    struct sum *sum = ctx;

    sha256_add(&sum->hash, data, len);
    sum->bytes += len;
    return 0;
}

static int describe_parts(struct making *m)
{
    const char *origin = m->service->opening.origin;

    memcpy(m->manifest.origin, origin, strlen(origin) + 1);
    snprintf(m->manifest.version, sizeof m->manifest.version, "%s", PETITION_VERSION);
    for (int i = 0; i < BACKUP__MEMBERS; i++) {
        struct sum sum = {.bytes = 0};

        if (!m->manifest.members[i].present)
            continue;
        sha256_begin(&sum.hash);
        if (for_each_piece(m, &m->parts[i], add_to_sum, &sum) != 0)
            return -1;
        sha256_end(&sum.hash, m->manifest.members[i].sha256);
        m->manifest.members[i].bytes = sum.bytes;
    }
    return 0;
}

/* ---- streaming */

static int write_to_sink(void *ctx, const void *data, size_t len)
{
    const struct control_sink *sink = ctx;

    return sink->write(sink->ctx, 'O', data, len);
}

static int write_piece(void *ctx, const void *data, size_t len)
{
    return backup_write(ctx, data, len);
}

static int write_members(const struct making *m, struct backup_writer *w)
{
    struct buf json;
    int result;

    buf_init(&json, BUF_UNLIMITED);
    backup_manifest_json(&json, &m->manifest);
    result = backup_member(w, BACKUP_MANIFEST_NAME, json.len);
    if (result == 0)
        result = backup_write(w, json.data, json.len);
    buf_release(&json);
    for (int i = 0; i < BACKUP__MEMBERS && result == 0; i++) {
        if (!m->manifest.members[i].present)
            continue;
        result = backup_member(w, backup_member_names[i], m->manifest.members[i].bytes);
        if (result == 0)
            result = for_each_piece(m, &m->parts[i], write_piece, w);
    }
    return result;
}

static int stream(struct making *m)
{
    struct control_sink sink = *m->sink;
    struct backup_writer *w = backup_writer_new(write_to_sink, &sink);
    int result = backup_begin(w, m->service->opening.seal_key);

    if (result == 0)
        result = write_members(m, w);
    if (result == 0)
        result = backup_finish(w);
    backup_writer_free(w);
    return result;
}

int backup_make(struct service *s, const atomic_bool *stopping, const struct control_sink *sink,
                struct buf *err)
{
    struct making m = {.service = s, .stopping = stopping, .sink = sink, .err = err};
    int result = -1;

    for (int i = 0; i < BACKUP__MEMBERS; i++)
        buf_init(&m.parts[i].text, MEMBER_MAX);
    if (copy_database(&m) != 0 || read_parts(&m) != 0)
        goto out;
    if (describe_parts(&m) == 0 && stream(&m) == 0)
        result = 0;
    else
        buf_adds(err, "the backup was interrupted");
out:
    if (m.copy)
        db_copy_close(m.copy);
    for (int i = 0; i < BACKUP__MEMBERS; i++)
        buf_wipe(&m.parts[i].text);
    if (result == 0)
        control_printf(sink, 'E', "a backup of %" PRId64 " log entries\n", m.manifest.size);
    return result;
}
