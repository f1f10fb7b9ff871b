/*
 * vectors: tests/vectors/vectors.json for the unit tests, which run at the top of the project.
 *
 * The file is computed by tests/vectors/make.mjs without any code of the server. Every call fails
 * the running test when the file or the member is not there.
 */
#ifndef VECTORS_H
#define VECTORS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <sodium.h>
#include <string.h>

#include "buf.h"

static inline const cJSON *vec_member(const cJSON *object, const char *key)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, key);

    if (!member)
        fail_msg("no vector %s", key);
    return member;
}

/* The part of the file with that name. */
static inline const cJSON *vectors(const char *key)
{
    static cJSON *all;

    if (!all) {
        struct buf text;

        buf_init(&text, 1 << 20);
        assert_int_equal(buf_read_file(&text, "tests/vectors/vectors.json"), 0);
        all = cJSON_ParseWithLength(text.data, text.len);
        assert_non_null(all);
        buf_release(&text);
    }
    return vec_member(all, key);
}

static inline const char *vec_text(const cJSON *object, const char *key)
{
    const cJSON *member = vec_member(object, key);

    assert_true(cJSON_IsString(member));
    return member->valuestring;
}

static inline int64_t vec_int(const cJSON *object, const char *key)
{
    const cJSON *member = vec_member(object, key);

    assert_true(cJSON_IsNumber(member));
    return (int64_t)member->valuedouble;
}

static inline bool vec_bool(const cJSON *object, const char *key)
{
    const cJSON *member = vec_member(object, key);

    assert_true(cJSON_IsBool(member));
    return cJSON_IsTrue(member);
}

/* At most `size` bytes given in hexadecimal; returns how many. */
static inline size_t vec_bytes_max(uint8_t *out, size_t size, const cJSON *object, const char *key)
{
    const char *hex = vec_text(object, key);
    size_t len;

    assert_int_equal(sodium_hex2bin(out, size, hex, strlen(hex), NULL, &len, NULL), 0);
    return len;
}

/* Exactly `len` bytes given in hexadecimal. */
static inline void vec_bytes(uint8_t *out, size_t len, const cJSON *object, const char *key)
{
    assert_int_equal(vec_bytes_max(out, len, object, key), len);
}

/* The place of a name in a table of names. */
static inline int vec_choice(const cJSON *object, const char *key, const char *const *names,
                             int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(vec_text(object, key), names[i]) == 0)
            return i;
    fail_msg("%s is none of the choices", vec_text(object, key));
    return -1;
}

#endif
