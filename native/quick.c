/*
 * The store's programs as hotplug scripts call them, without the start of an interpreter: xenstore-exists PATH,
 * xenstore-list PATH, xenstore-ls -f PATH, xenstore-read PATH, xenstore-write PATH VALUE PATH VALUE...
 *
 * Only what is plain is done here: absolute paths, values of printable ASCII without a backslash, a socket named by
 * $XENSTORED_PATH that answers.  Whatever is not, an error above all, is left to the program of the same name that
 * comes next in $PATH (clients/xenclient/cli/xenstore.py), which begins anew: nothing was printed by then, and what was
 * written is written again.  So there are no error texts here, and no options to read.
 *
 * Protocol: xenstore-protocol.md 2 and 3 (message header, types); limits: xen/include/public/io/xs_wire.h.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { DIRECTORY = 1, READ = 2, TRANSACTION_START = 6, TRANSACTION_END = 7, WRITE = 11, FAILED = 16 };
enum { PAYLOAD_MAX = 4096, DEPTH_MAX = 64, OUTPUT_MAX = 1 << 22, ANSWER_SECONDS = 20 };

struct header {
    uint32_t type, number, transaction, size;
};

static char **arguments;
static const char *name; /* the program's, less the directory */
static int connection;
static uint32_t transaction;
static char answer[PAYLOAD_MAX + 1]; /* NUL-terminated */
static size_t answer_size;
static char *output;
static size_t output_size, output_room;

/* The next program of this name in $PATH becomes this process; status 127, as of a shell, where there is none. */
static void hand_over(void)
{
    char path[4096];
    struct stat own, other;
    const char *from = getenv("PATH"), *end;
    int is_known = strchr(arguments[0], '/') != NULL && stat(arguments[0], &own) == 0;

    for (; from != NULL && *from != '\0'; from = *end == '\0' ? end : end + 1) {
        size_t size = strcspn(from, ":");
        end = from + size;
        if (from[0] != '/' || size + strlen(name) + 2 > sizeof(path))
            continue;
        memcpy(path, from, size);
        path[size] = '/';
        strcpy(path + size + 1, name);
        if (stat(path, &other) != 0 || !S_ISREG(other.st_mode) || access(path, X_OK) != 0)
            continue;
        if (!is_known) { /* the shell found this one first */
            own = other;
            is_known = 1;
        }
        if (own.st_dev != other.st_dev || own.st_ino != other.st_ino)
            execv(path, arguments);
    }
    _exit(127);
}

static int is_plain(const char *text, size_t size)
{
    for (size_t at = 0; at < size; at++)
        if (text[at] < 0x20 || text[at] > 0x7e || text[at] == '\\')
            return 0;
    return 1;
}

static const char *plain_path(const char *text)
{
    if (text == NULL || text[0] != '/' || !is_plain(text, strlen(text)))
        hand_over();
    return text;
}

static void print(const char *text, size_t size)
{
    if (output_size + size > output_room) {
        output_room = 2 * (output_size + size);
        if (output_room > OUTPUT_MAX || (output = realloc(output, output_room)) == NULL)
            hand_over();
    }
    memcpy(output + output_size, text, size);
    output_size += size;
}

static void show(void)
{
    for (size_t at = 0; at < output_size;) {
        ssize_t size = write(STDOUT_FILENO, output + at, output_size - at);
        if (size < 0 && errno != EINTR)
            _exit(1);
        if (size > 0)
            at += (size_t)size;
    }
}

static void connect_to_store(void)
{
    const char *path = getenv("XENSTORED_PATH");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = ANSWER_SECONDS};

    if (path == NULL || path[0] != '/' || strlen(path) >= sizeof(address.sun_path))
        hand_over();
    strcpy(address.sun_path, path);
    connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection <= STDERR_FILENO || setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(connection, (struct sockaddr *)&address, sizeof(address)) != 0)
        hand_over();
}

static void send_all(const void *data, size_t size)
{
    for (const char *from = data; size > 0;) {
        ssize_t sent = send(connection, from, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            hand_over();
        from += sent;
        size -= (size_t)sent;
    }
}

static void receive_all(void *data, size_t size)
{
    for (char *to = data; size > 0;) {
        ssize_t got = recv(connection, to, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            hand_over();
        to += got;
        size -= (size_t)got;
    }
}

/* One request whose payload is of two parts, and its answer; 0: it was refused, and the answer says how. */
static int request(uint32_t type, const char *first, size_t first_size, const char *second, size_t second_size)
{
    static uint32_t number;
    char message[sizeof(struct header) + PAYLOAD_MAX];
    struct header header = {type, ++number, transaction, (uint32_t)(first_size + second_size)};

    if (first_size > PAYLOAD_MAX || second_size > PAYLOAD_MAX - first_size)
        hand_over();
    memcpy(message, &header, sizeof(header));
    memcpy(message + sizeof(header), first, first_size);
    memcpy(message + sizeof(header) + first_size, second, second_size);
    send_all(message, sizeof(header) + first_size + second_size);
    receive_all(&header, sizeof(header));
    if ((header.type != type && header.type != FAILED) || header.number != number || header.size > PAYLOAD_MAX)
        hand_over();
    receive_all(answer, header.size);
    answer[header.size] = '\0';
    answer_size = header.size;
    return header.type == type;
}

static int ask(uint32_t type, const char *path)
{
    return request(type, path, strlen(path) + 1, "", 0);
}

static void read_value(const char *path)
{
    if (!ask(READ, path) || !is_plain(answer, answer_size))
        hand_over();
    print(answer, answer_size);
    print("\n", 1);
}

static void list(const char *path)
{
    if (!ask(DIRECTORY, path))
        hand_over();
    for (size_t at = 0; at < answer_size; at += strlen(answer + at) + 1) {
        print(answer + at, strlen(answer + at));
        print("\n", 1);
    }
}

/* All below a path, children after their parent; what vanishes meanwhile, or cannot be read, is not for here. */
static void list_tree(const char *above, int depth)
{
    char path[PAYLOAD_MAX + 1], *names;
    size_t size, length = strlen(above), end;

    if (depth > DEPTH_MAX || !ask(DIRECTORY, above))
        hand_over();
    size = answer_size;
    if ((names = malloc(size + 1)) == NULL || length + 2 > sizeof(path))
        hand_over();
    memcpy(names, answer, size + 1);
    memcpy(path, above, length);
    if (length == 0 || path[length - 1] != '/')
        path[length++] = '/';
    for (size_t at = 0; at < size; at = end + 1) {
        end = at + strlen(names + at);
        if (length + (end - at) >= sizeof(path))
            hand_over();
        memcpy(path + length, names + at, end - at + 1);
        if (!ask(READ, path) || !is_plain(answer, answer_size))
            hand_over();
        print(path, strlen(path));
        print(" = \"", 4);
        print(answer, answer_size);
        print("\"\n", 2);
        list_tree(path, depth + 1);
    }
    free(names);
}

/* Pairs of path and value: several are one transaction. */
static void write_values(char **pairs, int count)
{
    char *end;

    if (count > 2) {
        if (!request(TRANSACTION_START, "", 1, "", 0))
            hand_over();
        transaction = (uint32_t)strtoul(answer, &end, 10);
        if (end == answer || *end != '\0')
            hand_over();
    }
    for (int at = 0; at < count; at += 2)
        if (!request(WRITE, pairs[at], strlen(pairs[at]) + 1, pairs[at + 1], strlen(pairs[at + 1])))
            hand_over(); /* the connection ends with this, and with it the transaction */
    if (count > 2 && !request(TRANSACTION_END, "T", 2, "", 0))
        hand_over();
}

int main(int argc, char **argv)
{
    int status = 0;

    arguments = argv;
    if (argc < 1)
        return 127;
    name = strrchr(argv[0], '/') == NULL ? argv[0] : strrchr(argv[0], '/') + 1;
    if (argc < 2 || isatty(STDOUT_FILENO)) /* for people there is --help, and a width to be kept */
        hand_over();
    connect_to_store();
    if (strcmp(name, "xenstore-exists") == 0 && argc == 2) {
        status = !ask(READ, plain_path(argv[1]));
    } else if (strcmp(name, "xenstore-read") == 0 && argc == 2) {
        read_value(plain_path(argv[1]));
    } else if (strcmp(name, "xenstore-list") == 0 && argc == 2) {
        list(plain_path(argv[1]));
    } else if (strcmp(name, "xenstore-ls") == 0 && argc == 3 && strcmp(argv[1], "-f") == 0) {
        list_tree(plain_path(argv[2]), 0);
    } else if (strcmp(name, "xenstore-write") == 0 && argc % 2 == 1) {
        for (int at = 1; at < argc; at += 2) {
            plain_path(argv[at]);
            if (!is_plain(argv[at + 1], strlen(argv[at + 1])))
                hand_over();
        }
        write_values(argv + 1, argc - 1);
    } else {
        hand_over();
    }
    show();
    return status;
}
