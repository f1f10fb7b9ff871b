/*
 * negotiate: what a request's path and headers ask for. Pure functions on C strings.
 *
 * Sources: RFC 9110 sections 5.6 (tokens), 12.5.3 (Accept-Encoding), 12.5.4 (Accept-Language),
 * 13.1.2 (If-None-Match), 8.3 (Content-Type); RFC 2046 section 5.1.1 (boundaries).
 */
#ifndef NEGOTIATE_H
#define NEGOTIATE_H

#include "buf.h"

#define NEGOTIATE_PARAMS_MAX  2
#define NEGOTIATE_PARAM_BYTES 2600 /* of all of a path, each with its NUL */

struct path_params {
    size_t count;
    size_t at[NEGOTIATE_PARAMS_MAX], used; /* in text */
    char text[NEGOTIATE_PARAM_BYTES];
};

/* Matches a path against a pattern of literal segments and {lang}, {n}, {n}.zip, {text}, {rest}
 * (http.h). Fills *params on a match. */
bool negotiate_path(const char *pattern, const char *path, struct path_params *params);
/* The i-th, or "" if there are not so many. */
const char *negotiate_param(const struct path_params *params, size_t i);

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_BROTLI, CODING__COUNT };
/* True if the header (may be NULL) accepts the coding with a weight above 0. */
bool negotiate_accepts(const char *accept_encoding, enum coding coding);

/* "en", "fr" or "km": the heaviest of them in the header (may be NULL), else "en". */
const char *negotiate_lang(const char *accept_language);
/* The language a path begins with, or NULL. */
const char *negotiate_path_lang(const char *path);

/* True if the header (may be NULL) holds the entity tag or "*". Weak comparison. */
bool negotiate_etag(const char *if_none_match, const char *etag);

/* True if the Content-Type (may be NULL) is that media type, whatever its parameters. */
bool negotiate_media_type(const char *content_type, const char *wanted);

/* The boundary of a multipart Content-Type of which it is the only parameter. False if there is no
 * such boundary, or it is none (RFC 2046 section 5.1.1; spaces are not accepted). */
#define NEGOTIATE_BOUNDARY_MAX 70
bool negotiate_boundary(const char *content_type, char boundary[NEGOTIATE_BOUNDARY_MAX + 1]);

/* A Content-Length of at most 18 digits; -1 for anything else. */
int64_t negotiate_length(const char *content_length);

/* False if the browser says that another site made it send this POST. `origin`, `fetch_site` and
 * `host` are headers (may be NULL); base_url is the configured one, or "". */
bool negotiate_same_site(const char *origin, const char *fetch_site, const char *host,
                         const char *base_url);

#endif
