/*
 * delivery_files: where a delivery's files are, and which of them hold names (see delivery.h). Any
 * thread.
 *
 * What is in a bundle it says itself, and its name begins with its addressee's number: the list of
 * addressees may have been edited since. What does not say that it is without names counts as a
 * file with names.
 */
#include "delivery_internal.h"

#include "log.h"
#include "mirror.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

void delivery_mirror_path(struct buf *out, const struct delivery_config *config, int64_t id)
{
    buf_printf(out, "%s/%" PRId64 "/" MIRROR_NAME, config->dir, id);
}

bool delivery_has_names(const struct content *content, int addressee)
{
    const cJSON *names =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(content->addressees, addressee - 1),
                                         "names");

    return cJSON_IsString(names) && strcmp(names->valuestring, "with-consent") == 0;
}

/* ---- finding */

static void add_folder(struct buf *out, const struct delivery_config *config, int64_t id)
{
    buf_printf(out, "%s/%" PRId64, config->dir, id);
}

bool delivery_find_bundle(struct buf *out, const struct delivery_config *config, int64_t id,
                          int addressee)
{
    struct buf folder;
    struct dirent *entry;
    bool found = false;
    DIR *d;

    buf_init(&folder, BUF_UNLIMITED);
    add_folder(&folder, config, id);
    d = opendir(folder.data);
    while (d && !found && (entry = readdir(d))) {
        found = addressee > 0 && bundle_file_addressee(entry->d_name) == addressee;
        if (found)
            buf_printf(out, "%s/%s", folder.data, entry->d_name);
    }
    if (d)
        closedir(d);
    buf_release(&folder);
    return found;
}

/* ---- deleting */

typedef bool keep_file(const struct delivery_config *config, int64_t id, const char *name);

/* Not bundles, and those of their present names. */
static bool keep_unless_renamed(const struct delivery_config *config, int64_t id, const char *name)
{
    int addressee = bundle_file_addressee(name);
    struct buf now;
    bool keep = addressee == 0;

    (void)id;
    buf_init(&now, BUF_UNLIMITED);
    if (addressee > 0 && addressee <= ADDRESSEE_COUNT) {
        bundle_file_name(&now, config->bundle.content, addressee - 1);
        keep = strcmp(now.data, name) == 0;
    }
    buf_release(&now);
    return keep;
}

/* log.zip, which is public, also while it is made. */
static bool keep_log(const struct delivery_config *config, int64_t id, const char *name)
{
    (void)config;
    (void)id;
    return strncmp(name, MIRROR_NAME, strlen(MIRROR_NAME)) == 0;
}

/* And bundles that say they are without names. */
static bool keep_nameless(const struct delivery_config *config, int64_t id, const char *name)
{
    int addressee = bundle_file_addressee(name);
    struct buf path;
    bool keep = keep_log(config, id, name);

    buf_init(&path, BUF_UNLIMITED);
    add_folder(&path, config, id);
    buf_printf(&path, "/%s", name);
    keep = keep || (addressee > 0 && bundle_is_nameless(path.data, id, addressee));
    buf_release(&path);
    return keep;
}

/* Deletes what is in the folder and not kept. */
static int forget(const struct delivery_config *config, int64_t id, keep_file *keep)
{
    struct dirent *entry;
    struct buf folder;
    int code = 0;
    DIR *d;

    buf_init(&folder, BUF_UNLIMITED);
    add_folder(&folder, config, id);
    d = opendir(folder.data);
    if (!d && errno != ENOENT)
        code = errno;
    while (d && (errno = 0, entry = readdir(d))) {
        const char *name = entry->d_name;

        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !keep(config, id, name) &&
            unlinkat(dirfd(d), name, 0) != 0 && errno != ENOENT)
            code = errno;
    }
    if (d && errno != 0)
        code = errno;
    if (d)
        closedir(d);
    if (code != 0)
        log_error("delivery %" PRId64 ": files cannot be deleted: %s", id, strerror(code));
    buf_release(&folder);
    return code == 0 ? 0 : -1;
}

int delivery_forget_names(const struct delivery_config *config, int64_t id)
{
    return forget(config, id, keep_nameless);
}

int delivery_forget_renamed(const struct delivery_config *config, int64_t id)
{
    return forget(config, id, keep_unless_renamed);
}

int delivery_forget_failed(const struct delivery_config *config, int64_t id)
{
    return forget(config, id, keep_log);
}
