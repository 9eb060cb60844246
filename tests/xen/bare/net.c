#include "net.h"
#include "abi.h"
#include "console.h"
#include "events.h"
#include "grants.h"
#include "packets.h"
#include "ring.h"
#include "store.h"
#include "text.h"

enum { TX_DATA_VALIDATED = 2, RX_MORE_DATA = 4 };

#define INTERFACES 2
#define ENTRIES 256
/* So many answers may be on their way. */
#define SENDING 16
/* New buffers are given when the backend has used so many. */
#define USED_UP (ENTRIES * 4 / 5)

union tx_entry {
    struct {
        uint32_t reference;
        uint16_t offset, flags, id, size;
    } request;
    struct {
        uint16_t id;
        int16_t status;
    } answer;
};

union rx_entry {
    struct {
        uint16_t id, pad;
        uint32_t reference;
    } request;
    struct {
        uint16_t id, offset, flags;
        int16_t status;
    } answer;
};

static struct interface {
    union {
        struct {
            struct ring ring;
            union tx_entry entry[ENTRIES];
        };
        char whole[PAGE];
    } tx PAGE_ALIGNED;
    union {
        struct {
            struct ring ring;
            union rx_entry entry[ENTRIES];
        };
        char whole[PAGE];
    } rx;
    uint8_t sent[SENDING][PAGE];
    uint8_t received[ENTRIES][PAGE];
    struct frontend *frontend; /* 0: no interface */
    struct host host;
    uint32_t port, tx_reference, rx_reference, tx_consumed, rx_consumed;
    /* References of pages that the backend has, 0 for the others; how many of those. */
    uint32_t sent_references[SENDING], received_references[ENTRIES], used_up;
    int connected, in_chain;
} interfaces[INTERFACES];

static uint8_t first_address[4];
static uint32_t attached;

void set_address(const char *text)
{
    for (uint32_t at = 0; at < 4 && *text; at++) {
        first_address[at] = (uint8_t)number_at(&text, 10);
        if (*text == '.')
            text++;
    }
}

static int read_mac(struct interface *interface)
{
    char text[18];
    const char *at = text;

    if (!read_text(0, interface->frontend->path, "mac", text, sizeof text))
        return 0;
    for (uint32_t byte = 0; byte < 6; byte++, at++)
        interface->host.mac[byte] = (uint8_t)number_at(&at, 16);
    return 1;
}

static void give_buffers(struct interface *interface)
{
    uint32_t end = interface->rx.ring.req_prod;

    for (uint16_t id = 0; id < ENTRIES; id++)
        if (!interface->received_references[id]) {
            union rx_entry *entry = &interface->rx.entry[end++ % ENTRIES];
            uint32_t reference = grant(interface->frontend->backend_domid, interface->received[id], READ_WRITE);

            interface->received_references[id] = reference;
            entry->request.id = id;
            entry->request.reference = reference;
        }
    interface->used_up = 0;
    if (publish(&interface->rx.ring, end))
        notify(interface->port);
}

static void take_back_sent(struct interface *interface)
{
    struct ring *ring = &interface->tx.ring;

    while (ring->rsp_prod != interface->tx_consumed) {
        uint16_t id = interface->tx.entry[interface->tx_consumed++ % ENTRIES].answer.id % SENDING;

        revoke_in_time(interface->sent_references[id]);
        interface->sent_references[id] = 0;
    }
    ring->rsp_event = interface->tx_consumed + (ring->req_prod - interface->tx_consumed) / 2 + 1;
}

static void answer_frame(struct interface *interface, const uint8_t *frame, uint32_t frame_size)
{
    uint32_t end = interface->tx.ring.req_prod, size;
    uint16_t id = 0;

    while (interface->sent_references[id])
        if (++id == SENDING)
            return;
    size = answer_to(&interface->host, frame, frame_size, interface->sent[id]);
    if (!size)
        return;
    interface->sent_references[id] = grant(interface->frontend->backend_domid, interface->sent[id], READ_ONLY);
    interface->tx.entry[end % ENTRIES].request.reference = interface->sent_references[id];
    interface->tx.entry[end % ENTRIES].request.offset = 0;
    interface->tx.entry[end % ENTRIES].request.flags = TX_DATA_VALIDATED;
    interface->tx.entry[end % ENTRIES].request.id = id;
    interface->tx.entry[end % ENTRIES].request.size = (uint16_t)size;
    if (publish(&interface->tx.ring, end + 1))
        notify(interface->port);
}

/* A frame in several buffers is none that is answered. */
static void take_received(struct interface *interface)
{
    while (has_answers(&interface->rx.ring, interface->rx_consumed)) {
        union rx_entry entry = interface->rx.entry[interface->rx_consumed++ % ENTRIES];
        uint16_t id = entry.answer.id % ENTRIES;
        int more = entry.answer.flags & RX_MORE_DATA;

        revoke_in_time(interface->received_references[id]);
        interface->received_references[id] = 0;
        interface->used_up++;
        if (!more && !interface->in_chain && entry.answer.status > 0 && entry.answer.status <= PAGE)
            answer_frame(interface, interface->received[id], (uint32_t)entry.answer.status);
        interface->in_chain = more;
        if (interface->used_up >= USED_UP)
            give_buffers(interface);
    }
}

static void take_answers(void *owner)
{
    struct interface *interface = owner;

    if (interface->connected) {
        take_back_sent(interface);
        take_received(interface);
    }
}

/* The rings and the event channel are made before the backend waits for them. */
static int attach(struct frontend *frontend)
{
    struct interface *interface = interfaces;

    while (interface->frontend)
        if (++interface == interfaces + INTERFACES)
            return 0;
    clear(interface, sizeof *interface);
    interface->frontend = frontend;
    if (!read_mac(interface)) {
        interface->frontend = 0;
        return 0;
    }
    copy(interface->host.address, first_address, 4);
    interface->host.address[3] = (uint8_t)(first_address[3] + frontend->devid);
    frontend->device = interface;
    open_ring(&interface->tx.ring);
    open_ring(&interface->rx.ring);
    interface->tx_reference = grant(frontend->backend_domid, &interface->tx, READ_WRITE);
    interface->rx_reference = grant(frontend->backend_domid, &interface->rx, READ_WRITE);
    interface->port = new_port(frontend->backend_domid);
    on_event(interface->port, take_answers, interface);
    return 1;
}

static void connect(struct interface *interface)
{
    struct frontend *frontend = interface->frontend;
    char name[] = "xennet0";
    uint64_t copies;
    uint32_t tx_id;

    if (!read_number(frontend->backend, "feature-rx-copy", &copies) || !copies) {
        say_text("bare: the backend does not copy to", frontend->path);
        switch_state(frontend, CLOSING);
        return;
    }
    name[6] = (char)('0' + attached++ % 10);
    do {
        tx_id = begin_transaction();
        write_text(tx_id, frontend->path, "vifname", name);
        write_number(tx_id, frontend->path, "tx-ring-ref", interface->tx_reference);
        write_number(tx_id, frontend->path, "rx-ring-ref", interface->rx_reference);
        write_number(tx_id, frontend->path, "request-rx-copy", copies);
        write_number(tx_id, frontend->path, "feature-rx-notify", 1);
        write_number(tx_id, frontend->path, "feature-ipv6-csum-offload", 1);
        write_number(tx_id, frontend->path, "feature-sg", 1);
        write_number(tx_id, frontend->path, "event-channel", interface->port);
    } while (!commit(tx_id));
    give_buffers(interface);
    interface->connected = 1;
    switch_state(frontend, CONNECTED);
    notify(interface->port);
    say_text("bare: connected", frontend->path);
}

static void backend_changed(struct frontend *frontend, uint32_t state)
{
    struct interface *interface = frontend->device;

    if (state == CLOSING) {
        interface->connected = 0;
        switch_state(frontend, CLOSED);
    } else if (state == INIT_WAIT && !interface->connected)
        connect(interface);
}

static void detach(struct frontend *frontend)
{
    struct interface *interface = frontend->device;

    close_port(interface->port);
    take_back_sent(interface);
    for (uint32_t id = 0; id < ENTRIES; id++)
        if (interface->received_references[id])
            revoke_in_time(interface->received_references[id]);
    revoke_in_time(interface->tx_reference);
    revoke_in_time(interface->rx_reference);
    interface->frontend = 0;
}

const struct driver xennet = {"vif", attach, backend_changed, detach};
