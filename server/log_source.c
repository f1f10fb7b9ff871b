/*
 * log_source: three places a log's files can be read from (see log_source.h). One thread.
 */
#include "log_source.h"

#include "archive_read.h"
#include "fetch.h"
#include "files.h"
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define VKEY_MAX     1024
#define PETITION_MAX (1024 * 1024) /* of /api/v1/petition */
#define PATH_BYTES   (TILE_PATH_MAX + 8)

struct log_source {
    char *folder;
    struct archive_reader *zip;
    struct fetch *site;
};

struct log_source *log_source_open(const char *thing, struct buf *why)
{
    struct log_source *s = xcalloc(1, sizeof *s);
    struct stat st;

    if (fetch_is_url(thing)) {
        s->site = fetch_open(thing);
        if (!s->site)
            buf_adds(why, "libcurl cannot be initialised");
    } else if (stat(thing, &st) == 0 && S_ISDIR(st.st_mode)) {
        s->folder = xstrdup(thing);
    } else {
        s->zip = archive_reader_open(thing, why);
    }
    if (s->site || s->folder || s->zip)
        return s;
    free(s);
    return NULL;
}

void log_source_close(struct log_source *s)
{
    if (!s)
        return;
    free(s->folder);
    archive_reader_close(s->zip);
    fetch_close(s->site);
    free(s);
}

static int get_file(struct log_source *s, const char *path, struct buf *out, struct buf *why)
{
    char *file = files_join(s->folder, path);
    int result = buf_read_file(out, file), code = errno;

    free(file);
    if (result == 0)
        return 0;
    if (code == ENOENT || code == ENOTDIR)
        return 1;
    buf_printf(why, "%s: %s", path, strerror(code));
    return -1;
}

int log_source_get(struct log_source *s, const char *path, struct buf *out, struct buf *why)
{
    buf_clear(out);
    if (s->site)
        return fetch_get(s->site, path, out, why);
    return s->zip ? archive_reader_get(s->zip, path, out, why) : get_file(s, path, out, why);
}

int log_source_tile(struct log_source *s, const struct tile *t, struct buf *out, struct buf *why)
{
    struct tile full = {t->level, t->n, TILE_WIDTH};
    char path[PATH_BYTES] = "tile/";
    int result;

    tile_path(t, path + strlen("tile/"));
    result = log_source_get(s, path, out, why);
    if (result == 1 && t->width < TILE_WIDTH) {
        tile_path(&full, path + strlen("tile/"));
        result = log_source_get(s, path, out, why);
    }
    if (result == 1)
        buf_printf(why, "%s is missing", path);
    return result == 0 ? 0 : -1;
}

int log_source_key(struct log_source *s, struct note_verifier *out, struct buf *why)
{
    struct buf text;
    cJSON *petition = NULL;
    int result;

    buf_init(&text, s->site ? PETITION_MAX : VKEY_MAX);
    result = log_source_get(s, s->site ? "api/v1/petition" : "vkey", &text, why);
    if (result == 0 && s->site) {
        petition = cJSON_ParseWithLength(text.data, text.len);
        result = note_parse_vkey(out, json_text(petition, "log_vkey"));
    } else if (result == 0) {
        if (text.len > 0 && text.data[text.len - 1] == '\n')
            text.data[--text.len] = '\0';
        result = strlen(text.data) == text.len ? note_parse_vkey(out, text.data) : -1;
    }
    if (result != 0 && why->len == 0)
        buf_adds(why, result == 1 ? "does not name the log's key: give --vkey"
                                  : "names a log's key that is none");
    cJSON_Delete(petition);
    buf_release(&text);
    return result == 0 ? 0 : -1;
}
