/*
 * live: sessions that are alive, in memory (see live.h).
 */
#include "live.h"

#include <pthread.h>
#include <string.h>

#define LIVE_MAX 256 /* the one that has not been seen for longest gives way */

struct live {
    pthread_mutex_t lock;
    struct live_session {
        uint8_t hash[HASH_LEN];
        int64_t seen_s; /* 0: a free place */
    } sessions[LIVE_MAX];
};

struct live *live_new(void)
{
    struct live *l = xcalloc(1, sizeof *l);

    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void live_free(struct live *l)
{
    if (!l)
        return;
    pthread_mutex_destroy(&l->lock);
    free(l);
}

struct load {
    struct job job;
    struct live *live;
};

static int apply_load(struct job *job, struct db *db)
{
    struct load *load = (struct load *)job;
    uint8_t hash[HASH_LEN] = {0};
    int64_t seen_s;
    int result;

    while ((result = db_session_next(db, hash, &seen_s)) == DB_OK)
        live_seen(load->live, hash, seen_s);
    return result == DB_NO_ROW ? DB_OK : result;
}

int live_load(struct live *l, struct writer *writer)
{
    struct load load = {.job = {.apply = apply_load}, .live = l};

    return writer_run(writer, &load.job) == JOB_COMMITTED ? 0 : -1;
}

/* Its place, or the one that it may take. The lock is held. */
static struct live_session *place(struct live *l, const uint8_t *hash)
{
    struct live_session *oldest = l->sessions;

    for (struct live_session *s = l->sessions; s < l->sessions + LIVE_MAX; s++) {
        if (memcmp(s->hash, hash, HASH_LEN) == 0)
            return s;
        if (s->seen_s < oldest->seen_s)
            oldest = s;
    }
    return oldest;
}

void live_seen(struct live *l, const uint8_t hash[HASH_LEN], int64_t seen_s)
{
    struct live_session *s;

    pthread_mutex_lock(&l->lock);
    s = place(l, hash);
    memcpy(s->hash, hash, HASH_LEN);
    s->seen_s = seen_s;
    pthread_mutex_unlock(&l->lock);
}

void live_end(struct live *l, const uint8_t hash[HASH_LEN])
{
    struct live_session *s;

    pthread_mutex_lock(&l->lock);
    s = place(l, hash);
    if (memcmp(s->hash, hash, HASH_LEN) == 0)
        *s = (struct live_session){0};
    pthread_mutex_unlock(&l->lock);
}

bool live_has(struct live *l, const uint8_t hash[HASH_LEN], int64_t now_s)
{
    const struct live_session *s;
    bool found;

    pthread_mutex_lock(&l->lock);
    s = place(l, hash);
    found = memcmp(s->hash, hash, HASH_LEN) == 0 && now_s - s->seen_s < SESSION_IDLE_S;
    pthread_mutex_unlock(&l->lock);
    return found;
}
