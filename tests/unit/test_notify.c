/*
 * test_notify: messages reach a path or an abstract socket as they are; whatever the environment
 * holds, nothing worse than silence comes of it; and the environment is left clean.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "notify.h"
#include "support.h"

#include <stdlib.h>

static char folder[FOLDER_BYTES];
static int manager = -1;

static int clean(void **state)
{
    (void)state;
    make_folder(folder);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    if (manager >= 0)
        close(manager);
    manager = -1;
    remove_folder(folder);
    return 0;
}

/* Opens the manager's socket and tells the process of it. */
static void listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);

    assert_true(len < sizeof address.sun_path);
    memcpy(address.sun_path, name, len);
    if (*name == '@')
        address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(manager >= 0);
    assert_int_equal(bind(manager, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static void assert_heard(const char *expected)
{
    char message[200];
    ssize_t len = recv(manager, message, sizeof message - 1, 0);

    assert_int_equal(len, strlen(expected));
    message[len] = '\0';
    assert_string_equal(message, expected);
}

static void messages_reach_a_path(void **state)
{
    struct notify n;
    char name[FOLDER_BYTES + 16];

    (void)state;
    snprintf(name, sizeof name, "%s/notify", folder);
    listen_at(name);
    notify_init(&n);
    assert_true(notify_send(&n, "READY=1"));
    assert_true(notify_send(&n, "STATUS=one\nWATCHDOG=1"));
    assert_heard("READY=1");
    assert_heard("STATUS=one\nWATCHDOG=1");
    notify_release(&n);
}

static void messages_reach_an_abstract_name(void **state)
{
    struct notify n;
    char name[64];

    (void)state;
    snprintf(name, sizeof name, "@petition-test-%d", (int)getpid());
    listen_at(name);
    notify_init(&n);
    assert_true(notify_send(&n, "READY=1"));
    assert_heard("READY=1");
    notify_release(&n);
}

static void the_longest_name_fits_and_one_more_does_not(void **state)
{
    struct notify n;
    char name[sizeof n.to.sun_path + 2];

    (void)state;
    for (size_t len = sizeof n.to.sun_path - 1; len <= sizeof n.to.sun_path + 1; len++) {
        memset(name, 'x', len);
        name[0] = '@';
        name[len] = '\0';
        setenv("NOTIFY_SOCKET", name, 1);
        notify_init(&n);
        assert_int_equal(n.fd >= 0, len < sizeof n.to.sun_path);
        notify_release(&n);
    }
}

static void without_a_usable_socket_nothing_is_sent(void **state)
{
    static const char *const names[] = {NULL, "", "/", "@", "relative", "vsock:2:1234"};
    struct notify n;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i])
            setenv("NOTIFY_SOCKET", names[i], 1);
        setenv("WATCHDOG_USEC", "1000000", 1);
        notify_init(&n);
        assert_int_equal(n.fd, -1);
        assert_int_equal(n.watchdog_us, 0);
        assert_false(notify_send(&n, "READY=1"));
        notify_release(&n);
    }
}

static void nobody_there_or_not_reading_does_not_hold_us_up(void **state)
{
    struct notify n;
    char name[FOLDER_BYTES + 16];
    int sent = 0;

    (void)state;
    snprintf(name, sizeof name, "%s/nobody", folder);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_init(&n);
    assert_false(notify_send(&n, "READY=1"));
    notify_release(&n);
    listen_at(name);
    notify_init(&n);
    while (sent < 100000 && notify_send(&n, "WATCHDOG=1"))
        sent++;
    assert_in_range(sent, 1, 99999);
    notify_release(&n);
}

static void the_watchdogs_patience_is_read_if_it_is_ours(void **state)
{
    static const struct {
        const char *usec, *pid; /* NULL: not set; "own": this process */
        int64_t expected;
    } cases[] = {
        {"30000000", NULL, 30000000},
        {"30000000", "own", 30000000},
        {"30000000", "1", 0},
        {"30000000", "", 0},
        {NULL, "own", 0},
        {"", NULL, 0},
        {"0", NULL, 0},
        {"-5", NULL, 0},
        {"5s", NULL, 0},
        {" 5", NULL, 0},
        {"99999999999999999999", NULL, 0},
    };
    char own[32];

    (void)state;
    snprintf(own, sizeof own, "%d", (int)getpid());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct notify n;

        setenv("NOTIFY_SOCKET", "/run/nowhere", 1);
        if (cases[i].usec)
            setenv("WATCHDOG_USEC", cases[i].usec, 1);
        if (cases[i].pid)
            setenv("WATCHDOG_PID", strcmp(cases[i].pid, "own") == 0 ? own : cases[i].pid, 1);
        notify_init(&n);
        assert_int_equal(n.watchdog_us, cases[i].expected);
        assert_null(getenv("NOTIFY_SOCKET"));
        assert_null(getenv("WATCHDOG_USEC"));
        assert_null(getenv("WATCHDOG_PID"));
        notify_release(&n);
    }
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, clean, tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(messages_reach_a_path),
        CLAIM(messages_reach_an_abstract_name),
        CLAIM(the_longest_name_fits_and_one_more_does_not),
        CLAIM(without_a_usable_socket_nothing_is_sent),
        CLAIM(nobody_there_or_not_reading_does_not_hold_us_up),
        CLAIM(the_watchdogs_patience_is_read_if_it_is_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
