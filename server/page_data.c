/*
 * page_data: the data of a page (see page_data.h).
 */
#include "page_data.h"

#include "figures.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const struct page_language page_languages[LANG__COUNT] = {
    {LANG_KM, "ខ្មែរ"},
    {LANG_EN, "English"},
    {LANG_FR, "Français"},
};

cJSON *page_must(cJSON *item)
{
    if (!item)
        abort(); /* out of memory */
    return item;
}

cJSON *page_new_object(void)
{
    return page_must(cJSON_CreateObject());
}

cJSON *page_object(cJSON *array)
{
    cJSON *object = page_new_object();

    cJSON_AddItemToArray(array, object);
    return object;
}

cJSON *page_member(cJSON *object, const char *name)
{
    return page_must(cJSON_AddObjectToObject(object, name));
}

cJSON *page_array(cJSON *object, const char *name)
{
    return page_must(cJSON_AddArrayToObject(object, name));
}

void page_text(cJSON *object, const char *name, const char *text)
{
    page_must(cJSON_AddStringToObject(object, name, text));
}

void page_flag(cJSON *object, const char *name, bool set)
{
    if (set)
        page_must(cJSON_AddTrueToObject(object, name));
}

void page_format(cJSON *object, const char *name, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    page_text(object, name, text);
    free(text);
}

void page_number(cJSON *object, const char *name, uint64_t n, enum lang lang)
{
    struct buf text;

    buf_init(&text, BUF_UNLIMITED);
    figures_number(&text, n, lang_codes[lang]);
    page_text(object, name, text.data);
    buf_release(&text);
}

void page_problem(cJSON *page, const char *target, const char *text)
{
    cJSON *problems = cJSON_GetObjectItemCaseSensitive(page, "problems"), *problem;

    if (!problems) {
        problems = page_array(page, "problems");
        page_flag(page, "problems_exist", true);
    }
    problem = page_object(problems);
    page_text(problem, "target", target);
    page_text(problem, "text", text);
}

void page_shared(cJSON *object, const char *name, cJSON *item)
{
    if (item && !cJSON_AddItemReferenceToObject(object, name, item))
        abort();
}
