/*
 * download: the bundles of a delivery, as answers: what the API and the desk have in common.
 */
#ifndef DOWNLOAD_H
#define DOWNLOAD_H

#include "delivery.h"
#include "http.h"

/* Whether the bundle of a delivery that is done can be downloaded: 200; 404: it is not there; 410:
 * completing has deleted it, or was to. Any thread. */
int download_status(const struct delivery_config *config, const struct delivery_row *row,
                    int addressee);
/* Answers with the bundle; 404 if it is not there any more. */
void download_bundle(struct http_request *rq, const struct delivery_config *config, int64_t id,
                     int addressee);

/* All that can be downloaded of the delivery, in one ZIP that is made while it is sent: 200 if
 * there is any, else as for one. A file that goes meanwhile breaks the answer off. */
int download_all_status(const struct delivery_config *config, const struct delivery_row *row);
void download_all(struct http_request *rq, const struct delivery_config *config,
                  const struct delivery_row *row);

#endif
