/* Preloaded, moves the clock of a process: what takes minutes need not be waited for. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <time.h>

static atomic_long ahead;

void move_clock(long seconds) { atomic_fetch_add(&ahead, seconds); }

int clock_gettime(clockid_t id, struct timespec *time) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, time);
    if (!failed && id == CLOCK_REALTIME) time->tv_sec += atomic_load(&ahead);
    return failed;
}
