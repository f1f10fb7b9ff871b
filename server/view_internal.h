/*
 * view_internal: what the files of view share: building the data of one page. Only view*.c include
 * it.
 */
#ifndef VIEW_INTERNAL_H
#define VIEW_INTERNAL_H

#include "page_data.h"
#include "view.h"

/* One page being built. */
struct page {
    const struct view *v;
    enum lang lang;
    cJSON *data;
};

/* Starts a page. `path` is what follows /LANG in its address ("" for the petition); NULL: the page
 * is an answer that is found at no address of its own, so search engines are kept off. */
struct page page_new(const struct view *v, enum lang lang, const char *path);
/* Renders and frees it. */
void page_finish(struct page *page, const char *template, struct buf *out);

/* A text of the catalogue. */
const char *page_say(const struct page *page, const char *key);

#endif
