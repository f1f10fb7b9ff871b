/*
 * log: one line per event on standard error, never personal data.
 *
 * A line is `level message`; when the journal reads standard error (JOURNAL_STREAM is set) it gets
 * the syslog priority in front instead of the level. No message may carry a name, a contact, a
 * token, an address or a query string. Lines are written whole, by one write(2) each; at most
 * LOG_LINES_PER_S a second, the rest is counted and the number reported.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdnoreturn.h>

#define LOG_LINES_PER_S 20

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above `level` are dropped. Called once at start, before there are threads. */
void log_init(enum log_level level);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For "cannot start": `petition: message` on standard error, then exit with the given status. */
noreturn void log_fatal(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
