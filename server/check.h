/*
 * check: what an operator wants to know of a data directory: configuration, keys, database, last
 * backup, room. One line for each finding, which begins with ok, warning or error.
 *
 * Reads only. The database is read by a connection of its own, in one snapshot for each claim
 * (db_check.h). Beside a running server each snapshot ends within a minute, as a delivery's does,
 * so signing goes on and the WAL is emptied again soon: recounts stop after 50 s, and SQLite's
 * integrity check, which cannot be stopped, is left out when the database is too large for it; both
 * are then said in a warning.
 */
#ifndef CHECK_H
#define CHECK_H

#include "config.h"
#include "control.h"

/* Checks the directory of the configuration; `beside_server`: this process serves it. The findings
 * go to the sink as 'O'. 0 if there is no error among them, else 1. */
int check_run(const struct config *config, bool beside_server, const struct control_sink *sink);

#endif
