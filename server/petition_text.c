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

cJSON *petition_commands(const char *text)
{
    static const char start[] = "## ";
    cJSON *blocks = cJSON_CreateObject();

    while (strncmp(text, start, strlen(start)) == 0) {
        const char *name = text + strlen(start), *body = name + strcspn(name, "\n");
        const char *end = strstr(body, "\n## ");
        size_t len = end ? (size_t)(end - body) : strlen(body);
        char *key = strndup(name, (size_t)(body - name));
        char *block = strndup(body + (*body == '\n'), len > 0 ? len - (*body == '\n') : 0);

        cJSON_AddStringToObject(blocks, key, block);
        free(key);
        free(block);
        text = body + len + (end ? 1 : 0);
    }
    if (*text == '\0' && blocks && blocks->child)
        return blocks;
    cJSON_Delete(blocks);
    return NULL;
}
