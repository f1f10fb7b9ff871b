/*
 * desk_page: what the organisers' pages have in common, and what their handlers share.
 *
 * A page is made on the request thread: desk_page_new gives the data that every page has (language,
 * menu, who is logged in, the forms' token), the handler adds its own, desk_page_send renders
 * templates/desk-NAME.html. What is shown is read from a connection of its own (desk_read), not on
 * the writer's thread. Nothing here is cached or compressed: pages hold the token.
 */
#ifndef DESK_PAGE_H
#define DESK_PAGE_H

#include "act.h"
#include "batch.h"
#include "delivery.h"
#include "ephemeral.h"
#include "hours.h"
#include "page_data.h"
#include "view.h"

struct desk {
    const struct view *view;
    const struct config *config;
    const struct hours *hours;
    struct delivery *delivery;
    struct batches *batches;
    const struct delivery_config *delivery_config;
    struct ephemeral *ephemeral;
};

#define DESK_HTML "text/html; charset=utf-8"

/* The act's desk. */
const struct desk *desk_of(const struct act *act);
/* The language: chosen, the session's, or the browser's. */
enum lang desk_lang(const struct act *act);
const char *desk_say(const struct act *act, const char *key);

/* The data of a page; its title is the text "desk.NAME.title". */
cJSON *desk_page_new(const struct act *act, const char *name);
/* Renders it and answers; frees the data. */
void desk_page_send(const struct act *act, cJSON *page, const char *name, int status);
/* A page without an act, for whoever is not logged in. */
cJSON *desk_page_outside(const struct desk *d, enum lang lang, const char *name);
/* Links to the same page in other languages: its address must answer a GET. */
void desk_page_languages(cJSON *page, enum lang current);
void desk_page_answer(const struct desk *d, struct http_request *rq, cJSON *page, const char *name,
                      int status);

/* 303 after a POST, to a page of the desk, that then says the text "desk.said.WORD" (NULL:
 * nothing). */
void desk_redirect(struct act *act, const char *path, const char *said);
/* The context's refuse(): to the log-in, or a page that says what is wrong. */
void desk_refuse(struct act *act);
/* The data of that page, for a handler that adds to it and sends "refused" with act->status. */
cJSON *desk_refusal(struct act *act);
/* For a form that is shown again: what is wrong with the field, as the text of `key`, in the
 * summary and as FIELD_error beside the field, whose id is `field`. */
void desk_problem(const struct act *act, cJSON *page, const char *field, const char *key);

/* Starts reading one state of the database; NULL after having answered 503. */
struct db *desk_read(struct act *act);
void desk_read_end(struct db *db);

/* ---- data */

void desk_number(const struct act *act, cJSON *object, const char *name, uint64_t n);
void desk_day(const struct act *act, cJSON *object, const char *name, day_number day);
/* "2026-11-22 03:40 UTC" */
void desk_time(cJSON *object, const char *name, int64_t at_s);
/* The text "PREFIX.WORD" of the catalogue. */
void desk_word(const struct act *act, cJSON *object, const char *name, const char *prefix,
               const char *word);
/* `reasons`: why a submission may be removed. */
void desk_reasons(const struct act *act, cJSON *object);

#endif
