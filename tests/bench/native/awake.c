/*
 * Keeps a core from going to sleep, until its standard input ends:  awake
 *
 * Meant for the lowest of priorities: whoever has work on this core has it at once.
 */
#include <poll.h>

#define ROUNDS 1000

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

int main(void)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};

    while (poll(&input, 1, 0) == 0)
        for (volatile int round = 0; round < ROUNDS; round++)
            relax();
    return 0;
}
