/*
 * test_negotiate: what a path and a header ask for, well formed or not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "negotiate.h"

#include <sodium.h>
#include <string.h>

#define DIGITS15 "123456789012345"

/* ---- paths */

static const struct {
    const char *pattern, *path;
    const char *first, *second; /* what is captured; first NULL: no match */
} paths[] = {
    {"/", "/", "", NULL},
    {"/", "", NULL, NULL},
    {"/", "//", NULL, NULL},
    {"/", "/en", NULL, NULL},
    {"/healthz", "/healthz", "", NULL},
    {"/healthz", "/healthz/", NULL, NULL},
    {"/healthz", "/Healthz", NULL, NULL},
    {"/healthz", "/health", NULL, NULL},
    {"/healthz", "/healthzz", NULL, NULL},
    {"/healthz", "healthz", NULL, NULL},
    {"/{lang}", "/km", "km", NULL},
    {"/{lang}", "/fr", "fr", NULL},
    {"/{lang}", "/de", NULL, NULL},
    {"/{lang}", "/KM", NULL, NULL},
    {"/{lang}", "/kM", NULL, NULL},
    {"/{lang}", "/kmm", NULL, NULL},
    {"/{lang}", "/k", NULL, NULL},
    {"/{lang}", "/", NULL, NULL},
    {"/{lang}", "/en/", NULL, NULL},
    {"/{lang}/", "/en/", "en", NULL},
    {"/{lang}/", "/en", NULL, NULL},
    {"/{lang}/sign", "/en/sign", "en", NULL},
    {"/{lang}/sign", "/en//sign", NULL, NULL},
    {"/{lang}/sign", "//en/sign", NULL, NULL},
    {"/{lang}/thanks/{text}", "/km/thanks/AbC-_9", "km", "AbC-_9"},
    {"/{lang}/thanks/{text}", "/km/thanks/", NULL, NULL},
    {"/{lang}/thanks/{text}", "/km/thanks/a/b", NULL, NULL},
    {"/tile/{rest}", "/tile/0/x001/067.p/17", "0/x001/067.p/17", NULL},
    {"/tile/{rest}", "/tile/0", "0", NULL},
    {"/tile/{rest}", "/tile/", NULL, NULL},
    {"/tile/{rest}", "/tile", NULL, NULL},
    {"/tile/{rest}", "/tiles/0", NULL, NULL},
    {"/api/v1/deliveries/{n}", "/api/v1/deliveries/1", "1", NULL},
    {"/api/v1/deliveries/{n}", "/api/v1/deliveries/" DIGITS15, DIGITS15, NULL},
    {"/api/v1/deliveries/{n}", "/api/v1/deliveries/" DIGITS15 "6", NULL, NULL},
    {"/api/v1/deliveries/{n}", "/api/v1/deliveries/0", NULL, NULL},
    {"/api/v1/deliveries/{n}", "/api/v1/deliveries/01", NULL, NULL},
    {"/api/v1/deliveries/{n}", "/api/v1/deliveries/-1", NULL, NULL},
    {"/api/v1/deliveries/{n}", "/api/v1/deliveries/+1", NULL, NULL},
    {"/api/v1/deliveries/{n}", "/api/v1/deliveries/1x", NULL, NULL},
    {"/api/v1/deliveries/{n}", "/api/v1/deliveries/", NULL, NULL},
    {"/d/{n}/bundles/{n}.zip", "/d/1/bundles/8.zip", "1", "8"},
    {"/d/{n}/bundles/{n}.zip", "/d/1/bundles/8", NULL, NULL},
    {"/d/{n}/bundles/{n}.zip", "/d/1/bundles/.zip", NULL, NULL},
    {"/d/{n}/bundles/{n}.zip", "/d/1/bundles/8.ZIP", NULL, NULL},
    {"/d/{n}/bundles/{n}.zip", "/d/1/bundles/8.zip.zip", NULL, NULL},
    {"/d/{n}/bundles/{n}.zip", "/d/1/bundles/../8.zip", NULL, NULL},
    {"/{text}", "/..", "..", NULL},
};

static void a_path_matches_its_pattern_and_no_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct path_params params;
        bool matched = negotiate_path(paths[i].pattern, paths[i].path, &params);

        if (matched != (paths[i].first != NULL))
            fail_msg("%s against %s", paths[i].path, paths[i].pattern);
        if (!matched)
            continue;
        assert_int_equal(params.count, (paths[i].first[0] != '\0') + (paths[i].second != NULL));
        if (params.count > 0)
            assert_string_equal(negotiate_param(&params, 0), paths[i].first);
        if (params.count > 1)
            assert_string_equal(negotiate_param(&params, 1), paths[i].second);
    }
}

static void a_segment_is_captured_only_if_there_is_room(void **state)
{
    char path[NEGOTIATE_PARAM_BYTES + 2];
    struct path_params params;

    (void)state;
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[NEGOTIATE_PARAM_BYTES] = '\0'; /* one byte less than there is room for, with its NUL */
    assert_true(negotiate_path("/{text}", path, &params));
    assert_int_equal(strlen(negotiate_param(&params, 0)), NEGOTIATE_PARAM_BYTES - 1);
    path[NEGOTIATE_PARAM_BYTES] = 'x';
    path[NEGOTIATE_PARAM_BYTES + 1] = '\0';
    assert_false(negotiate_path("/{text}", path, &params));
    assert_false(negotiate_path("/{text}/{text}/{text}", "/a/b/c", &params));
}

static void a_path_says_its_language(void **state)
{
    (void)state;
    assert_string_equal(negotiate_path_lang("/km"), "km");
    assert_string_equal(negotiate_path_lang("/fr/thanks/x"), "fr");
    assert_string_equal(negotiate_path_lang("/EN/sign"), "en");
    assert_null(negotiate_path_lang("/"));
    assert_null(negotiate_path_lang(""));
    assert_null(negotiate_path_lang("/kmx"));
    assert_null(negotiate_path_lang("/api/v1/count"));
    assert_null(negotiate_path_lang("km"));
}

/* ---- lists */

static const struct {
    const char *header;
    bool gzip, brotli;
} codings[] = {
    {NULL, false, false},
    {"", false, false},
    {"gzip", true, false},
    {"br", false, true},
    {"gzip, deflate, br", true, true},
    {"GZIP,BR", true, true},
    {" , ,gzip ,\t br ,", true, true},
    {"gzip;q=0", false, false},
    {"gzip;q=0.0, br;q=0.001", false, true},
    {"gzip;q=0.000", false, false},
    {"gzip ; q=0", false, false},
    {"gzip;Q=0", false, false},
    {"gzip;q=1.000;x=y", true, false},
    {"gzip;q=", true, false},
    {"gzip;q=high", true, false},
    {"gzip;", true, false},
    {"gzipped, xbr, brr", false, false},
    {"identity, *;q=0", false, false},
    {";q=0", false, false},
    {"gzip;q=99999999999999999999", true, false},
};

static void codings_are_accepted_unless_their_weight_is_zero(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        const char *header = codings[i].header;

        assert_true(negotiate_accepts(header, CODING_IDENTITY));
        if (negotiate_accepts(header, CODING_GZIP) != codings[i].gzip ||
            negotiate_accepts(header, CODING_BROTLI) != codings[i].brotli)
            fail_msg("%s", header ? header : "no header");
    }
}

static const struct {
    const char *header, *lang;
} languages[] = {
    {NULL, "en"},
    {"", "en"},
    {"km", "km"},
    {"fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "fr"},
    {"de, km;q=0.5, en;q=0.4", "km"},
    {"en;q=0.8, fr;q=0.8", "en"},
    {"fr;q=0.8, en;q=0.8", "fr"},
    {"en;q=0.8, fr;q=0.9, km;q=0.7", "fr"},
    {"KM-KH", "km"},
    {"de-DE, es", "en"},
    {"fr;q=0", "en"},
    {"kmr, enx, frr", "en"}, /* Kurdish and others */
    {"k, f, e", "en"},
    {"fr;q=0.9999", "fr"},
    {"*", "en"},
    {"-fr, ;q=1, km", "km"},
};

static void the_heaviest_of_our_languages_wins(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        assert_string_equal(negotiate_lang(languages[i].header), languages[i].lang);
}

static void an_entity_tag_is_compared_weakly(void **state)
{
    static const char etag[] = "\"abc\"";

    (void)state;
    assert_true(negotiate_etag("\"abc\"", etag));
    assert_true(negotiate_etag("W/\"abc\"", etag));
    assert_true(negotiate_etag("*", etag));
    assert_true(negotiate_etag("\"x\", W/\"y\" , \"abc\"", etag));
    assert_false(negotiate_etag(NULL, etag));
    assert_false(negotiate_etag("", etag));
    assert_false(negotiate_etag("abc", etag));
    assert_false(negotiate_etag("\"ab\"", etag));
    assert_false(negotiate_etag("\"abcd\"", etag));
    assert_false(negotiate_etag("\"ABC\"", etag));
    assert_false(negotiate_etag("W/", etag));
    assert_false(negotiate_etag("\"x\"", etag));
}

/* ---- single values */

static void a_media_type_is_itself_whatever_its_parameters(void **state)
{
    static const char json[] = "application/json";

    (void)state;
    assert_true(negotiate_media_type("application/json", json));
    assert_true(negotiate_media_type("Application/JSON; charset=utf-8", json));
    assert_true(negotiate_media_type(" application/json ;charset=utf-8", json));
    assert_false(negotiate_media_type(NULL, json));
    assert_false(negotiate_media_type("", json));
    assert_false(negotiate_media_type("application/jsonp", json));
    assert_false(negotiate_media_type("application/", json));
    assert_false(negotiate_media_type("text/plain; application/json", json));
    assert_false(negotiate_media_type("application/json, text/plain", json));
}

static void a_boundary_is_the_only_parameter_and_of_its_own_letters(void **state)
{
    static const char *const wrong[] = {"multipart/form-data",
                                        "multipart/form-data;",
                                        "multipart/form-data; boundary",
                                        "multipart/form-data; boundary=",
                                        "multipart/form-data; boundary=\"",
                                        "multipart/form-data; boundary=\"\"",
                                        "multipart/form-data; boundary=\"x",
                                        "multipart/form-data; boundary=x\"",
                                        "multipart/form-data; boundary=\"x\"y",
                                        "multipart/form-data; boundary=x y",
                                        "multipart/form-data; boundary=x;",
                                        "multipart/form-data; boundary=x; charset=utf-8",
                                        "multipart/form-data; charset=utf-8; boundary=x",
                                        "multipart/form-data; xboundary=x",
                                        "multipart/form-data; boundary=x\xC3\xA9"};
    char boundary[NEGOTIATE_BOUNDARY_MAX + 1], type[150], longest[NEGOTIATE_BOUNDARY_MAX + 2];

    (void)state;
    assert_true(negotiate_boundary("multipart/form-data; boundary=----x.Y_9", boundary));
    assert_string_equal(boundary, "----x.Y_9");
    assert_true(negotiate_boundary("multipart/form-data;boundary=\"a:b=?\"", boundary));
    assert_string_equal(boundary, "a:b=?");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (negotiate_boundary(wrong[i], boundary))
            fail_msg("%s", wrong[i]);
    for (size_t len = NEGOTIATE_BOUNDARY_MAX; len <= NEGOTIATE_BOUNDARY_MAX + 1; len++) {
        memset(longest, 'b', len);
        snprintf(type, sizeof type, "multipart/form-data; boundary=%.*s", (int)len, longest);
        assert_int_equal(negotiate_boundary(type, boundary), len == NEGOTIATE_BOUNDARY_MAX);
    }
}

static void a_length_is_digits_only(void **state)
{
    static const char *const wrong[] = {"",     " 1",  "1 ",  "-1",  "+1", "1,1",
                                        "0x10", "1e3", "1.0", "abc", "١",  "1234567890123456789"};

    (void)state;
    assert_int_equal(negotiate_length("0"), 0);
    assert_int_equal(negotiate_length("8192"), 8192);
    assert_int_equal(negotiate_length("0000012"), 12);
    assert_int_equal(negotiate_length("999999999999999999"), INT64_C(999999999999999999));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(negotiate_length(wrong[i]), -1);
}

/* ---- other sites */

static const struct {
    const char *origin, *fetch_site, *host, *base_url;
    bool same;
} sites[] = {
    /* browsers without either header, and programs */
    {NULL, NULL, "petition.example", "", true},
    {NULL, NULL, NULL, "https://petition.example", true},
    /* our own pages */
    {"https://petition.example", "same-origin", "petition.example", "", true},
    {"https://petition.example", NULL, "petition.example", "", true},
    {"https://Petition.Example", NULL, "petition.example", "", true},
    {"http://127.0.0.1:8080", NULL, "127.0.0.1:8080", "", true},
    {"https://petition.example", NULL, "anything", "https://petition.example", true},
    {"null", "same-origin", "petition.example", "", true},
    {"null", NULL, "petition.example", "", true},
    {NULL, "none", "petition.example", "", true},
    /* others */
    {"https://evil.example", NULL, "petition.example", "", false},
    {"https://petition.example.evil.example", NULL, "petition.example", "", false},
    {"https://evil.example/petition.example", NULL, "petition.example", "", false},
    {"https://petition.example:8443", NULL, "petition.example", "", false},
    {"http://petition.example", NULL, "petition.example", "https://petition.example", false},
    {"https://petition.example", "cross-site", "petition.example", "", false},
    {"null", "cross-site", "petition.example", "", false},
    {NULL, "cross-site", "petition.example", "", false},
    {"https://petition.example", NULL, NULL, "", false},
    {"petition.example", NULL, "petition.example", "", false},
    {"", NULL, "petition.example", "", false},
    {"https://", NULL, "petition.example", "", false},
};

static void a_post_from_another_site_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sites / sizeof *sites; i++)
        if (negotiate_same_site(sites[i].origin, sites[i].fetch_site, sites[i].host,
                                sites[i].base_url) != sites[i].same)
            fail_msg("origin %s", sites[i].origin ? sites[i].origin : "absent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_matches_its_pattern_and_no_other),
        cmocka_unit_test(a_segment_is_captured_only_if_there_is_room),
        cmocka_unit_test(a_path_says_its_language),
        cmocka_unit_test(codings_are_accepted_unless_their_weight_is_zero),
        cmocka_unit_test(the_heaviest_of_our_languages_wins),
        cmocka_unit_test(an_entity_tag_is_compared_weakly),
        cmocka_unit_test(a_media_type_is_itself_whatever_its_parameters),
        cmocka_unit_test(a_boundary_is_the_only_parameter_and_of_its_own_letters),
        cmocka_unit_test(a_length_is_digits_only),
        cmocka_unit_test(a_post_from_another_site_is_seen),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
