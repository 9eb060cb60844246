#include "store.h"
#include "client.h"
#include "text.h"

/* Payloads that are given: a path of ours and a short value. */
#define LONGEST 256

/* A payload made of texts; its size. */
static uint32_t add(char *payload, uint32_t size, const char *text)
{
    uint32_t room = LONGEST - size;

    if (length(text) < room)
        room = length(text);
    copy(payload + size, text, room);
    return size + room;
}

static uint32_t add_path(char *payload, const char *folder, const char *name)
{
    uint32_t size = add(payload, 0, folder);

    if (*name)
        size = add(payload, add(payload, size, "/"), name);
    payload[size++] = 0;
    return size;
}

static const struct message *ask_of_path(uint32_t type, uint32_t tx_id, const char *folder, const char *name)
{
    char payload[LONGEST + 1];

    ask(type, tx_id, payload, add_path(payload, folder, name));
    return reply();
}

int read_text(uint32_t tx_id, const char *folder, const char *name, char *value, uint32_t size)
{
    const struct message *answer = ask_of_path(READ, tx_id, folder, name);

    if (answer->header.type == ERROR)
        return 0;
    if (answer->header.size < size)
        size = answer->header.size + 1;
    copy(value, answer->payload, size);
    value[size - 1] = 0;
    return 1;
}

int read_number(const char *folder, const char *name, uint64_t *number)
{
    char value[DIGITS];
    const char *at = value;

    if (!read_text(0, folder, name, value, sizeof value))
        return 0;
    *number = number_at(&at, 10);
    return at != value;
}

void write_text(uint32_t tx_id, const char *folder, const char *name, const char *value)
{
    char payload[LONGEST + 1];

    ask(WRITE, tx_id, payload, add(payload, add_path(payload, folder, name), value));
    reply();
}

void write_number(uint32_t tx_id, const char *folder, const char *name, uint64_t number)
{
    char digits[DIGITS];

    write_text(tx_id, folder, name, decimal(number, digits));
}

int remove_node(uint32_t tx_id, const char *folder, const char *name)
{
    return ask_of_path(RM, tx_id, folder, name)->header.type != ERROR;
}

void list(const char *folder, char *names, uint32_t size)
{
    const struct message *answer = ask_of_path(DIRECTORY, 0, folder, "");
    uint32_t taken = answer->header.type == ERROR ? 0 : answer->header.size;

    if (taken > size - 2)
        taken = size - 2;
    copy(names, answer->payload, taken);
    names[taken] = names[taken + 1] = 0;
}

uint32_t begin_transaction(void)
{
    const char *id;

    ask(TRANSACTION_START, 0, STRING(""));
    id = reply()->payload;
    return (uint32_t)number_at(&id, 10);
}

int commit(uint32_t tx_id)
{
    const struct message *answer;

    ask(TRANSACTION_END, tx_id, STRING("T"));
    answer = reply();
    return !(answer->header.type == ERROR && same(answer->payload, "EAGAIN"));
}

static void ask_of_watch(uint32_t type, const char *folder, const char *name, uint32_t number)
{
    char payload[LONGEST + 1];
    const char token[] = {(char)('0' + number), 0};
    uint32_t size = add(payload, add_path(payload, folder, name), token);

    payload[size++] = 0;
    ask(type, 0, payload, size);
    reply();
}

void watch(const char *folder, const char *name, uint32_t number)
{
    ask_of_watch(WATCH, folder, name, number);
}

void unwatch(const char *folder, const char *name, uint32_t number)
{
    ask_of_watch(UNWATCH, folder, name, number);
}
