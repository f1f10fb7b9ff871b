/*
 * log_fixture: a new database whose writer runs, with a log that is signed: what the tests of what
 * is published share. Include after cmocka.h; each claim runs between open_head and close_head.
 */
#ifndef LOG_FIXTURE_H
#define LOG_FIXTURE_H

#include "database_fixture.h"

#include "head.h"

#define ORIGIN "log.example/log"

static struct writer *writer;
static struct head *head;

/* Jobs that append entries, and publish. */
struct append_job {
    struct job job;
    const char *text; /* NULL: the `count` next sign entries */
    int count;
    struct tlog_edge edge; /* afterwards */
};

static inline int apply_append(struct job *job, struct db *to)
{
    struct append_job *a = (struct append_job *)job;
    uint8_t c[HASH_LEN] = {0}, w[HASH_LEN] = {0};
    int64_t index;
    struct buf body;
    int result = DB_OK;

    buf_init(&body, BUF_UNLIMITED);
    for (int i = 0; i < a->count && result == DB_OK; i++) {
        buf_clear(&body);
        if (a->text)
            buf_adds(&body, a->text);
        else {
            memcpy(c, &(int64_t){db_log_size(to)}, sizeof(int64_t));
            entry_sign(&body, c, w);
        }
        result = db_log_append(to, &body, &index);
    }
    buf_release(&body);
    tlog_edge_copy(&a->edge, db_log_right_edge(to));
    return result;
}

static struct append_job last_job;

static inline void append(const char *text, int count)
{
    last_job = (struct append_job){.job = {.apply = apply_append}, .text = text, .count = count};
    assert_int_equal(writer_run(writer, &last_job.job), JOB_COMMITTED);
}

static inline void append_wd(int64_t index)
{
    const uint8_t secret[HASH_LEN] = {0};
    struct buf entry;

    buf_init(&entry, BUF_UNLIMITED);
    entry_wd(&entry, index, secret);
    append(entry.data, 1);
    buf_release(&entry);
}

static inline void append_dlv(int64_t n, int64_t size)
{
    const struct dlv_entry d = {.n = n, .size = size};
    struct buf entry;

    buf_init(&entry, BUF_UNLIMITED);
    entry_dlv(&entry, &d);
    append(entry.data, 1);
    buf_release(&entry);
}

static inline void publish(void)
{
    assert_int_equal(head_publish(head, writer, &last_job.edge), 0);
}

static inline void open_head(void **state)
{
    char key_path[80];
    const char *why;
    struct note_key *key;
    struct buf err;

    open_new(state);
    buf_init(&err, BUF_UNLIMITED);
    snprintf(key_path, sizeof key_path, "%s/log.key", folder);
    assert_int_equal(note_key_create(key_path, ORIGIN), 0);
    key = note_key_open(key_path, &why);
    assert_non_null(key);
    head = head_open(folder, key, db, &err);
    assert_non_null(head);
    writer = writer_open(db, 100, NULL);
    db = NULL; /* the writer's */
    buf_release(&err);
}

static inline int close_head(void **state)
{
    writer_close(writer);
    head_close(head);
    return close_all(state);
}

#endif
