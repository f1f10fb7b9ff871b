/*
 * pages: everything that is published: the visitor's pages and the figures of the API.
 *
 * Rendered and compressed once per publication, then answered by http without touching this module.
 */
#ifndef PAGES_H
#define PAGES_H

#include "head.h"
#include "http.h"
#include "view.h"

struct pages_config {
    const struct view *view;
    const char *origin; /* of the log */
    struct head *head;  /* the published log */
};

/* Renders the whole set for a publication and puts it in place. */
void pages_publish(const struct pages_config *config, struct http_server *server,
                   const struct publication *p);

/* Handlers that need no figures. */
http_handler pages_root;  /* GET / : to the visitor's language */
http_handler pages_slash; /* GET /{lang}/ : to the page without the slash */

#endif
