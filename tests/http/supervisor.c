/*
 * supervisor: plays the service manager for a test: holds the listening socket while the program
 * comes and goes, hands it over, and writes down what the program says of itself.
 *
 *   supervisor --tcp PORT|--unix PATH [--abstract] [--watchdog USEC] [--fds N] -- PROGRAM ARG...
 *
 * SIGHUP: ends the program by SIGTERM and starts it again. SIGTERM: ends it and exits as it did.
 * A program that ends by itself ends this one. To standard error, beside the program's own lines:
 * `supervisor: started PID`, `supervisor: notify MESSAGE`, `supervisor: ended STATUS`.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *watchdog_us, *fds = "1";
static char notify_name[100];
static char **program;
static int listener, notifications, signals;
static pid_t child;

static void die(const char *what)
{
    perror(what);
    exit(99);
}

static int check(int result, const char *what)
{
    if (result < 0)
        die(what);
    return result;
}

/* ---- sockets */

static void listen_tcp(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtol(port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    listener = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    check(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
}

/* Binds a socket of any type to a path, or to an abstract name that starts with '@'. */
static int bind_local(int type, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = check(socket(AF_UNIX, type | SOCK_CLOEXEC, 0), "socket");
    size_t len = strlen(name);

    memcpy(address.sun_path, name, len);
    if (*name == '@')
        address.sun_path[0] = '\0';
    check(bind(fd, (struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*name != '@'))),
          "bind");
    return fd;
}

static void open_notifications(int abstract)
{
    snprintf(notify_name, sizeof notify_name, "%s/petition-notify-%d", abstract ? "@" : "/tmp",
             (int)getpid());
    notifications = bind_local(SOCK_DGRAM, notify_name);
}

/* ---- the program */

static void set(const char *name, long value)
{
    char text[32];

    snprintf(text, sizeof text, "%ld", value);
    setenv(name, text, 1);
}

static void become_program(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    set("LISTEN_PID", getpid());
    setenv("LISTEN_FDS", fds, 1);
    setenv("NOTIFY_SOCKET", notify_name, 1);
    if (watchdog_us) {
        setenv("WATCHDOG_USEC", watchdog_us, 1);
        set("WATCHDOG_PID", getpid());
    }
    /* As descriptor 3, and without close-on-exec. */
    if (listener == 3)
        fcntl(3, F_SETFD, 0);
    else
        check(dup2(listener, 3), "dup2");
    execvp(program[0], program);
    die(program[0]);
}

static void start(void)
{
    child = check(fork(), "fork");
    if (child == 0)
        become_program();
    fprintf(stderr, "supervisor: started %d\n", (int)child);
}

static void say_notifications(void)
{
    char message[4096];
    ssize_t len;

    while ((len = recv(notifications, message, sizeof message - 1, MSG_DONTWAIT)) > 0) {
        message[len] = '\0';
        fprintf(stderr, "supervisor: notify %s\n", message);
    }
}

/* The exit status, as a shell gives it. */
static int await(void)
{
    int status;

    check(waitpid(child, &status, 0), "waitpid");
    say_notifications();
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fprintf(stderr, "supervisor: ended %d\n", status);
    return status;
}

static int end(void)
{
    kill(child, SIGTERM);
    return await();
}

/* ---- the loop */

static void finish(int status)
{
    if (*notify_name == '/')
        unlink(notify_name);
    exit(status);
}

static void on_signal(void)
{
    struct signalfd_siginfo info;

    if (read(signals, &info, sizeof info) != sizeof info)
        die("signalfd");
    if (info.ssi_signo == SIGTERM)
        finish(end());
    if (info.ssi_signo == SIGCHLD && (pid_t)info.ssi_pid == child)
        finish(await());
    if (info.ssi_signo == SIGHUP) {
        end();
        start();
    }
}

int main(int argc, char **argv)
{
    int abstract = 0;
    sigset_t set;

    for (int i = 1; i < argc && !program; i++) {
        if (strcmp(argv[i], "--tcp") == 0)
            listen_tcp(argv[++i]);
        else if (strcmp(argv[i], "--unix") == 0)
            listener = bind_local(SOCK_STREAM, argv[++i]);
        else if (strcmp(argv[i], "--abstract") == 0)
            abstract = 1;
        else if (strcmp(argv[i], "--watchdog") == 0)
            watchdog_us = argv[++i];
        else if (strcmp(argv[i], "--fds") == 0)
            fds = argv[++i];
        else if (strcmp(argv[i], "--") == 0)
            program = argv + i + 1;
        else
            return 2;
    }
    if (!program || listener == 0)
        return 2;
    check(listen(listener, SOMAXCONN), "listen");
    open_notifications(abstract);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = check(signalfd(-1, &set, SFD_CLOEXEC), "signalfd");
    start();
    for (;;) {
        struct pollfd wait[] = {{signals, POLLIN, 0}, {notifications, POLLIN, 0}};

        check(poll(wait, 2, -1) < 0 && errno != EINTR ? -1 : 0, "poll");
        say_notifications();
        if (wait[0].revents)
            on_signal();
    }
}
