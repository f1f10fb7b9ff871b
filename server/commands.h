/*
 * commands: what the commands that need the database do, and how they get at it.
 *
 * The same code runs in the server (asked over the control socket) and, when no server has the
 * directory, in the command's own process.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "control.h"
#include "service.h"

#include <stdatomic.h>

/* What the server hands to its control socket as context. */
struct commands {
    struct service *service;
    struct gate *gate; /* NULL without a server */
    struct publisher *publisher;
    const struct notify *notify;
    atomic_bool stopping;   /* set when the server stops: long commands end */
    atomic_bool backing_up; /* one backup at a time */
};

/* Carries out one command on an open service: the control_handler of the server. Returns the exit
 * status. Knows: organiser add|passwd NAME, token NAME, deliver, export, withdraw CODE,
 * backup, backup done, check, void INDEX REASON, import LABEL (with a file), close ask (what it
 * does), close (its input is the origin), close yes. */
int commands_handle(void *ctx, const struct control_request *request,
                    const struct control_sink *sink);

/* Runs the command on the data directory of the configuration: in this process, or by the server
 * that has it. Returns the exit status. */
int commands_run(const struct config *config, const struct control_request *request,
                 const struct control_sink *sink);

#endif
