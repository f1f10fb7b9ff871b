/*
 * secret_line: a line of standard input (see secret_line.h). The main thread of a command.
 */
#include "secret_line.h"

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

int secret_line_read(const char *prompt, char line[SECRET_LINE_BYTES])
{
    bool terminal = isatty(STDIN_FILENO);
    char *got;

    if (terminal) {
        fputs(prompt, stderr);
        set_echo(false);
    }
    got = fgets(line, SECRET_LINE_BYTES, stdin);
    if (terminal) {
        set_echo(true);
        fputc('\n', stderr);
    }
    if (!got)
        return -1;
    line[strcspn(line, "\r\n")] = '\0';
    return 0;
}
