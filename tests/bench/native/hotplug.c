/*
 * The hotplug script of the measured domains, for Linux's way of calling it: it says that all is well and
 * touches nothing.  A shell script that asks xenstore-write for it would measure the shell and Python.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WRITE 11
#define PATH_ROOM 256

struct header { uint32_t type, req_id, tx_id, len; };

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void transfer(ssize_t (*move)(int, void *, size_t), int fd, void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = move(fd, (char *)bytes + done, size - done);

        if (n <= 0)
            fail("xenstored");
        done += n;
    }
}

static ssize_t put(int fd, void *bytes, size_t size)
{
    return write(fd, bytes, size);
}

static void store(int fd, const char *key, const char *value)
{
    char message[sizeof(struct header) + PATH_ROOM + 32], *payload = message + sizeof(struct header);
    int length = snprintf(payload, PATH_ROOM, "/local/domain/0/%s/%s", getenv("XENBUS_PATH"), key);
    struct header header = {.type = WRITE};

    if (length >= PATH_ROOM)
        fail("XENBUS_PATH");
    memcpy(payload + length + 1, value, strlen(value));
    header.len = length + 1 + strlen(value);
    memcpy(message, &header, sizeof header);
    transfer(put, fd, message, sizeof header + header.len);
    transfer(read, fd, &header, sizeof header);
    if (header.type != WRITE || header.len > sizeof message)
        fail("the answer");
    transfer(read, fd, message, header.len);
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("XENSTORED_PATH"), *type = getenv("XENBUS_TYPE");
    int fd;

    if (argc < 2 || path == NULL || type == NULL || getenv("XENBUS_PATH") == NULL)
        return 2;
    if (strcmp(argv[1], "add") != 0 && strcmp(argv[1], "online") != 0)
        return 0;
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail(path);
    if (strcmp(type, "vbd") == 0)
        store(fd, "physical-device", "7:0");
    store(fd, "hotplug-status", "connected");
    return 0;
}
