/*
 * usage: what `petition help` says.
 */
#ifndef USAGE_H
#define USAGE_H

/* Lines, the last with its end. */
extern const char usage_text[];

#endif
