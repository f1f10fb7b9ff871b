/*
 * disk: what making 8 KiB durable takes here.
 *
 *     disk FILE COUNT
 *
 * Appends 8 KiB and waits for fdatasync, COUNT times, at 100 a second, and prints `MEDIAN_US
 * P99_US`. The file is removed. 8 KiB is what a commit of few rows adds to a WAL.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define APPEND_BYTES 8192
#define PAUSE_US     10000

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
    static char data[APPEND_BYTES];
    size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    double *took = calloc(count + 1, sizeof *took);
    int fd = count > 0 ? open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;

    if (fd < 0 || !took) {
        fputs("usage: disk NEW_FILE COUNT\n", stderr);
        return 2;
    }
    unlink(argv[1]);
    memset(data, 'x', sizeof data);
    for (size_t i = 0; i < count; i++) {
        double began = now_us();

        if (write(fd, data, sizeof data) != sizeof data || fdatasync(fd) != 0) {
            perror(argv[1]);
            return 1;
        }
        took[i] = now_us() - began;
        usleep(PAUSE_US);
    }
    qsort(took, count, sizeof *took, compare);
    printf("%.0f %.0f\n", took[count / 2], took[count * 99 / 100]);
    close(fd);
    free(took);
    return 0;
}
