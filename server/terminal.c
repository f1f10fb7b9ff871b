/*
 * terminal: one line of standard input (see terminal.h). The main thread of a command.
 */
#include "terminal.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static void set_echo(bool on)
{
    struct termios settings;

    if (tcgetattr(STDIN_FILENO, &settings) != 0)
        return;
    if (on)
        settings.c_lflag |= (tcflag_t)ECHO;
    else
        settings.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings);
}

int terminal_read_line(const char *prompt, bool hidden, char line[TERMINAL_LINE_MAX])
{
    bool terminal = isatty(STDIN_FILENO);
    char *got;

    if (terminal) {
        fputs(prompt, stderr);
        if (hidden)
            set_echo(false);
    }
    got = fgets(line, TERMINAL_LINE_MAX, stdin);
    if (terminal && hidden) {
        set_echo(true);
        fputc('\n', stderr);
    }
    if (!got)
        return -1;
    line[strcspn(line, "\r\n")] = '\0';
    return 0;
}
