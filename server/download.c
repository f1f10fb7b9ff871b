/*
 * download: the bundles of a delivery, as answers (see download.h). Any thread.
 */
#include "download.h"

#include <string.h>

int download_status(const struct delivery_config *config, const struct delivery_row *row,
                    int addressee)
{
    struct buf path;
    bool is_there;
    int status;

    buf_init(&path, BUF_UNLIMITED);
    is_there = delivery_find_bundle(&path, config, row->id, addressee);
    if (!row->completed_s)
        status = is_there ? 200 : 404;
    else
        status = is_there && bundle_is_nameless(path.data, row->id, addressee) ? 200 : 410;
    buf_release(&path);
    return status;
}

void download_bundle(struct http_request *rq, const struct delivery_config *config, int64_t id,
                     int addressee)
{
    struct buf path;

    buf_init(&path, BUF_UNLIMITED);
    if (delivery_find_bundle(&path, config, id, addressee))
        http_reply_file(rq, path.data, "application/zip", strrchr(path.data, '/') + 1);
    else
        http_fail(rq, 404);
    buf_release(&path);
}
