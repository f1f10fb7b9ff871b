/*
 * Calls that have a safe form in this project are compile errors.
 * Included by buf.h, and so by every module.
 */
#ifndef BANNED_H
#define BANNED_H

/* Their own headers first: a declaration is no call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(call) banned_##call##_use_the_safe_form

#undef strcpy
#define strcpy(d, s) BANNED(strcpy)
#undef strncpy
#define strncpy(d, s, n) BANNED(strncpy)
#undef strcat
#define strcat(d, s) BANNED(strcat)
#undef strncat
#define strncat(d, s, n) BANNED(strncat)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf)
#undef strtok
#define strtok(s, d) BANNED(strtok)
#undef gets
#define gets(s) BANNED(gets)
#undef gmtime
#define gmtime(t) BANNED(gmtime)
#undef localtime
#define localtime(t) BANNED(localtime)
#undef asctime
#define asctime(t) BANNED(asctime)
#undef ctime
#define ctime(t) BANNED(ctime)
#undef atoi
#define atoi(s) BANNED(atoi)
#undef rand
#define rand() BANNED(rand)

#endif
