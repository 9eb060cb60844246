#include "shutdown.h"
#include "console.h"
#include "store.h"
#include "text.h"
#include "xen.h"
#include "xenbus.h"

#define FOLDER "control"
#define NAME "shutdown"

void watch_shutdown(uint32_t number)
{
    watch(FOLDER, NAME, number);
}

/* The request, taken away; false if there is none. */
static int take_request(char *request, uint32_t size)
{
    uint32_t tx_id;
    int is_there;

    do {
        tx_id = begin_transaction();
        is_there = read_text(tx_id, FOLDER, NAME, request, size);
        if (is_there && !remove_node(tx_id, FOLDER, NAME))
            say("bare: cannot remove control/shutdown");
    } while (!commit(tx_id));
    return is_there;
}

/* As the kernel does when init has ended: it asks backends to close, and does not wait for them. */
static void end(uint32_t reason)
{
    close_frontends();
    leave(reason);
}

void heed_shutdown(void)
{
    char request[32];

    if (!take_request(request, sizeof request))
        return;
    if (same(request, "poweroff") || same(request, "halt"))
        end(POWEROFF);
    if (same(request, "reboot"))
        end(REBOOT);
    say_text("bare: ignores", request);
}

void ignore_shutdown(void)
{
    char request[32];

    if (read_text(0, FOLDER, NAME, request, sizeof request) && *request)
        say_text("bare: ignores", request);
}
