/*
 * fill: submissions by the hundred thousand, through the code that serves signers.
 *
 *     fill DIR COUNT...
 *
 * Opens an initialised data directory as the server does, and makes COUNT forms, and then as many
 * as the next COUNT says, into submissions: input and form read them, submit seals and enters them,
 * the writer commits them in batches. Only HTTP is left out. One form in five gives its name. The
 * main thread prepares while the writer writes, with at most IN_WORK forms between them.
 *
 * Prints a line for each COUNT: `COUNT SECONDS CPU_SECONDS`.
 */
#include "log.h"
#include "random.h"
#include "service.h"

#include <inttypes.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define IN_WORK        2048
#define FORM_MAX_BYTES 200

struct filling {
    struct job job;
    struct submitter *submitter;
    struct form form;
    struct draft draft;
};

static sem_t places;

static int apply(struct job *job, struct db *db)
{
    struct filling *f = (struct filling *)job;

    return submission_apply(f->submitter, &f->draft, db);
}

static void done(struct job *job)
{
    struct filling *f = (struct filling *)job;

    if (job->result != JOB_COMMITTED)
        log_fatal(1, "a submission could not be written");
    draft_release(&f->draft);
    form_release(&f->form);
    free(f);
    sem_post(&places);
}

static void submit(const struct service *s, int64_t number)
{
    static const char *const visibilities[] = {"private", "private", "private", "addressees",
                                               "private", "private", "private", "private",
                                               "public",  "private"};
    static const char *const countries[] = {"KH", "FR", "US", "AU", "TH"};
    const struct form_rules rules = {.content = s->content,
                                     .identity = s->identity,
                                     .accept_unconfirmed = true};
    struct filling *f = xcalloc(1, sizeof *f);
    char body[FORM_MAX_BYTES];
    struct input input;
    int len = snprintf(body, sizeof body,
                       "name=Sok+Dara+%" PRId64 "&contact=signer-%" PRId64
                       "%%40example.org&country=%s&visibility=%s",
                       number, number, countries[number % 5], visibilities[number % 10]);

    f->job = (struct job){.apply = apply, .done = done};
    f->submitter = s->submitter;
    form_init(&f->form);
    draft_init(&f->draft, &f->form, TIER_UNCONFIRMED);
    if (input_parse_form(&input, body, (size_t)len) != INPUT_OK ||
        !form_validate(&f->form, &input, &rules) || !submission_prepare(s->submitter, &f->draft))
        log_fatal(1, "a form is not valid: %s", body);
    input_release(&input);
    sem_wait(&places);
    if (!writer_reserve(s->writer))
        log_fatal(1, "the queue is full");
    writer_submit(s->writer, &f->job);
}

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fill(const struct service *s, int64_t count, int64_t first)
{
    double began = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);

    for (int64_t i = 0; i < count; i++)
        submit(s, first + i);
    for (int i = 0; i < IN_WORK; i++)
        sem_wait(&places);
    for (int i = 0; i < IN_WORK; i++)
        sem_post(&places);
    printf("%" PRId64 " %.3f %.3f\n", count, seconds(CLOCK_MONOTONIC) - began,
           seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

int main(int argc, char **argv)
{
    const struct config_flag dir = {"data_dir", argc > 1 ? argv[1] : ""};
    struct service service;
    struct config config;
    int64_t first = 0;
    struct buf err;

    if (argc < 3) {
        fputs("usage: fill DIR COUNT...\n", stderr);
        return 2;
    }
    random_install();
    buf_init(&err, BUF_UNLIMITED);
    if (sodium_init() < 0 || config_load(&config, &dir, 1, &err) != 0 ||
        service_open(&service, &config, SERVICE_SERVE, &err) != 0)
        log_fatal(1, "%s", err.data);
    sem_init(&places, 0, IN_WORK);
    for (int i = 2; i < argc; i++) {
        int64_t count = strtoll(argv[i], NULL, 10);

        fill(&service, count, first);
        first += count;
    }
    service_close(&service);
    config_release(&config);
    buf_release(&err);
    return 0;
}
