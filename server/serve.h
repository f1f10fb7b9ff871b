/*
 * serve: the server: routes, start order, signals, stop order.
 */
#ifndef SERVE_H
#define SERVE_H

#include "config.h"

/* Serves until SIGTERM or SIGINT. Returns the exit status. */
int serve(const struct config *config);

#endif
