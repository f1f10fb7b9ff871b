/*
 * delivery_files: where a delivery's files are, and which of them hold names (see delivery.h). Any
 * thread.
 */
#include "delivery.h"

#include "log.h"
#include "mirror.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

void delivery_mirror_path(struct buf *out, const struct delivery_config *config, int64_t id)
{
    buf_printf(out, "%s/%" PRId64 "/" MIRROR_NAME, config->dir, id);
}

void delivery_bundle_path(struct buf *out, const struct delivery_config *config, int64_t id,
                          int addressee)
{
    buf_printf(out, "%s/%" PRId64 "/", config->dir, id);
    bundle_file_name(out, config->bundle.content, addressee - 1);
}

bool delivery_has_names(const struct content *content, int addressee)
{
    const cJSON *names =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(content->addressees, addressee - 1),
                                         "names");

    return cJSON_IsString(names) && strcmp(names->valuestring, "with-consent") == 0;
}

void delivery_forget_names(const struct delivery_config *config, int64_t id)
{
    struct bundle_context bundle = config->bundle;
    struct buf path;

    buf_init(&path, BUF_UNLIMITED);
    buf_printf(&path, "%s/%" PRId64, config->dir, id);
    bundle.dir = path.data;
    bundle_clean(&bundle, true);
    for (int addressee = 1; addressee <= ADDRESSEE_COUNT; addressee++) {
        buf_clear(&path);
        delivery_bundle_path(&path, config, id, addressee);
        if (delivery_has_names(config->bundle.content, addressee) && unlink(path.data) != 0 &&
            errno != ENOENT)
            log_error("%s: %s", path.data, strerror(errno));
    }
    buf_release(&path);
}
