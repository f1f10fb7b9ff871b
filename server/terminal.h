/*
 * terminal: asking a person, or whatever stands on standard input, for one line.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>

#define TERMINAL_LINE_MAX 1024

/* At a terminal the prompt is shown, and with `hidden` what is typed is not. The line comes without
 * its end and is the caller's to wipe. 0, or -1 at the end of the input. */
int terminal_read_line(const char *prompt, bool hidden, char line[TERMINAL_LINE_MAX])
    __attribute__((warn_unused_result));

#endif
