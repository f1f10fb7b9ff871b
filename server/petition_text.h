/*
 * petition_text: the petition's text as a tree for the templates. Pure.
 *
 * A title line and blocks between empty lines: "# " opens a heading, lines that all start with "- "
 * are a list, anything else is a paragraph.
 */
#ifndef PETITION_TEXT_H
#define PETITION_TEXT_H

#include "buf.h"

#include <cjson/cJSON.h>

/* {"title", "blocks": [{"heading"} or {"paragraph"} or {"list":{"items"}}]}; the caller deletes it.
 */
cJSON *petition_text_parse(const char *text);

/* The commands of the page on checking the log: {"name": "commands"…}, from blocks that begin with
 * a line "## name". The caller owns it. NULL if the text does not begin with one. */
cJSON *petition_commands(const char *text);

#endif
