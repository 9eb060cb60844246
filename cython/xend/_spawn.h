/* Starts a program as vfork allows: nothing of the caller's memory is copied, so that what it costs does not
   grow with that.  Between vfork and execve the child may do no more than make system calls. */

#include <errno.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

static void xend_become(char **argv, char **environment, int input, int output)
{
    setsid();
#ifdef PR_SET_CHILD_SUBREAPER
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);  /* survives execve, and is not passed on to children */
#endif
    signal(SIGPIPE, SIG_DFL);  /* Python ignores these two */
#ifdef SIGXFSZ
    signal(SIGXFSZ, SIG_DFL);
#endif
    if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 || chdir("/") < 0)
        return;
#ifdef SYS_close_range
    syscall(SYS_close_range, 3, ~0U, 0);  /* an old kernel has none: what Python opened is closed by execve */
#endif
    execve(argv[0], argv, environment);
}

/* The process id; -1 with errno: it could not be started. */
static pid_t xend_spawn(char **argv, char **environment, int input, int output)
{
    volatile int failure = 0;
    sigset_t all, before;
    pid_t pid;

    /* A handler of the caller's must not run in the child, which has its memory. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = vfork();
    if (pid == 0) {
        sigset_t mask = before;
        struct sigaction action;
        int number;

        for (number = 1; number < NSIG; number++)  /* handlers go before the mask does */
            if (sigaction(number, 0, &action) == 0 && action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL)
                signal(number, SIG_DFL);
        sigprocmask(SIG_SETMASK, &mask, 0);
        xend_become(argv, environment, input, output);
        failure = errno;
        _exit(127);
    }
    if (pid < 0)
        failure = errno;
    pthread_sigmask(SIG_SETMASK, &before, 0);
    if (pid > 0 && failure != 0)
        while (waitpid(pid, 0, 0) < 0 && errno == EINTR)
            ;
    if (failure != 0) {
        errno = failure;
        return -1;
    }
    return pid;
}
