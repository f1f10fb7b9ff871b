/*
 * gate: the queue and the thread of passwords (see gate.h).
 *
 * The lock guards the queue, its places and the delays; no password is looked at under it.
 */
#include "gate.h"

#include "delays.h"
#include "log.h"
#include "password.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

struct gate {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct gate_task *first, **last;
    int taken;                             /* places: reserved, queued or in work */
    struct visitor places[GATE_QUEUE_MAX]; /* whose they are; the first `taken` */
    struct visitor_key visitors;
    bool closing;
    struct delays delays;
    char nobody[PASSWORD_HASH_MAX]; /* the gate's thread only: what no password fits */
};

static int64_t monotonic_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* The next task; NULL when the gate closes. */
static struct gate_task *take(struct gate *g)
{
    struct gate_task *task;

    pthread_mutex_lock(&g->lock);
    while (!g->first && !g->closing)
        pthread_cond_wait(&g->changed, &g->lock);
    task = g->first;
    if (task)
        g->first = task->next;
    if (!g->first)
        g->last = &g->first;
    pthread_mutex_unlock(&g->lock);
    return task;
}

static int places_of(const struct gate *g, const struct visitor *from)
{
    int count = 0;

    for (int i = 0; i < g->taken; i++)
        count += visitor_same(&g->places[i], from);
    return count;
}

/* With the lock held. */
static void free_place(struct gate *g, const struct visitor *from)
{
    int at = 0;

    while (at < g->taken - 1 && !visitor_same(&g->places[at], from))
        at++;
    g->places[at] = g->places[--g->taken];
}

static void give_back(struct gate *g, const struct visitor *from)
{
    pthread_mutex_lock(&g->lock);
    free_place(g, from);
    pthread_mutex_unlock(&g->lock);
}

/* Takes the place of the queued task whose client has failed most, if that is more than so often;
 * with the lock held. */
static void displace(struct gate *g, int failures)
{
    struct gate_task *worst = NULL;

    for (struct gate_task *task = g->first; task; task = task->next)
        if (!task->displaced && task->failures > (worst ? worst->failures : failures))
            worst = task;
    if (!worst)
        return;
    worst->displaced = true;
    free_place(g, &worst->from);
}

static void *run(void *ctx)
{
    struct gate *g = ctx;
    struct gate_task *task;

    password_of_nobody(g->nobody);
    while ((task = take(g))) {
        struct visitor from = task->from;
        bool displaced = task->displaced;

        task->run(task);
        if (!displaced)
            give_back(g, &from);
    }
    return NULL;
}

struct gate *gate_open(void)
{
    struct gate *g = xcalloc(1, sizeof *g);

    g->last = &g->first;
    delays_init(&g->delays);
    visitor_key_init(&g->visitors, time(NULL));
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, NULL);
    if (pthread_create(&g->thread, NULL, run, g) != 0)
        log_fatal(1, "the thread of log-ins cannot be started");
    return g;
}

void gate_close(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->closing = true;
    pthread_cond_signal(&g->changed);
    pthread_mutex_unlock(&g->lock);
    pthread_join(g->thread, NULL);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

bool gate_reserve(struct gate *g, struct gate_task *task, const struct peer_address *client)
{
    bool room;

    pthread_mutex_lock(&g->lock);
    visitor_of(&g->visitors, &task->from, client, time(NULL));
    task->failures = delays_failures(&g->delays, &task->from);
    task->displaced = false;
    room = places_of(g, &task->from) < GATE_PLACES_OF_ONE && !g->closing;
    if (room && g->taken == GATE_QUEUE_MAX)
        displace(g, task->failures);
    room = room && g->taken < GATE_QUEUE_MAX;
    if (room)
        g->places[g->taken++] = task->from;
    pthread_mutex_unlock(&g->lock);
    return room;
}

void gate_submit(struct gate *g, struct gate_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&g->lock);
    *g->last = task;
    g->last = &task->next;
    pthread_cond_signal(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

enum gate_verdict gate_check(struct gate *g, struct gate_task *task,
                             const struct organiser_row *who, const char *password)
{
    const char *hash = *who->password ? who->password : g->nobody;

    if (task->displaced)
        return GATE_BUSY;
    pthread_mutex_lock(&g->lock);
    task->wait_s = delays_wait(&g->delays, who->name, &task->from, monotonic_s());
    pthread_mutex_unlock(&g->lock);
    if (task->wait_s > 0)
        return GATE_WAIT;
    if (password_verify(hash, password) && *who->password)
        return GATE_OPEN;
    gate_fail(g, who->name, &task->from);
    return GATE_WRONG;
}

void gate_fail(struct gate *g, const char *name, const struct visitor *from)
{
    pthread_mutex_lock(&g->lock);
    /* Counted from the second that begins next, so that no wait is shorter than it is said to be.
     */
    delays_fail(&g->delays, name, from, monotonic_s() + 1);
    pthread_mutex_unlock(&g->lock);
}

void gate_forget(struct gate *g, const char *name, const struct visitor *from)
{
    pthread_mutex_lock(&g->lock);
    delays_forget(&g->delays, name, from);
    pthread_mutex_unlock(&g->lock);
}
