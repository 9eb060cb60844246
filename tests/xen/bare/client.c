#include "client.h"
#include "events.h"
#include "text.h"
#include "xen.h"

int notify_always;

#define RING 1024

uint32_t push(const void *bytes, uint32_t size)
{
    uint32_t produced = store->req_prod;
    uint32_t room = RING - (produced - store->req_cons);

    if (size > room)
        size = room;
    for (uint32_t at = 0; at < size; at++)
        store->req[(produced + at) % RING] = ((const uint8_t *)bytes)[at];
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    store->req_prod = produced + size;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (size && (notify_always || produced == store->req_cons))
        notify_store();
    return size;
}

static void push_all(const void *bytes, uint32_t size)
{
    uint32_t done = 0;

    while ((done += push((const char *)bytes + done, size - done)) < size)
        wait_for_events(0);
}

void ask(uint32_t type, uint32_t tx_id, const char *payload, uint32_t size)
{
    struct message request = {{type, 0, tx_id, size}, {0}};

    copy(request.payload, payload, size);
    push_all(&request, sizeof request.header + size);
}

static void pull_all(void *bytes, uint32_t size)
{
    for (uint32_t at = 0; at < size;) {
        uint32_t consumed = store->rsp_cons, end = store->rsp_prod;
        int full = end - consumed >= RING;

        if (consumed == end) {
            wait_for_events(0);
            continue;
        }
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        for (; consumed != end && at < size; consumed++)
            ((uint8_t *)bytes)[at++] = store->rsp[consumed % RING];
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        store->rsp_cons = consumed;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (notify_always || full)
            notify_store();
    }
}

const struct message *receive(void)
{
    static struct message message;

    pull_all(&message.header, sizeof message.header);
    pull_all(message.payload, message.header.size);
    message.payload[message.header.size] = 0;
    return &message;
}

static uint32_t fired;

static void note(const struct message *event)
{
    const char *token = event->payload + length(event->payload) + 1;

    fired |= 1u << (uint32_t)(*token - '0') % 32;
}

const struct message *reply(void)
{
    const struct message *message;

    while ((message = receive())->header.type == WATCH_EVENT)
        note(message);
    return message;
}

uint32_t fired_watches(void)
{
    uint32_t watches;

    while (store->rsp_cons != store->rsp_prod)
        note(receive());
    watches = fired;
    fired = 0;
    return watches;
}
