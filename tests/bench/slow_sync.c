/*
 * slow_sync: a slower disk. Preloaded (LD_PRELOAD), it lets every fdatasync take SLOW_SYNC_US
 * microseconds longer.
 *
 * What batching gains depends on how long a sync takes: this shows it on a machine whose disk is
 * fast.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int fdatasync(int fd)
{
    const char *more = getenv("SLOW_SYNC_US");
    const struct timespec wait = {.tv_nsec = 1000 * (more ? strtol(more, NULL, 10) : 0)};
    int (*real)(int fd);

    *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    nanosleep(&wait, NULL);
    return real(fd);
}
