/*
 * fetch: a small client (see fetch.h). One thread. Who may be believed is left to the caller: all
 * that is read here is checked against the log's key.
 */
#include "fetch.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_S 30
#define TOTAL_S   300
#define NOT_FOUND 404

struct fetch {
    CURL *curl;
    struct buf base, url;
    struct buf *out; /* of the request in work */
};

bool fetch_is_url(const char *text)
{
    return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct fetch *f = ctx;

    buf_add(f->out, data, size * count);
    return buf_ok(f->out) ? size * count : 0;
}

/* Whom to trust, as the curl program takes it from the environment; the library alone does not. */
static bool trust(struct fetch *f)
{
    const char *file = getenv("SSL_CERT_FILE");

    return !file || !*file || curl_easy_setopt(f->curl, CURLOPT_CAINFO, file) == CURLE_OK;
}

static bool set_up(struct fetch *f)
{
    return trust(f) && curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
           curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, f) == CURLE_OK &&
           curl_easy_setopt(f->curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(f->curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(f->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S) == CURLE_OK &&
           curl_easy_setopt(f->curl, CURLOPT_TIMEOUT, (long)TOTAL_S) == CURLE_OK;
}

struct fetch *fetch_open(const char *base_url)
{
    struct fetch *f = xcalloc(1, sizeof *f);
    size_t len = strlen(base_url);

    while (len > 0 && base_url[len - 1] == '/')
        len--;
    buf_init(&f->base, BUF_UNLIMITED);
    buf_init(&f->url, BUF_UNLIMITED);
    buf_add(&f->base, base_url, len);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    f->curl = curl_easy_init();
    if (f->curl && set_up(f))
        return f;
    fetch_close(f);
    return NULL;
}

void fetch_close(struct fetch *f)
{
    if (!f)
        return;
    curl_easy_cleanup(f->curl);
    curl_global_cleanup();
    buf_release(&f->base);
    buf_release(&f->url);
    free(f);
}

int fetch_get(struct fetch *f, const char *path, struct buf *out, struct buf *why)
{
    CURLcode code;
    long status = 0;

    buf_clear(&f->url);
    buf_printf(&f->url, "%s/%s", f->base.data, path);
    f->out = out;
    code = curl_easy_setopt(f->curl, CURLOPT_URL, f->url.data);
    if (code == CURLE_OK)
        code = curl_easy_perform(f->curl);
    if (code == CURLE_OK)
        code = curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status == NOT_FOUND)
        return 1;
    if (code == CURLE_OK && status == 200)
        return 0;
    if (code != CURLE_OK)
        buf_printf(why, "/%s: %s", path,
                   buf_ok(out) ? curl_easy_strerror(code) : "is larger than it can be");
    else
        buf_printf(why, "/%s: the server answers %ld", path, status);
    return -1;
}
