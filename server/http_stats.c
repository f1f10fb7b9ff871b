/*
 * http_stats: how many answers of which kind, and how long they took (see http.h).
 *
 * Runs on the thread of the request, when its answer is queued. A request counts under a group
 * taken from its path by a fixed table, so that no path of a visitor's becomes a label.
 */
#include "http_internal.h"

#include <string.h>

/* What the first that fits says; then a language's paths are pages, and all else is other. */
static const struct {
    const char *prefix;
    enum http_group group;
} groups[] = {
    {"/api/v1/signatures", HTTP_GROUP_SIGN},
    {"/api/", HTTP_GROUP_API},
    {"/admin", HTTP_GROUP_DESK},
};

static const double bounds_s[] = {0.001, 0.005, 0.025, 0.1, 0.5, 2, 10};

void http_stats_init(struct http_stats *stats)
{
    for (int g = 0; g < HTTP_GROUP__COUNT; g++)
        histogram_init(&stats->seconds[g], bounds_s, sizeof bounds_s / sizeof *bounds_s);
}

static enum http_group group_of(const char *path)
{
    const char *slash;

    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strncmp(path, groups[i].prefix, strlen(groups[i].prefix)) == 0)
            return groups[i].group;
    if (!negotiate_path_lang(path))
        return strcmp(path, "/") == 0 ? HTTP_GROUP_PAGES : HTTP_GROUP_OTHER;
    slash = strchr(path + 1, '/');
    return slash && strcmp(slash, "/sign") == 0 ? HTTP_GROUP_SIGN : HTTP_GROUP_PAGES;
}

void http_count_answer(const struct http_request *rq, int status)
{
    struct http_stats *stats = &rq->server->stats;
    enum http_group group = group_of(rq->path);
    int class = status / 100 - 1;

    if (class < 0 || class >= HTTP_STATUS_CLASSES)
        return;
    atomic_fetch_add_explicit(&stats->answers[group][class], 1, memory_order_relaxed);
    histogram_add(&stats->seconds[group], metrics_now_s() - rq->started_s);
}

const struct http_stats *http_stats(const struct http_server *s)
{
    return &s->stats;
}
