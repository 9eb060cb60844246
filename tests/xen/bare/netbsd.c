#include "netbsd.h"
#include "block.h"
#include "client.h"
#include "events.h"
#include "grants.h"
#include "net.h"
#include "shutdown.h"
#include "store.h"
#include "xen.h"
#include "xenbus.h"

/* Numbers of watches, behind those of backends. */
enum { DEVICES = FRONTENDS, SHUTDOWN };

#define SECOND_NS 1000000000

void live_as_netbsd(const char *address)
{
    uint64_t next_beat_ns = now_ns();
    uint32_t beats = 0;

    notify_always = 1;
    set_address(address);
    open_grants();
    find_frontends();
    watch("device", "", DEVICES);
    watch_shutdown(SHUTDOWN);
    for (;;) {
        uint32_t fired = fired_watches();

        look_at_backends(fired);
        if (fired & 1u << DEVICES)
            find_frontends();
        if (fired & 1u << SHUTDOWN)
            heed_shutdown();
        if (now_ns() >= next_beat_ns) {
            next_beat_ns = now_ns() + SECOND_NS;
            verify_disks(beats);
            write_number(0, "data", "beat", ++beats);
        } else if (!fired)
            wait_for_events(200);
    }
}
