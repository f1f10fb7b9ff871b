/*
 * test_config: which setting wins, and that each mistake is one clear line.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "config.h"
#include "support.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <strings.h>

extern char **environ;

#define LONG_KEY "a_key_of_exactly_sixty_characters_which_is_shown_to_its_end_"

static char folder[FOLDER_BYTES];
static char own[64], other[64]; /* DIR/petition.conf, and a file for --config */
static struct config c;
static struct buf err;

/* Without the PETITION_* variables that the test's own caller may have set. */
static void clear_environment(void)
{
    char name[100];

    for (char **entry = environ; *entry;) {
        if (strncmp(*entry, "PETITION_", 9) != 0) {
            entry++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*entry, "="), *entry);
        unsetenv(name);
        entry = environ;
    }
}

static int open_all(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    clear_environment();
    make_folder(folder);
    snprintf(own, sizeof own, "%s/petition.conf", folder);
    snprintf(other, sizeof other, "%s/other.conf", folder);
    buf_init(&err, BUF_UNLIMITED);
    c = (struct config){0};
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    clear_environment();
    config_release(&c);
    buf_release(&err);
    remove_folder(folder);
    return 0;
}

static void write_file(const char *path, const char *text)
{
    assert_int_equal(files_replace(path, text, strlen(text)), 0);
}

/* Loads with up to two more flags; key NULL: none. */
static int load(const char *key, const char *value, const char *key2, const char *value2)
{
    struct config_flag flags[3] = {{"data_dir", folder}, {key, value}, {key2, value2}};

    config_release(&c);
    buf_clear(&err);
    return config_load(&c, flags, key2 ? 3 : key ? 2 : 1, &err);
}

static void load_good(void)
{
    if (load(NULL, NULL, NULL, NULL) != 0)
        fail_msg("%s", err.data);
    assert_int_equal(err.len, 0);
}

/* ---- which wins */

static void without_any_setting_the_documented_defaults_hold(void **state)
{
    (void)state;
    load_good();
    assert_string_equal(c.data_dir, folder);
    assert_null(c.config_file);
    assert_string_equal(c.listen, "127.0.0.1:8080");
    assert_string_equal(c.base_url, "");
    assert_string_equal(c.pepper_file, "");
    assert_string_equal(c.confirmation, "none");
    assert_int_equal(c.queue_limit, 4096);
    assert_int_equal(c.publish_every_s, 10);
    assert_int_equal(c.publish_min, 20);
    assert_int_equal(c.count_step, 10);
    assert_int_equal(c.rate_limit, 0);
    assert_true(c.petition_open && c.accept_unconfirmed);
    assert_int_equal(c.log_level, LOG_LEVEL_INFO);
    assert_true(*c.public_dir);
}

static void flags_win_over_the_environment_over_the_file_over_defaults(void **state)
{
    (void)state;
    load_good();
    assert_int_equal(c.publish_min, 20);
    write_file(own, "publish_min = 30\ncount_step=5\n");
    load_good();
    assert_int_equal(c.publish_min, 30);
    setenv("PETITION_PUBLISH_MIN", "40", 1);
    load_good();
    assert_int_equal(c.publish_min, 40);
    assert_int_equal(load("publish_min", "50", NULL, NULL), 0);
    assert_int_equal(c.publish_min, 50);
    assert_int_equal(load("publish_min", "50", "publish_min", "60"), 0); /* the last one */
    assert_int_equal(c.publish_min, 60);
    assert_int_equal(c.count_step, 5);
    assert_int_equal(c.queue_limit, 4096);
}

static void the_named_file_wins_over_that_of_the_folder(void **state)
{
    (void)state;
    write_file(own, "publish_min = 30\n");
    write_file(other, "count_step = 7\n");
    load_good();
    assert_string_equal(c.config_file, own);
    assert_int_equal(load("config_file", other, NULL, NULL), 0);
    assert_string_equal(c.config_file, other);
    assert_int_equal(c.count_step, 7);
    assert_int_equal(c.publish_min, 20);
}

static void the_file_may_have_comments_spaces_and_windows_ends_of_line(void **state)
{
    (void)state;
    write_file(own, "# a comment\r\n"
                    "\r\n"
                    "   # another\n"
                    "\torganiser_name =  The = Organisers # of 1993  \r\n"
                    "publish_min=3\r\n"
                    "count_step\t=\t4");
    load_good();
    assert_string_equal(c.organiser_name, "The = Organisers # of 1993");
    assert_int_equal(c.publish_min, 3);
    assert_int_equal(c.count_step, 4);
}

static void an_empty_value_is_the_default(void **state)
{
    (void)state;
    write_file(own, "threads =\npow_bits =\nlisten =\npetition_open =\nlog_level =\n");
    setenv("PETITION_RATE_LIMIT", "", 1);
    load_good();
    assert_int_equal(c.threads, 0);
    assert_string_equal(c.listen, "127.0.0.1:8080");
    assert_true(c.petition_open);
    assert_int_equal(c.log_level, LOG_LEVEL_INFO);
}

static void the_base_url_is_written_as_browsers_write_an_origin(void **state)
{
    static const char *const cases[][2] = {
        {"https://petition.example", "https://petition.example"},
        {"https://petition.example/", "https://petition.example"},
        {"HTTPS://Petition.Example", "https://petition.example"},
        {"https://petition.example:443", "https://petition.example"},
        {"https://petition.example:443/", "https://petition.example"},
        {"https://petition.example:8443", "https://petition.example:8443"},
        {"http://127.0.0.1:80", "http://127.0.0.1"},
        {"http://[::1]:8080", "http://[::1]:8080"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(load("base_url", cases[i][0], NULL, NULL), 0);
        assert_string_equal(c.base_url, cases[i][1]);
    }
}

static void the_template_names_every_key_and_is_read_back_as_the_defaults(void **state)
{
    const struct config_flag set[] = {{"publish_min", "1"}, {"count_step", "1"}, {NULL, NULL}};
    struct buf text;
    char *line;

    (void)state;
    buf_init(&text, BUF_UNLIMITED);
    config_write_template(&text, set);
    write_file(own, text.data);
    load_good();
    assert_int_equal(c.publish_min, 1);
    assert_int_equal(c.count_step, 1);
    assert_int_equal(c.publish_every_s, 10);
    for (line = text.data; line; line = strchr(line + 1, '\n')) {
        char *key = line + (*line == '\n');

        if (key[0] == '#' && key[1] != ' ') /* a default: valid when it is no comment any more */
            key[0] = ' ';
    }
    write_file(own, text.data);
    load_good();
    assert_int_equal(c.queue_limit, 4096);
    assert_string_equal(c.listen, "127.0.0.1:8080");
    assert_non_null(strstr(text.data, " accept_unconfirmed = yes\n"));
    buf_release(&text);
}

/* ---- mistakes */

static const struct {
    const char *text, *says; /* of the file; what follows its name */
} file_mistakes[] = {
    {"nonsense", "line 1: is not `key = value`"},
    {"\n\n# x\nnonsense\n", "line 4: is not `key = value`"},
    {"listen_on = 1", "line 1: unknown key \"listen_on\""},
    {"Listen = 127.0.0.1:1", "line 1: unknown key \"Listen\""},
    {" = 5", "line 1: unknown key \"\""},
    {"data_dir = /tmp", "line 1: unknown key \"data_dir\""},
    {LONG_KEY "_and_more = 1", "line 1: unknown key \"" LONG_KEY "\""},
    {"threads = 2\nthreads = many", "line 2: threads must be a whole number from 0 to 256"},
    {"threads = 257", "line 1: threads must be a whole number from 0 to 256"},
    {"threads = -1", "line 1: threads must be a whole number from 0 to 256"},
    {"threads = 1.5", "line 1: threads must be a whole number from 0 to 256"},
    {"threads = 0x10", "line 1: threads must be a whole number from 0 to 256"},
    {"threads = 2 3", "line 1: threads must be a whole number from 0 to 256"},
    {"threads = 99999999999999999999", "line 1: threads must be a whole number from 0 to 256"},
    {"queue_limit = 0", "line 1: queue_limit must be a whole number from 1 to 65536"},
    {"publish_min = 0", "line 1: publish_min must be a whole number from 1 to 100000"},
    {"count_step = 0", "line 1: count_step must be a whole number from 1 to 100000"},
    {"pow_bits = 33", "line 1: pow_bits must be a whole number from 0 to 32"},
    {"petition_open = maybe", "line 1: petition_open must be yes or no"},
    {"petition_open = true", "line 1: petition_open must be yes or no"},
    {"accept_unconfirmed = NO", "line 1: accept_unconfirmed must be yes or no"},
    {"log_level = loud", "line 1: log_level must be error, warn, info or debug"},
};

static void a_mistake_in_the_file_is_named_with_its_line(void **state)
{
    char expected[300];

    (void)state;
    for (size_t i = 0; i < sizeof file_mistakes / sizeof *file_mistakes; i++) {
        write_file(own, file_mistakes[i].text);
        assert_int_equal(load(NULL, NULL, NULL, NULL), -1);
        snprintf(expected, sizeof expected, "%s: %s", own, file_mistakes[i].says);
        assert_string_equal(err.data, expected);
        assert_one_line(&err);
    }
}

static const struct {
    const char *name, *value, *says;
} other_mistakes[] = {
    {"count_step", "ten", "count_step must be a whole number from 1 to 100000"},
    {"petition_open", "1", "petition_open must be yes or no"},
    {"log_level", "INFO", "log_level must be error, warn, info or debug"},
};

static void a_mistake_in_the_environment_is_named_with_its_variable(void **state)
{
    char name[64], expected[200];

    (void)state;
    for (size_t i = 0; i < sizeof other_mistakes / sizeof *other_mistakes; i++) {
        snprintf(name, sizeof name, "PETITION_%s", other_mistakes[i].name);
        for (char *p = name; *p; p++)
            *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
        setenv(name, other_mistakes[i].value, 1);
        assert_int_equal(load(NULL, NULL, NULL, NULL), -1);
        snprintf(expected, sizeof expected, "%s: %s", name, other_mistakes[i].says);
        assert_string_equal(err.data, expected);
        unsetenv(name);
    }
}

static void a_mistake_in_a_flag_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof other_mistakes / sizeof *other_mistakes; i++) {
        assert_int_equal(load(other_mistakes[i].name, other_mistakes[i].value, NULL, NULL), -1);
        assert_string_equal(err.data, other_mistakes[i].says);
    }
}

static void a_base_url_that_is_no_origin_is_refused(void **state)
{
    static const char *const wrong[] = {
        "petition.example",
        "//petition.example",
        "ftp://petition.example",
        "https://",
        "https:///",
        "https://petition.example/km",
        "https://petition.example?",
        "https://me@petition.example",
        "https://petition example",
        "https://petition.example//",
        "http:petition.example",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(load("base_url", wrong[i], NULL, NULL), -1);
        assert_one_line(&err);
        assert_int_equal(strncmp(err.data, "base_url must be ", 17), 0);
    }
}

static void a_confirmation_that_does_not_exist_is_refused(void **state)
{
    (void)state;
    assert_int_equal(load("confirmation", "sms", NULL, NULL), -1);
    assert_one_line(&err);
    assert_int_equal(strncmp(err.data, "confirmation must be ", 21), 0);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    static char huge[70000];
    char expected[200];

    (void)state;
    assert_int_equal(load("config_file", other, NULL, NULL), -1);
    snprintf(expected, sizeof expected, "%s: No such file or directory", other);
    assert_string_equal(err.data, expected);
    memset(huge, '#', sizeof huge - 1);
    write_file(other, huge);
    assert_int_equal(load("config_file", other, NULL, NULL), -1);
    snprintf(expected, sizeof expected, "%s: File too large", other);
    assert_string_equal(err.data, expected);
    assert_int_equal(load("config_file", folder, NULL, NULL), -1);
    snprintf(expected, sizeof expected, "%s: Is a directory", folder);
    assert_string_equal(err.data, expected);
}

/* ---- warnings */

/* What a load writes on standard error. */
static void capture_load(struct buf *out)
{
    char log[64];
    int kept = dup(STDERR_FILENO), fd;

    snprintf(log, sizeof log, "%s/stderr", folder);
    fd = open(log, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    dup2(fd, STDERR_FILENO);
    assert_int_equal(load(NULL, NULL, NULL, NULL), 0);
    dup2(kept, STDERR_FILENO);
    close(fd);
    close(kept);
    read_whole(out, log);
}

static void an_unknown_variable_is_one_warning_that_does_not_show_its_value(void **state)
{
    struct buf out;

    (void)state;
    setenv("PETITION_PUBLISH_EVRY", "secret", 1);
    setenv("PETITION_PUBLISH_MIN", "3", 1);
    setenv("PETITION_LISTEN", "127.0.0.1:1", 1);
    capture_load(&out);
    assert_string_equal(out.data, "warn unknown environment variable PETITION_PUBLISH_EVRY\n");
    buf_release(&out);
    assert_int_equal(c.publish_min, 3);
}

static void nearly_a_variables_name_is_unknown_too(void **state)
{
    static const char *const names[] = {"PETITION_LISTE", "PETITION_LISTENS", "PETITION_listen",
                                        "PETITION_", "PETITION_DATA_DIR"};
    struct buf out;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char expected[100];

        setenv(names[i], "x", 1);
        capture_load(&out);
        snprintf(expected, sizeof expected, "warn unknown environment variable %s\n", names[i]);
        assert_string_equal(out.data, expected);
        buf_release(&out);
        unsetenv(names[i]);
    }
    setenv("PETITIONS", "x", 1);
    capture_load(&out);
    assert_string_equal(out.data, "");
    buf_release(&out);
    unsetenv("PETITIONS");
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(without_any_setting_the_documented_defaults_hold),
        CLAIM(flags_win_over_the_environment_over_the_file_over_defaults),
        CLAIM(the_named_file_wins_over_that_of_the_folder),
        CLAIM(the_file_may_have_comments_spaces_and_windows_ends_of_line),
        CLAIM(an_empty_value_is_the_default),
        CLAIM(the_base_url_is_written_as_browsers_write_an_origin),
        CLAIM(the_template_names_every_key_and_is_read_back_as_the_defaults),
        CLAIM(a_mistake_in_the_file_is_named_with_its_line),
        CLAIM(a_mistake_in_the_environment_is_named_with_its_variable),
        CLAIM(a_mistake_in_a_flag_is_named),
        CLAIM(a_base_url_that_is_no_origin_is_refused),
        CLAIM(a_confirmation_that_does_not_exist_is_refused),
        CLAIM(a_file_that_cannot_be_read_is_named),
        CLAIM(an_unknown_variable_is_one_warning_that_does_not_show_its_value),
        CLAIM(nearly_a_variables_name_is_unknown_too),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
