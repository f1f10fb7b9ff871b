/*
 * test_vectors: canonical contacts and tags, against vectors made without the server's libraries.
 */
#include "vectors.h"

#include "identity.h"

static const struct phone_plan plans[] = {
    {.code = "FR", .calling = "33", .trunk = "0", .lengths = {9}, .length_count = 1},
    {.code = "KH", .calling = "855", .trunk = "0", .lengths = {8, 9}, .length_count = 2},
};

static struct identity *identity_of(const cJSON *v)
{
    uint8_t pepper[PEPPER_LEN];
    struct identity *id;
    struct buf err;

    buf_init(&err, 4096);
    vec_bytes(pepper, sizeof pepper, v, "pepper");
    id = identity_new(pepper, plans, sizeof plans / sizeof *plans, "", &err);
    assert_non_null(id);
    buf_release(&err);
    return id;
}

static void a_contact_has_the_canonical_form_computed_elsewhere(void **state)
{
    const cJSON *v;

    (void)state;
    cJSON_ArrayForEach(v, vectors("tags"))
    {
        struct identity *id = identity_of(v);
        const char *typed = vec_text(v, "typed");
        struct contact c;

        if (identity_contact(id, &c, typed, vec_text(v, "country")) != CONTACT_OK)
            fail_msg("\"%s\" is refused", typed);
        assert_string_equal(c.canonical, vec_text(v, "canonical"));
        assert_int_equal(c.kind, *vec_text(v, "kind"));
        identity_free(id);
    }
}

static void a_tag_is_the_keyed_hash_computed_elsewhere(void **state)
{
    const cJSON *v;

    (void)state;
    cJSON_ArrayForEach(v, vectors("tags"))
    {
        struct identity *id = identity_of(v);
        struct contact c = {.kind = *vec_text(v, "kind")};
        const char *canonical = vec_text(v, "canonical");
        uint8_t tag[TAG_LEN], expected[TAG_LEN];

        assert_true(strlen(canonical) < sizeof c.canonical);
        memcpy(c.canonical, canonical, strlen(canonical));
        identity_tag(id, tag, &c);
        vec_bytes(expected, sizeof expected, v, "tag");
        assert_memory_equal(tag, expected, TAG_LEN);
        identity_free(id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_contact_has_the_canonical_form_computed_elsewhere),
        cmocka_unit_test(a_tag_is_the_keyed_hash_computed_elsewhere),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
