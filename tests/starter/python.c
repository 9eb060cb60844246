/*
 * A Python that is started already: hands over to a process that has the programs imported, and forks
 * (tests/starter/server.py).
 *
 * What it hands over: arguments, environment, descriptors, working directory, umask; whose namespaces it has
 * is seen by its process id.  It waits, passes signals on, and ends as the program does.  Linux only.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of SCM_RIGHTS, less the working directory. */
enum { DESCRIPTORS = 252, HIGHEST = 1024, BYTES = 128 << 10 };

extern char **environ;
static volatile pid_t program;
/* A signal that came before the program was known. */
static volatile sig_atomic_t early;

static void fail(const char *what)
{
	perror(what);
	exit(127);
}

static void pass_on(int number)
{
	if (program > 0)
		kill(program, number);
	else
		early = number;
}

/* The server stands beside this program. */
static int connect_to_server(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	ssize_t length = readlink("/proc/self/exe", address.sun_path, sizeof address.sun_path - 8);
	int server = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (length < 0 || server < 0)
		fail("python: no way to the server of tests");
	strcpy(address.sun_path + length, ".socket");
	if (connect(server, (struct sockaddr *)&address, sizeof address) != 0)
		fail(address.sun_path);
	return server;
}

static size_t append(char *message, size_t length, char **words)
{
	for (; *words != NULL; words++) {
		size_t size = strlen(*words) + 1;
		if (length + size > BYTES) {
			fprintf(stderr, "python: arguments and environment are too long for the server of tests\n");
			exit(127);
		}
		memcpy(message + length, *words, size);
		length += size;
	}
	return length;
}

static void hand_over(int server, const int32_t *open_ones, uint32_t count, char **argv, uint32_t argc)
{
	static char message[BYTES];
	static char control[CMSG_SPACE((DESCRIPTORS + 1) * sizeof(int))];
	uint32_t head[3] = { umask(0), argc, count };
	size_t length = sizeof head;
	memcpy(message, head, length);
	memcpy(message + length, open_ones, count * sizeof *open_ones);
	length = append(message, length + count * sizeof *open_ones, argv);
	length = append(message, length, environ);

	struct iovec part = { .iov_base = message, .iov_len = length };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };
	header.msg_controllen = CMSG_SPACE((count + 1) * sizeof(int));
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN((count + 1) * sizeof(int));
	int directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		fail("python: working directory");
	memcpy(CMSG_DATA(rights), open_ones, count * sizeof(int));
	memcpy(CMSG_DATA(rights) + count * sizeof(int), &directory, sizeof(int));
	if (sendmsg(server, &header, MSG_NOSIGNAL) < 0)
		fail("python: server of tests");
	close(directory);
}

static int32_t number_from(int server)
{
	int32_t number;
	ssize_t got;
	do
		got = recv(server, &number, sizeof number, 0);
	while (got < 0);	/* interrupted by a signal that was passed on */
	if (got != sizeof number) {
		fprintf(stderr, "python: the server of tests has gone\n");
		exit(127);
	}
	return number;
}

int main(int argc, char **argv)
{
	static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH };
	int32_t open_ones[DESCRIPTORS];
	uint32_t count = 0;
	for (int fd = 0; fd < HIGHEST && count < DESCRIPTORS; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			open_ones[count++] = fd;
	for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++) {
		struct sigaction action;
		sigaction(passed_on[i], NULL, &action);
		if (action.sa_handler == SIG_IGN)
			continue;
		action.sa_handler = pass_on;
		action.sa_flags = 0;
		sigaction(passed_on[i], &action, NULL);
	}
	int server = connect_to_server();
	hand_over(server, open_ones, count, argv, argc);
	/* Whoever waits for the end of an input or an output waits for the program alone. */
	for (uint32_t i = 0; i < count; i++)
		close(open_ones[i]);
	program = number_from(server);
	if (early != 0)
		kill(program, early);
	int status = number_from(server);
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		kill(getpid(), WTERMSIG(status));
	}
	return WEXITSTATUS(status);
}
