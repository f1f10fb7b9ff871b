/*
 * json: members of parsed objects (see json.h). Pure; any thread.
 */
#include "json.h"

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

    return cJSON_IsNumber(n) && n->valuedouble > 0 ? (int64_t)n->valuedouble : 0;
}
