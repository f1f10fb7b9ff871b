/*
 * health: is the process alive, and can it take a signature?
 */
#ifndef HEALTH_H
#define HEALTH_H

#include "http.h"
#include "writer.h"

http_handler health_alive; /* GET /healthz: the process answers */
http_handler health_ready; /* GET /readyz: the writer finishes a transaction; ctx: struct writer */

#endif
