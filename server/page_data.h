/*
 * page_data: putting together the data that a template renders (template.h): objects, lists, texts.
 *
 * What cannot be allocated ends the process, so nothing here fails. Any thread; an object belongs
 * to one at a time.
 */
#ifndef PAGE_DATA_H
#define PAGE_DATA_H

#include "content.h"

/* The languages in the order of the switch, with their own names. */
struct page_language {
    enum lang lang;
    const char *own_name;
};
extern const struct page_language page_languages[LANG__COUNT];

/* The item, unless it could not be allocated. */
cJSON *page_must(cJSON *item);
cJSON *page_new_object(void);
/* A new object at the end of an array. */
cJSON *page_object(cJSON *array);
/* A new object, and a new array, as a member. */
cJSON *page_member(cJSON *object, const char *name);
cJSON *page_array(cJSON *object, const char *name);
void page_text(cJSON *object, const char *name, const char *text);
void page_flag(cJSON *object, const char *name, bool set); /* absent if false */
void page_format(cJSON *object, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A number with the separators of the language. */
void page_number(cJSON *object, const char *name, uint64_t n, enum lang lang);
/* One of the page's `problems`, the list of what is wrong with a form; target is the field's id. */
void page_problem(cJSON *page, const char *target, const char *text);
/* A part that content owns and that outlives the page; absent if NULL. */
void page_shared(cJSON *object, const char *name, cJSON *item);

#endif
