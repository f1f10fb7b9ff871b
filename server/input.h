/*
 * input: an untrusted body becomes a list of typed members, or a reason why not.
 *
 * Three syntaxes, one result: application/x-www-form-urlencoded, multipart/form-data and a flat
 * JSON object. Names and string values of an accepted body are valid UTF-8 without NUL bytes, what
 * is in a file may be anything. Nothing is interpreted: duplicates and unknown names stay in the
 * list, and the caller's field table judges them.
 */
#ifndef INPUT_H
#define INPUT_H

#include "buf.h"

#define INPUT_BODY_MAX_BYTES 8192
#define INPUT_MEMBERS_MAX    32

/* OTHER: number, null, array, object. FILE: of multipart/form-data. */
enum input_type { INPUT_STRING, INPUT_BOOL, INPUT_OTHER, INPUT_FILE };

enum input_reason {
    INPUT_OK,
    INPUT_MALFORMED, /* not the syntax, or for JSON not an object */
    INPUT_NOT_UTF8,  /* a byte sequence that is not UTF-8, or a NUL */
    INPUT_TOO_MANY,  /* more than INPUT_MEMBERS_MAX members */
};

struct input_member {
    char *name;
    enum input_type type;
    char *string; /* INPUT_STRING: the decoded value; INPUT_FILE: its bytes; else NULL */
    size_t len;   /* INPUT_FILE: of them; they may be anything */
    bool truth;   /* INPUT_BOOL */
};

struct input {
    size_t count;
    struct input_member members[INPUT_MEMBERS_MAX];
};

/* All fill *in on INPUT_OK; on any other reason it is empty. Release it either way. */
enum input_reason input_parse_form(struct input *in, const char *body, size_t len);
enum input_reason input_parse_json(struct input *in, const char *body, size_t len);
/* RFC 7578. A part with a file name is an INPUT_FILE, whatever its media type; its name is not
 * kept. A file without name and bytes is what a browser sends if none was chosen: it is left out.
 */
enum input_reason input_parse_multipart(struct input *in, const char *boundary, const char *body,
                                        size_t len);
/* Overwrites the values (they may be personal) and frees them. */
void input_release(struct input *in);

/* For whoever reads another syntax: an empty member at the end; NULL if the list is full. */
struct input_member *input_add(struct input *in);

/* The first member of that name, or NULL; *again tells whether there is a second one. */
const struct input_member *input_find(const struct input *in, const char *name, bool *again);

/* True if the bytes are UTF-8 (no surrogates, no overlong forms) without NUL. */
bool input_is_utf8(const char *text, size_t len);
/* Decodes the code point at *text (valid UTF-8, not at its end) and steps behind it. */
uint32_t input_next_code_point(const char **text);
/* Number of code points of valid UTF-8. */
size_t input_code_points(const char *text);
/* Copies `typed` to out: without control, bidi, zero-width-format and other invisible code points
 * (ZWJ and ZWNJ stay: Khmer and other scripts use them), white space trimmed at both ends. */
void input_clean_line(struct buf *out, const char *typed);

#endif
