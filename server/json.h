/*
 * json: reading members of a parsed object, with a harmless answer where there is none.
 */
#ifndef JSON_H
#define JSON_H

#include "buf.h"

#include <cjson/cJSON.h>

/* From here on a tree's memory is overwritten when it goes: pages and answers are made of trees,
 * and some hold codes. In main, before there are threads. */
void json_install(void);

/* The member, or NULL. */
const cJSON *json_member(const cJSON *object, const char *name);
/* Its string, or "". */
const char *json_text(const cJSON *object, const char *name);
/* Its number as a whole one, or 0 if there is none, or it is negative or above 2^53. */
int64_t json_number(const cJSON *object, const char *name);

#endif
