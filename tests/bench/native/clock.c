/* Time: the wall's, the server's processor's, and what is left for setting up. */
#include "load.h"

#include <time.h>

#define SETTLE_LOOK_NS 50000000LL
#define SETTLE_MAX_NS 5000000000LL

static int64_t setup_began;

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) != 0)
        fail("cannot read a clock: does process %ld still run?", options.pid);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t now_ns(void) { return read_clock(CLOCK_MONOTONIC); }

/*
 * Read here rather than by the runner, so that it covers exactly the measured interval.  POSIX's clock
 * of another process: Linux, NetBSD from 8 on.
 */
int64_t server_cpu_ns(void)
{
    clockid_t clock;

    if (options.pid == 0)
        return 0;
    if (clock_getcpuclockid((pid_t)options.pid, &clock) != 0)
        fail("no processor clock for process %ld: is it the server's, and does it run?", options.pid);
    return read_clock(clock);
}

void setup_begins(void) { setup_began = now_ns(); }

int64_t setup_left_ns(void) { return setup_began + options.limit_s * 1000000000LL - now_ns(); }

/*
 * Wait until the server has nothing left to do of what went before (ours writes an image of many new nodes
 * for its journal, another may collect garbage), but not for long.
 */
void settle(void)
{
    const struct timespec pause = {.tv_nsec = SETTLE_LOOK_NS};
    int64_t end = now_ns() + SETTLE_MAX_NS, before;

    if (options.pid == 0)
        return;
    do {
        before = server_cpu_ns();
        nanosleep(&pause, NULL);
    } while (server_cpu_ns() - before > SETTLE_LOOK_NS / 10 && now_ns() < end);
}
