#include "block.h"
#include "abi.h"
#include "console.h"
#include "events.h"
#include "grants.h"
#include "ring.h"
#include "store.h"
#include "text.h"
#include "xen.h"

enum { OP_READ = 0, OP_WRITE = 1, OP_FLUSH = 3, VDISK_READONLY = 4 };
enum { SECTOR_BYTES = 512, SECTORS_PER_PAGE = PAGE / SECTOR_BYTES, FIRST_SECTOR = 8, PAGES = 2 };

#define DISKS 4
#define ENTRIES 32
#define PATIENCE_NS 60000000000

struct request {
    uint8_t operation, segments;
    uint16_t handle;
    uint64_t id;
    uint64_t sector;
    struct {
        uint32_t reference;
        uint8_t first, last;
    } segment[11];
};

union entry {
    struct request request;
    struct {
        uint64_t id;
        uint8_t operation;
        int16_t status;
    } answer;
};

static struct disk {
    union {
        struct {
            struct ring ring;
            union entry entry[ENTRIES];
        };
        char whole[PAGE];
    } shared PAGE_ALIGNED;
    uint8_t data[PAGES * PAGE];
    struct frontend *frontend; /* 0: no disk */
    uint32_t port, ring_reference;
    int connected;
    uint64_t handle, sectors, info, can_flush;
    const char *said; /* of the last round: only news are told */
    /* One request at a time. */
    volatile int waiting;
    int16_t status;
} disks[DISKS];

/* The only handler: it takes the answer of the only request. */
static void take_answers(void *owner)
{
    struct disk *disk = owner;
    struct ring *ring = &disk->shared.ring;

    for (uint32_t at = ring->req_prod - (uint32_t)disk->waiting; has_answers(ring, at); at++) {
        disk->status = disk->shared.entry[at % ENTRIES].answer.status;
        disk->waiting = 0;
    }
}

/* In one transaction, without waiting for the backend. */
static int attach(struct frontend *frontend)
{
    struct disk *disk = disks;
    uint32_t tx_id;

    while (disk->frontend)
        if (++disk == disks + DISKS)
            return 0;
    clear(disk, sizeof *disk);
    disk->frontend = frontend;
    frontend->device = disk;
    open_ring(&disk->shared.ring);
    disk->ring_reference = grant(frontend->backend_domid, &disk->shared, READ_WRITE);
    disk->port = new_port(frontend->backend_domid);
    on_event(disk->port, take_answers, disk);
    do {
        tx_id = begin_transaction();
        write_number(tx_id, frontend->path, "ring-ref", disk->ring_reference);
        write_number(tx_id, frontend->path, "event-channel", disk->port);
        write_text(tx_id, frontend->path, "protocol", RING_PROTOCOL);
    } while (!commit(tx_id));
    switch_state(frontend, INITIALISED);
    return 1;
}

static void connect(struct disk *disk)
{
    struct frontend *frontend = disk->frontend;
    uint64_t sector_bytes = 0;

    if (!read_number(frontend->path, "virtual-device", &disk->handle) ||
        !read_number(frontend->backend, "sectors", &disk->sectors) ||
        !read_number(frontend->backend, "info", &disk->info) ||
        !read_number(frontend->backend, "sector-size", &sector_bytes)) {
        say_text("bare: the backend does not say all of", frontend->path);
        return;
    }
    if (!read_number(frontend->backend, "feature-flush-cache", &disk->can_flush))
        disk->can_flush = 0;
    switch_state(frontend, CONNECTED);
    disk->connected = 1;
    say_text("bare: connected", frontend->path);
    say_number("bare: sectors", disk->sectors);
}

static void backend_changed(struct frontend *frontend, uint32_t state)
{
    struct disk *disk = frontend->device;

    if (state == CLOSING) {
        disk->connected = 0; /* no request is on its way: each has been waited for */
        switch_state(frontend, CLOSED);
    } else if (state == CONNECTED && !disk->connected)
        connect(disk);
}

static void detach(struct frontend *frontend)
{
    struct disk *disk = frontend->device;

    close_port(disk->port);
    revoke_in_time(disk->ring_reference);
    disk->frontend = 0;
}

/* One request about all pages of a disk, or about none; its status, 0 if all is well. */
static int transfer(struct disk *disk, uint8_t operation, uint32_t pages)
{
    struct ring *ring = &disk->shared.ring;
    struct request *request = &disk->shared.entry[ring->req_prod % ENTRIES].request;
    uint16_t access = operation == OP_WRITE ? READ_ONLY : READ_WRITE;
    uint64_t deadline_ns = now_ns() + PATIENCE_NS;
    uint32_t references[PAGES];

    request->operation = operation;
    request->segments = (uint8_t)pages;
    request->handle = (uint16_t)disk->handle;
    request->id = ring->req_prod % ENTRIES;
    request->sector = FIRST_SECTOR;
    for (uint32_t at = 0; at < pages; at++) {
        references[at] = grant(disk->frontend->backend_domid, disk->data + at * PAGE, access);
        request->segment[at].reference = references[at];
        request->segment[at].first = 0;
        request->segment[at].last = SECTORS_PER_PAGE - 1;
    }
    disk->waiting = 1;
    if (publish(ring, ring->req_prod + 1))
        notify(disk->port);
    while (disk->waiting && now_ns() < deadline_ns)
        wait_for_events(1000);
    if (disk->waiting) {
        disk->connected = 0;
        return 1;
    }
    for (uint32_t at = 0; at < pages; at++)
        revoke_in_time(references[at]);
    return disk->status;
}

/* Bytes that a round alone writes. */
static void fill(struct disk *disk, uint32_t round)
{
    for (uint32_t at = 0; at < sizeof disk->data; at++)
        disk->data[at] = (uint8_t)(at * 7 + at / SECTOR_BYTES + round);
    copy(disk->data, "written by bare", 15);
}

static int is_filled(const struct disk *disk, uint32_t round)
{
    for (uint32_t at = 15; at < sizeof disk->data; at++)
        if (disk->data[at] != (uint8_t)(at * 7 + at / SECTOR_BYTES + round))
            return 0;
    return !differ(disk->data, "written by bare", 15);
}

static const char *verify(struct disk *disk, uint32_t round)
{
    if (disk->info & VDISK_READONLY)
        return transfer(disk, OP_READ, PAGES) ? "bare: cannot read" : "bare: read";
    fill(disk, round);
    if (transfer(disk, OP_WRITE, PAGES))
        return "bare: cannot write";
    if (disk->can_flush && transfer(disk, OP_FLUSH, 0))
        return "bare: cannot flush";
    clear(disk->data, sizeof disk->data);
    if (transfer(disk, OP_READ, PAGES))
        return "bare: cannot read";
    return is_filled(disk, round) ? "bare: verified" : "bare: other bytes on";
}

void verify_disks(uint32_t round)
{
    for (struct disk *disk = disks; disk < disks + DISKS; disk++)
        if (disk->frontend && disk->connected) {
            const char *found = verify(disk, round);

            if (!disk->said || !same(found, disk->said))
                say_text(found, disk->frontend->path);
            disk->said = found;
        }
}

const struct driver xbd = {"vbd", attach, backend_changed, detach};
