/*
 * view_page: what every page has, and how its data are put together (see view_internal.h).
 */
#include "view_internal.h"

const char *page_say(const struct page *page, const char *key)
{
    return content_text(page->v->content, page->lang, key);
}

/* The links to the same page in the other languages. */
static void add_languages(const struct page *page, const char *path)
{
    cJSON *languages = page_array(page->data, "languages");

    for (size_t i = 0; i < LANG__COUNT; i++) {
        const char *code = lang_codes[page_languages[i].lang];
        cJSON *language = page_object(languages);

        page_text(language, "code", code);
        page_text(language, "own_name", page_languages[i].own_name);
        page_format(language, "here", "/%s%s", code, path ? path : "");
        page_format(language, "alternate", "%s/%s%s", page->v->base_url, code, path ? path : "");
        if (page_languages[i].lang == page->lang)
            page_flag(language, "current", true);
    }
}

/* Starts a page. `path` is what follows /LANG in its address ("" for the petition); NULL: the page
 * is an answer that is found at no address of its own, so search engines are kept off. */
struct page page_new(const struct view *v, enum lang lang, const char *path)
{
    struct page page = {.v = v, .lang = lang, .data = page_new_object()};
    const char *named = *v->organiser_name ? v->organiser_name : page_say(&page, "page.organisers");

    page_text(page.data, "lang", lang_codes[lang]);
    page_format(page.data, "home", "/%s", lang_codes[lang]);
    page_text(page.data, "base_url", v->base_url);
    page_text(page.data, "organiser", v->organiser_name);
    page_text(page.data, "organiser_contact", v->organiser_contact);
    page_text(page.data, "responsible", named);
    cJSON_AddItemToObject(page.data, "html_style",
                          page_must(cJSON_CreateStringReference(v->content->style.data)));
    if (path)
        page_format(page.data, "canonical", "%s/%s%s", v->base_url, lang_codes[lang], path);
    page_flag(page.data, "switch", true);
    add_languages(&page, path);
    return page;
}

void page_finish(struct page *page, const char *template, struct buf *out)
{
    const struct content *c = page->v->content;

    template_render(content_template(c, template), out, c->catalogue[page->lang], page->data);
    cJSON_Delete(page->data);
}
