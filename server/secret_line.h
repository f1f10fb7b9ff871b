/*
 * secret_line: a password or code that no list of processes shows.
 */
#ifndef SECRET_LINE_H
#define SECRET_LINE_H

#include "buf.h"

#define SECRET_LINE_BYTES 1024

/* Reads one line of standard input, without its end; at a terminal it asks, and what is typed is
 * not shown. 0, or -1 if there is none. The caller overwrites it. */
int secret_line_read(const char *prompt, char line[SECRET_LINE_BYTES])
    __attribute__((warn_unused_result));

#endif
