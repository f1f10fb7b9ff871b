/*
 * closing: `petition close` (see closing.h). On the thread of the command, which may wait.
 *
 * The transaction rewrites every submission, so signers wait while it runs, and are then told that
 * the petition is closed. The service manager is asked for patience meanwhile: no transaction
 * reaches the disk that its watchdog could be told of.
 */
#include "closing.h"

#include "pepper.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define MEGABYTE       1000000
#define SPARE_BYTES    (16 * MEGABYTE)
#define POLL_US        (200 * 1000)
#define WAL_PATIENCE_S 90 /* a delivery that is being frozen keeps the WAL for up to a minute */
#define PATIENCE_US    (INT64_C(6) * 3600 * 1000000)

struct closing_job {
    struct job job;
    const struct closing *closing;
    int64_t before; /* index of the close entry that was there already; 0: none */
    int64_t index;
    struct closing_figures figures;
    struct publication publication;
};

/* ---- what it does */

static int apply_nothing(struct job *job, struct db *db)
{
    ((struct closing_job *)job)->before = db_close_index(db);
    return DB_OK;
}

static int complain_closed(int64_t index, struct buf *err)
{
    buf_printf(err, "the petition is closed already, by entry %" PRId64 " of its log", index);
    return -1;
}

int closing_explain(const struct closing *c, struct buf *err)
{
    struct closing_job j = {.job = {.apply = apply_nothing}};
    char *pepper = pepper_path(c->service->config);

    if (writer_run(c->service->writer, &j.job) != JOB_COMMITTED)
        buf_adds(err, "the database could not be read");
    else if (j.before > 0)
        complain_closed(j.before, err);
    else
        control_printf(c->sink, 'E',
                       "This closes the petition %s, and cannot be undone.\n"
                       "- Nobody can sign any more, online or on paper. Withdrawing, removing and "
                       "delivering go on.\n"
                       "- An entry of the public log says so, with the numbers of submissions, "
                       "withdrawals, removals and repeats.\n"
                       "- The hash of every contact is replaced by a random number, and the pepper "
                       "(%s) is destroyed: then nobody can test any more who has signed.\n"
                       "- Copies of the pepper are yours to destroy. So are old backups, which "
                       "hold the hashes.\n",
                       c->service->opening.origin, pepper);
    free(pepper);
    return err->len == 0 ? 0 : -1;
}

/* ---- the transaction */

/* The WAL takes every page of the submissions, until it is moved to the database. */
static int need_space(const struct service *s, struct buf *err)
{
    struct statvfs disk;
    struct stat st;
    int64_t need, room;

    if (stat(s->database, &st) != 0 || statvfs(s->config->data_dir, &disk) != 0) {
        buf_printf(err, "%s: %s", s->database, strerror(errno));
        return -1;
    }
    need = st.st_size + st.st_size / 4 + SPARE_BYTES;
    room = (int64_t)(disk.f_bavail * disk.f_frsize);
    if (room >= need)
        return 0;
    buf_printf(err,
               "closing needs %" PRId64 " MB of free space for a while, and there are %" PRId64,
               need / MEGABYTE + 1, room / MEGABYTE);
    return -1;
}

static int apply(struct job *job, struct db *db)
{
    struct closing_job *j = (struct closing_job *)job;
    const struct config *config = j->closing->service->config;
    struct audit_act act = {time(NULL), OPERATOR_NAME, "close", ""};
    char detail[24];
    int result;

    publication_release(&j->publication); /* of an attempt before */
    j->before = db_close_index(db);
    if (j->before > 0)
        return DB_OK;
    result = db_close_petition(db, &j->figures, &j->index);
    snprintf(detail, sizeof detail, "%" PRId64, j->index);
    act.detail = detail;
    if (result == DB_OK)
        result = db_audit(db, &act);
    if (result == DB_OK)
        result = publication_collect(&j->publication, db, (uint32_t)config->count_step);
    return result;
}

/* How long the watchdog is to wait, from now on. */
static void set_patience(const struct notify *n, int64_t us)
{
    char message[48];

    if (!n || n->watchdog_us == 0)
        return;
    snprintf(message, sizeof message, "WATCHDOG_USEC=%" PRId64 "\nWATCHDOG=1", us);
    notify_send(n, message);
}

static int run_transaction(struct closing_job *j, struct buf *err)
{
    const struct closing *c = j->closing;

    if (need_space(c->service, err) != 0)
        return -1;
    if (writer_run(c->service->writer, &j->job) != JOB_COMMITTED)
        buf_adds(err, "the database could not be written: the petition is as open as before");
    else if (j->before > 0)
        complain_closed(j->before, err);
    return err->len == 0 ? 0 : -1;
}

/* ---- afterwards */

static void tell_left(void *ctx, const char *path, const char *why)
{
    const struct closing *c = ctx;

    control_printf(c->sink, 'O', "not erased: %s (%s)\n", path, why);
}

static void destroy_pepper(const struct closing *c)
{
    struct service *s = c->service;
    struct closing context = *c;

    if (s->identity)
        identity_forget(s->identity);
    pepper_destroy(s->config, tell_left, &context);
}

/* A step on the writer's thread: empties the WAL, if no reader holds it. */
struct emptying {
    struct job job;
    struct db *db;
    int result;
};

static int apply_emptying(struct job *job, struct db *db)
{
    ((struct emptying *)job)->db = db;
    return DB_OK;
}

static void empty_wal(struct job *job)
{
    struct emptying *e = (struct emptying *)job;

    if (e->db)
        e->result = db_checkpoint(e->db, true);
}

/* Erased for good are the tags only when the WAL is empty. False: the writer goes on trying. */
static bool wait_for_wal(const struct closing *c)
{
    struct emptying e = {.job = {.apply = apply_emptying, .done = empty_wal, .last = true}};

    for (int64_t waited_us = 0; waited_us < WAL_PATIENCE_S * INT64_C(1000000);
         waited_us += POLL_US) {
        e.result = 1;
        if (writer_run(c->service->writer, &e.job) == JOB_COMMITTED && e.result == DB_OK)
            return true;
        if (atomic_load(c->stopping))
            return false;
        usleep(POLL_US);
    }
    return false;
}

static void finish(const struct closing *c, struct closing_job *j)
{
    const struct closing_figures *f = &j->figures;

    if (c->service->submitter)
        submitter_close(c->service->submitter);
    if (c->publisher)
        publisher_show(c->publisher, &j->publication);
    control_printf(c->sink, 'O',
                   "closed by entry %" PRId64 ": %" PRIu64 " submissions, %" PRIu64
                   " withdrawn, %" PRIu64 " removed, %" PRIu64 " repeats\n",
                   j->index, f->sign, f->withdrawn, f->removed, f->repeats);
    destroy_pepper(c);
    if (!wait_for_wal(c))
        control_printf(c->sink, 'E',
                       "the journal of the database still holds hashes of contacts, because a "
                       "delivery is being frozen; it is emptied when that ends\n");
    control_printf(c->sink, 'E',
                   "Make a backup now (petition backup FILE): none made before can be restored.\n");
}

int closing_run(const struct closing *c, struct buf *err, bool *usage)
{
    struct closing_job j = {.job = {.apply = apply, .last = true}, .closing = c};
    int result;

    *usage = c->typed && strcmp(c->typed, c->service->opening.origin) != 0;
    if (*usage) {
        buf_adds(err, "that is not the origin of this log: nothing was closed");
        return -1;
    }
    set_patience(c->notify, PATIENCE_US);
    result = run_transaction(&j, err);
    if (result == 0)
        finish(c, &j);
    set_patience(c->notify, c->notify ? c->notify->watchdog_us : 0);
    publication_release(&j.publication);
    return result;
}
