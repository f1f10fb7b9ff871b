/*
 * publisher: the thread that publishes (see publisher.h).
 *
 * It wakes once a second, or when another thread hands a publication over. Figures are collected on
 * the writer's thread; rendering happens here, so neither requests nor the writer wait for it.
 */
#include "publisher.h"

#include "log.h"

#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct publisher {
    struct publisher_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool closing;               /* under lock */
    bool handed_over;           /* under lock: `next` waits to be rendered */
    struct publication next;    /* under lock */
    struct publication current; /* under lock: figures only, its tables are empty */
    int64_t published_at_s;     /* the thread's: monotonic */
    day_number published_day;   /* the thread's: UTC */
};

static int64_t system_now_s(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec;
}

/* ---- collecting */

static void move_shown(struct publication *p, struct db *db, struct totals *t)
{
    bool moved = figures_step(&t->shown_count, t->signatures, p->step, figures_draw_random, NULL);

    moved |= figures_step(&t->shown_confirmed, t->confirmed, p->step, figures_draw_random, NULL);
    if (moved)
        db_set_shown(db, &t->shown_count, &t->shown_confirmed);
    p->count = t->shown_count.value;
    p->confirmed = t->shown_confirmed.value < p->count ? t->shown_confirmed.value : p->count;
}

static int by_falling_number(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    bool x_other = strcmp(x->key, "other") == 0, y_other = strcmp(y->key, "other") == 0;

    if (x_other != y_other)
        return x_other ? 1 : -1;
    if (x->n != y->n)
        return x->n < y->n ? 1 : -1;
    return strcmp(x->key, y->key);
}

static int collect_at(struct publication *p, struct db *db, uint32_t count_step, int64_t now_s)
{
    /* With exact figures today is shown, too; otherwise completed days only. */
    day_number before = day_of(now_s) + (count_step == 1);
    struct table *tables[] = {&p->by_country, &p->by_day, &p->by_tier};
    struct totals totals;
    int result;

    *p = (struct publication){.at_s = now_s,
                              .step = count_step,
                              .log_size = db_log_size(db),
                              .closed = db_close_index(db) > 0};
    p->edge = xcalloc(1, sizeof *p->edge);
    tlog_edge_copy(p->edge, db_log_right_edge(db));
    result = db_totals(db, &totals);
    if (result != DB_OK)
        return result;
    move_shown(p, db, &totals);
    for (int which = DB_BY_COUNTRY; which <= DB_BY_TIER && result == DB_OK; which++) {
        struct table *t = tables[which];

        result = db_table(db, (enum db_table)which, before, t);
        if (result == DB_OK)
            t->count = figures_fold(t->cells, t->count, count_step);
    }
    /* By what is shown: the order of the true numbers would tell more than they do. */
    if (p->by_country.count > 1)
        qsort(p->by_country.cells, p->by_country.count, sizeof *p->by_country.cells,
              by_falling_number);
    if (result != DB_OK)
        publication_release(p);
    return result;
}

int publication_collect(struct publication *p, struct db *db, uint32_t count_step)
{
    return collect_at(p, db, count_step, system_now_s(CLOCK_REALTIME));
}

struct collecting {
    struct job job;
    struct publication publication;
    const struct publisher_config *config;
};

static int collect(struct job *job, struct db *db)
{
    struct collecting *c = (struct collecting *)job;

    publication_release(&c->publication); /* of an attempt before */
    return collect_at(&c->publication, db, c->config->count_step, c->config->now_s(CLOCK_REALTIME));
}

/* ---- publishing */

/* Signs a publication, renders it and makes it the current one, unless a newer one is. Takes what
 * it holds. 0, or -1: nothing has changed for anybody. */
static int put_in_place(struct publisher *p, struct publication *publication)
{
    struct head *head = p->config.head;
    int result = 0;

    if (publication->log_size >= p->current.log_size && head)
        result = head_publish(head, p->config.writer, publication->edge);
    if (publication->log_size < p->current.log_size || result != 0) {
        publication_release(publication);
        return result;
    }
    p->config.render(p->config.ctx, publication);
    p->published_at_s = p->config.now_s(CLOCK_MONOTONIC);
    p->published_day = day_of(publication->at_s);
    pthread_mutex_lock(&p->lock);
    p->current = *publication;
    p->current.by_country = p->current.by_day = p->current.by_tier = (struct table){0};
    p->current.edge = NULL;
    pthread_mutex_unlock(&p->lock);
    publication_release(publication);
    return 0;
}

static int publish(struct publisher *p)
{
    struct collecting c = {.job = {.apply = collect, .last = true}, .config = &p->config};

    if (writer_run(p->config.writer, &c.job) != JOB_COMMITTED) {
        publication_release(&c.publication);
        return -1;
    }
    return put_in_place(p, &c.publication);
}

static bool is_due(struct publisher *p)
{
    int64_t new_entries = writer_log_size(p->config.writer) - p->current.log_size;
    int64_t since_s = p->config.now_s(CLOCK_MONOTONIC) - p->published_at_s;

    return day_of(p->config.now_s(CLOCK_REALTIME)) != p->published_day ||
           figures_publication_due(&p->config.rule, since_s, new_entries);
}

/* Waits a second, or until something is handed over. False when closing. */
static bool wait_for_work(struct publisher *p, struct publication *handed, bool *handed_over)
{
    struct timespec until;
    bool going_on;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_mutex_lock(&p->lock);
    while (!p->closing && !p->handed_over)
        if (pthread_cond_timedwait(&p->wake, &p->lock, &until) != 0)
            break;
    *handed_over = p->handed_over;
    if (p->handed_over)
        *handed = p->next;
    p->handed_over = false;
    going_on = !p->closing;
    pthread_mutex_unlock(&p->lock);
    return going_on;
}

static void *run(void *arg)
{
    struct publisher *p = arg;
    struct publication handed;
    bool handed_over;

    while (wait_for_work(p, &handed, &handed_over)) {
        if (handed_over ? put_in_place(p, &handed) != 0 : is_due(p) && publish(p) != 0)
            log_warn("a publication failed; it is tried again");
    }
    if (handed_over)
        publication_release(&handed);
    return NULL;
}

struct publisher *publisher_open(const struct publisher_config *config)
{
    struct publisher *p = xcalloc(1, sizeof *p);
    pthread_condattr_t monotonic;

    p->config = *config;
    if (!p->config.now_s)
        p->config.now_s = system_now_s;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (publish(p) != 0) {
        free(p);
        return NULL;
    }
    if (pthread_create(&p->thread, NULL, run, p) != 0)
        log_fatal(1, "cannot start the publisher's thread");
    return p;
}

void publisher_close(struct publisher *p)
{
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void publisher_show(struct publisher *p, struct publication *publication)
{
    pthread_mutex_lock(&p->lock);
    if (p->handed_over)
        publication_release(&p->next); /* an older one nobody has seen */
    p->next = *publication;
    p->handed_over = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    publication->by_country = publication->by_day = publication->by_tier = (struct table){0};
    publication->edge = NULL;
}

void publisher_current(struct publisher *p, struct publication *out)
{
    pthread_mutex_lock(&p->lock);
    *out = p->current;
    pthread_mutex_unlock(&p->lock);
}
