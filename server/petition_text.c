/*
 * petition_text: the petition's text as a tree (see petition_text.h). Any thread.
 */
#include "petition_text.h"

#include <string.h>

/* Appends one line to the blocks. `list` is the list that is open, or NULL; returns the one that
 * is open then. */
static cJSON *add_line(cJSON *blocks, cJSON *list, const char *line)
{
    bool item = strncmp(line, "- ", 2) == 0, heading = strncmp(line, "# ", 2) == 0;
    cJSON *block;

    if (*line == '\0')
        return NULL;
    if (!item || !list) {
        block = cJSON_CreateObject();
        cJSON_AddItemToArray(blocks, block);
        if (!item) {
            cJSON_AddStringToObject(block, heading ? "heading" : "paragraph",
                                    heading ? line + 2 : line);
            return NULL;
        }
        list = cJSON_AddArrayToObject(cJSON_AddObjectToObject(block, "list"), "items");
    }
    cJSON_AddItemToArray(list, cJSON_CreateString(line + 2));
    return list;
}

cJSON *petition_text_parse(const char *text)
{
    cJSON *petition = cJSON_CreateObject(), *blocks, *list = NULL;
    char *copy = xstrdup(text), *rest = copy, *line;

    cJSON_AddStringToObject(petition, "title", strsep(&rest, "\n"));
    blocks = cJSON_AddArrayToObject(petition, "blocks");
    while ((line = strsep(&rest, "\n")))
        list = add_line(blocks, list, line);
    free(copy);
    return petition;
}
