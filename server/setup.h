/*
 * setup: making a data directory: keys, configuration, database with entry 0.
 *
 * The database is made under another name and renamed last; so a directory with petition.db is
 * whole, and an interrupted setup is simply run again (keys that are there already are kept).
 */
#ifndef SETUP_H
#define SETUP_H

#include "config.h"

struct setup {
    const struct config *config;
    const char *origin; /* NULL: base_url without scheme, or petition.invalid/log */
    bool demo;          /* publish_min = count_step = 1 */
};

/* 0; 1 if the directory is initialised already (nothing is changed); -1 with a line in err. */
int setup_run(const struct setup *setup, struct buf *err) __attribute__((warn_unused_result));

#endif
