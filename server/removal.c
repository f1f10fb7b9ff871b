/*
 * removal: the `void` entry and what goes with it (see removal.h).
 */
#include "removal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum void_why removal_reason(const char *word)
{
    for (int why = 0; why < VOID__MAX; why++)
        if (why != VOID_LOST && strcmp(word, void_why_names[why]) == 0)
            return (enum void_why)why;
    return VOID__MAX;
}

int removal_apply(struct db *db, int64_t index, enum void_why why)
{
    struct buf entry;
    int64_t at;
    bool live = false;
    int result = db_submission_live(db, index, &live);

    if (result != DB_OK || !live)
        return result < 0 ? result : DB_NO_ROW;
    buf_init(&entry, BUF_UNLIMITED);
    entry_void(&entry, index, why);
    result = db_log_append(db, &entry, &at);
    buf_release(&entry);
    return result == DB_OK ? db_submission_erase(db, index, why) : result;
}

struct removal_job {
    struct job job;
    int64_t index;
    enum void_why why;
    int found; /* DB_OK or DB_NO_ROW */
};

static int apply(struct job *job, struct db *db)
{
    struct removal_job *j = (struct removal_job *)job;
    struct audit_act act = {time(NULL), OPERATOR_NAME, "void", ""};
    char detail[48];
    int result = removal_apply(db, j->index, j->why);

    j->found = result;
    if (result != DB_OK)
        return result < 0 ? result : DB_OK;
    snprintf(detail, sizeof detail, "%" PRId64 " %s", j->index, void_why_names[j->why]);
    act.detail = detail;
    return db_audit(db, &act);
}

int removal_run(struct writer *writer, const char *index, const char *reason, struct buf *err)
{
    struct removal_job j = {.job = {.apply = apply}, .why = removal_reason(reason)};
    char *end;

    j.index = strtoll(index, &end, 10);
    if (*end || end == index || j.index <= 0)
        buf_adds(err, "the index is the number before the first hyphen of a receipt's code");
    else if (j.why == VOID__MAX)
        buf_adds(err, "the reason is one of: request, duplicate, fraud, test");
    else if (writer_run(writer, &j.job) != JOB_COMMITTED)
        buf_adds(err, "the database could not be written");
    else if (j.found != DB_OK)
        buf_printf(err, "there is no live submission %" PRId64, j.index);
    else
        return 0;
    return -1;
}
