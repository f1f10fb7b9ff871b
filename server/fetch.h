/*
 * fetch: reads what a server publishes, by http or https.
 *
 * libcurl's only user. Follows no redirection, sends no cookie and no name of its own, and obeys
 * the environment: its proxy (ALL_PROXY=socks5h://127.0.0.1:9050 for an onion service), and whom to
 * trust (SSL_CERT_FILE; without it the system's certificates). One connection is kept; one thread.
 */
#ifndef FETCH_H
#define FETCH_H

#include "buf.h"

struct fetch;
/* True for http:// and https:// addresses. */
bool fetch_is_url(const char *text);
/* The address of the site, with or without a slash at its end. NULL if libcurl cannot be had. */
struct fetch *fetch_open(const char *base_url);
void fetch_close(struct fetch *f);

/* Reads base_url/path, at most out->cap bytes. 0; 1 if the server says 404; -1 with a sentence in
 * why. */
int fetch_get(struct fetch *f, const char *path, struct buf *out, struct buf *why)
    __attribute__((warn_unused_result));

#endif
