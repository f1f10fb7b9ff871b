/*
 * json: members of parsed objects (see json.h). Pure; any thread.
 */
#include "json.h"

#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>

#define WHOLE_MAX 9007199254740992.0 /* 2^53: beyond it a number of JSON is not exact */

static void free_wiped(void *memory)
{
    if (memory)
        sodium_memzero(memory, malloc_usable_size(memory));
    free(memory);
}

void json_install(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = malloc, .free_fn = free_wiped});
}

const cJSON *json_member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *json_text(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(json_member(object, name));

    return text ? text : "";
}

int64_t json_number(const cJSON *object, const char *name)
{
    const cJSON *n = json_member(object, name);

    return cJSON_IsNumber(n) && n->valuedouble > 0 && n->valuedouble <= WHOLE_MAX
               ? (int64_t)n->valuedouble
               : 0;
}
