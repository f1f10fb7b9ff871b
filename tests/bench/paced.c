/*
 * paced: signs at a steady rate, whether the server keeps up or not.
 *
 *     paced PORT RATE SECONDS [RUN]
 *
 * Every signature has its time, 1/RATE after the one before, and its latency counts from that time
 * on: a server that stalls is charged for everyone who would have waited. CONNECTIONS keep-alive
 * connections take turns; one that is still waiting when its turn comes sends as soon as it is
 * free. RUN makes the contacts of different runs differ.
 *
 * Prints `ACCEPTED MEDIAN_US P99_US MAX_US`. An answer other than 303 ends it with status 1.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS      64
#define ANSWER_MAX_BYTES 4096
#define LAST_WAIT_US     1e6 /* when all is sent */

struct connection {
    size_t owed, sent, answered; /* its requests: whose time has come, that were sent, answered */
    size_t len;                  /* of the answer so far */
    char answer[ANSWER_MAX_BYTES + 1];
};

static struct connection connections[CONNECTIONS];
static struct pollfd sockets[CONNECTIONS];
static double *latency_us;
static const char *run = "0";

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void fail(const char *what)
{
    fprintf(stderr, "paced: %s\n", what);
    exit(1);
}

static int connect_to(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_form(size_t which)
{
    struct connection *c = &connections[which];
    size_t number = c->sent++ * CONNECTIONS + which;
    char body[160], request[400];
    int body_len = snprintf(body, sizeof body,
                            "name=Sok+Dara&country=KH&visibility=private&"
                            "contact=p%s-%zu%%40example.org",
                            run, number);
    int len = snprintf(request, sizeof request,
                       "POST /en/sign HTTP/1.1\r\nHost: localhost\r\n"
                       "Content-Type: application/x-www-form-urlencoded\r\n"
                       "Content-Length: %d\r\n\r\n%s",
                       body_len, body);

    if (write(sockets[which].fd, request, (size_t)len) != len)
        fail("cannot send");
    c->len = 0;
}

/* The answer has no body. True when it is whole. */
static bool read_answer(size_t which)
{
    struct connection *c = &connections[which];
    ssize_t got = read(sockets[which].fd, c->answer + c->len, ANSWER_MAX_BYTES - c->len);

    if (got <= 0)
        fail("the server closed a connection");
    c->len += (size_t)got;
    c->answer[c->len] = '\0';
    if (!strstr(c->answer, "\r\n\r\n"))
        return false;
    if (strncmp(c->answer, "HTTP/1.1 303 ", 13) != 0)
        fail("a signature was not accepted");
    return true;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sends those whose time has come. Returns the time until the next one. */
static double send_due(size_t *due, size_t count, double elapsed_us, double interval_us)
{
    for (; *due < count && (double)*due * interval_us <= elapsed_us; (*due)++) {
        struct connection *c = &connections[*due % CONNECTIONS];

        c->owed++;
        if (c->sent == c->answered)
            send_form(*due % CONNECTIONS);
    }
    return *due < count ? (double)*due * interval_us - elapsed_us : LAST_WAIT_US;
}

/* Reads what has come; how many answers are whole. */
static size_t take_answers(double began_us, double interval_us)
{
    size_t answered = 0;

    for (size_t which = 0; which < CONNECTIONS; which++) {
        struct connection *c = &connections[which];
        size_t number = c->answered * CONNECTIONS + which;

        if (!(sockets[which].revents & (POLLIN | POLLHUP)) || !read_answer(which))
            continue;
        latency_us[number] = now_us() - began_us - (double)number * interval_us;
        answered++;
        if (++c->answered < c->owed)
            send_form(which);
    }
    return answered;
}

static void run_all(size_t count, double interval_us)
{
    double began_us = now_us();
    size_t due = 0, answered = 0;

    while (answered < count) {
        double wait_us = send_due(&due, count, now_us() - began_us, interval_us);
        struct timespec wait = {(time_t)(wait_us / 1e6), (long)(wait_us * 1e3) % 1000000000};

        if (ppoll(sockets, CONNECTIONS, &wait, NULL) < 0)
            fail("poll");
        answered += take_answers(began_us, interval_us);
    }
}

int main(int argc, char **argv)
{
    size_t rate, count;

    if (argc < 4) {
        fputs("usage: paced PORT RATE SECONDS [RUN]\n", stderr);
        return 2;
    }
    rate = strtoul(argv[2], NULL, 10);
    count = rate * strtoul(argv[3], NULL, 10);
    run = argc > 4 ? argv[4] : run;
    latency_us = calloc(count + 1, sizeof *latency_us);
    if (!latency_us || count == 0)
        fail("nothing to do");
    for (size_t i = 0; i < CONNECTIONS; i++)
        sockets[i] = (struct pollfd){.fd = connect_to(argv[1]), .events = POLLIN};
    run_all(count, 1e6 / (double)rate);
    qsort(latency_us, count, sizeof *latency_us, compare);
    printf("%zu %.0f %.0f %.0f\n", count, latency_us[count / 2], latency_us[count * 99 / 100],
           latency_us[count - 1]);
    return 0;
}
