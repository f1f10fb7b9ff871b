/*
 * desk_overview: the first page: exact figures, the last hours, what needs doing (see desk.h).
 *
 * The figures are those of the database now, not the public's, which move in steps.
 */
#include "config.h"
#include "desk.h"
#include "files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BACKUP_MAX_AGE_S (26 * 3600)
#define CHART_WIDTH      480
#define CHART_HEIGHT     120

/* ---- figures */

static void add_totals(const struct act *act, cJSON *page, const struct totals *t)
{
    uint64_t removed = 0;

    for (int why = 0; why < VOID__MAX; why++)
        removed += t->removed[why];
    desk_number(act, page, "signatures", t->signatures);
    desk_number(act, page, "confirmed", t->confirmed);
    desk_number(act, page, "live", t->live);
    desk_number(act, page, "repeats", t->live - t->signatures);
    desk_number(act, page, "withdrawn", t->withdrawn);
    desk_number(act, page, "removed", removed);
    desk_number(act, page, "milestone", figures_next_milestone(t->signatures, PETITION_GOAL));
    desk_number(act, page, "shown", t->shown_count.value);
}

/* A table of live submissions; true if the database could be read. */
static bool add_table(const struct act *act, struct db *db, cJSON *page, enum db_table which)
{
    bool by_country = which == DB_BY_COUNTRY;
    cJSON *rows = page_array(page, by_country ? "by_country" : "by_tier");
    struct table t;
    bool good = db_table(db, which, INT32_MAX, &t) == DB_OK;

    for (size_t i = 0; good && i < t.count; i++) {
        cJSON *row = page_object(rows);

        if (by_country)
            page_text(row, "name",
                      content_country_name(desk_of(act)->view->content, t.cells[i].key,
                                           desk_lang(act)));
        else
            desk_word(act, row, "name", "desk.tier", t.cells[i].key);
        desk_number(act, row, "n", t.cells[i].n);
    }
    free(t.cells);
    return good;
}

static bool add_today(const struct act *act, struct db *db, cJSON *page)
{
    char today[11];
    uint64_t n = 0;
    struct table t;
    bool good = db_table(db, DB_BY_DAY, INT32_MAX, &t) == DB_OK;

    day_text(today, day_of(time(NULL)));
    for (size_t i = 0; good && i < t.count; i++)
        if (strcmp(t.cells[i].key, today) == 0)
            n = t.cells[i].n;
    desk_number(act, page, "today", n);
    free(t.cells);
    return good;
}

/* ---- the last hours */

/* One bar of the chart. */
static void add_bar(const struct act *act, cJSON *chart, int at, const uint64_t counts[HOURS_COUNT])
{
    cJSON *bar = page_object(chart);
    uint64_t most = 1;
    int height;
    time_t hour = (time(NULL) / 3600 - HOURS_COUNT + 1 + at) * 3600;
    struct tm tm;

    for (int i = 0; i < HOURS_COUNT; i++)
        most = counts[i] > most ? counts[i] : most;
    height = (int)((double)counts[at] / (double)most * CHART_HEIGHT);
    gmtime_r(&hour, &tm);
    page_format(bar, "hour", "%02d:00", tm.tm_hour);
    page_format(bar, "x", "%d", at * CHART_WIDTH / HOURS_COUNT);
    page_format(bar, "y", "%d", CHART_HEIGHT - height);
    page_format(bar, "height", "%d", height);
    desk_number(act, bar, "n", counts[at]);
}

static void add_hours(const struct act *act, cJSON *page)
{
    const struct hours *hours = desk_of(act)->hours;
    cJSON *chart = page_array(page, "hours");
    uint64_t counts[HOURS_COUNT], sum = 0;

    hours_read(hours, time(NULL), counts);
    for (int i = 0; i < HOURS_COUNT; i++) {
        add_bar(act, chart, i, counts);
        sum += counts[i];
    }
    desk_number(act, page, "last_day", sum);
    page_flag(page, "some_hours", sum > 0);
    desk_time(page, "since", hours->since_s);
}

/* ---- warnings */

static bool has_file(const struct act *act, const char *name)
{
    char *path = files_join(desk_of(act)->config->data_dir, name);
    bool there = access(path, F_OK) == 0;

    free(path);
    return there;
}

static void warn_if(const struct act *act, cJSON *warnings, bool wrong, const char *word)
{
    if (wrong)
        desk_word(act, page_object(warnings), "text", "desk.warning", word);
}

static bool add_warnings(const struct act *act, struct db *db, cJSON *page)
{
    const struct config *config = desk_of(act)->config;
    cJSON *warnings = page_array(page, "warnings");
    bool closed = db_close_index(db) > 0;
    int64_t backup_s = 0;
    int result = db_audit_newest(db, "backup", &backup_s);

    warn_if(act, warnings, closed, "closed");
    warn_if(act, warnings, !closed && !config->petition_open, "paused");
    warn_if(act, warnings, has_file(act, "organiser.key"), "key");
    warn_if(act, warnings, *config->organiser_name == '\0', "name");
    warn_if(act, warnings, time(NULL) - backup_s > BACKUP_MAX_AGE_S, "backup");
    warn_if(act, warnings, *config->pepper_file == '\0' && has_file(act, "pepper.key"), "pepper");
    warn_if(act, warnings, !act->who.has_totp, "totp");
    return result >= 0;
}

static void answer_overview(struct act *act)
{
    struct db *db = desk_read(act);
    struct totals totals;
    cJSON *page;
    bool good;

    if (!db)
        return;
    page = desk_page_new(act, "overview");
    good = db_totals(db, &totals) == DB_OK && add_table(act, db, page, DB_BY_COUNTRY) &&
           add_table(act, db, page, DB_BY_TIER) && add_today(act, db, page) &&
           add_warnings(act, db, page);
    if (good) {
        add_totals(act, page, &totals);
        add_hours(act, page);
        page_flag(page, "empty", totals.live == 0);
    }
    desk_read_end(db);
    if (good) {
        desk_page_send(act, page, "overview", 200);
    } else {
        cJSON_Delete(page);
        http_fail(act->request, 503);
    }
}

DESK_HANDLER(desk_get_overview, .role = ROLE_READER, .answer = answer_overview)
