#include "console.h"
#include "events.h"
#include "text.h"

static struct {
    uint8_t in[1024];
    uint8_t out[2048];
    volatile uint32_t in_cons, in_prod, out_cons, out_prod;
} *ring;
static uint32_t console_port;

void open_console(void *page, uint32_t port)
{
    ring = page;
    console_port = port;
}

static void put(char byte)
{
    while (ring->out_prod - ring->out_cons >= sizeof ring->out)
        __asm__ volatile("pause");
    ring->out[ring->out_prod % sizeof ring->out] = (uint8_t)byte;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ring->out_prod++;
}

static void put_all(const char *text)
{
    while (*text)
        put(*text++);
}

void say(const char *text)
{
    put_all(text);
    put_all("\r\n");
    notify(console_port);
}

void say_text(const char *text, const char *more)
{
    put_all(text);
    put(' ');
    say(more);
}

void say_number(const char *text, uint64_t number)
{
    char digits[DIGITS];

    say_text(text, decimal(number, digits));
}
