/*
 * The load generator:  load SOCKET WORKLOAD [NAME=NUMBER ...]
 *
 * Prints one line of JSON, then waits for the end of its input with its connections open, so that
 * the runner can look at the server.  Exit status 0, or 1 and a line on standard error.
 */
#include "load.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options options = {.clients = 1, .depth = 1, .ms = 1000, .limit_s = 30, .holders = 100,
                          .children = 10, .accounts = 100, .beside_depth = 64, .bytes = VALUE_SIZE};

static const struct { const char *name; void (*run)(void); } workloads[] = {
    {"read", closed_loop}, {"write", closed_loop}, {"directory", closed_loop}, {"create", closed_loop},
    {"transaction", closed_loop}, {"transfer", closed_loop}, {"counter", closed_loop},
    {"fanout", fan_out}, {"subtree", remove_tree}, {"wide", remove_wide}, {"close", close_holders}, {"hold", hold},
};

static const struct { const char *name; long *value, least; } numbers[] = {
    {"clients", &options.clients, 1}, {"depth", &options.depth, 1}, {"ms", &options.ms, 1},
    {"pid", &options.pid, 0}, {"limit_s", &options.limit_s, 1}, {"watches", &options.watches, 0},
    {"holders", &options.holders, 1}, {"idle", &options.idle, 0}, {"nodes", &options.nodes, 0},
    {"children", &options.children, 1}, {"shared", &options.shared, 0}, {"beside", &options.beside, 0},
    {"accounts", &options.accounts, 2}, {"beside_depth", &options.beside_depth, 1}, {"deaf", &options.deaf, 0},
    {"bytes", &options.bytes, 1},
};

#define COUNT(array) (sizeof array / sizeof array[0])

static int figures;

void print_number(const char *name, double value)
{
    printf("%s\"%s\": %.3f", figures++ == 0 ? "{" : ", ", name, value);
}

void fail(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "load: %s: ", options.kind != NULL ? options.kind : "arguments");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void give_up(const char *format, ...)
{
    va_list arguments;

    printf("{\"gave_up\": \"");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\"}\n");
    exit(0);
}

static void set_option(const char *argument)
{
    const char *equals = strchr(argument, '=');
    char *end;
    size_t i;

    for (i = 0; equals != NULL && i < COUNT(numbers); i++) {
        if (strlen(numbers[i].name) != (size_t)(equals - argument)
            || strncmp(numbers[i].name, argument, (size_t)(equals - argument)) != 0)
            continue;
        *numbers[i].value = strtol(equals + 1, &end, 10);
        if (end == equals + 1 || *end != '\0' || *numbers[i].value < numbers[i].least)
            fail("%s: a number of at least %ld is needed", argument, numbers[i].least);
        return;
    }
    fail("%s: not one of this program's NAME=NUMBER", argument);
}

static void wait_for_end_of_input(void)
{
    char c;

    fflush(stdout);
    while (read(0, &c, 1) > 0)
        ;
}

int main(int argc, char **argv)
{
    size_t i;
    int a;

    if (argc < 3)
        fail("usage: load SOCKET WORKLOAD [NAME=NUMBER ...]");
    options.socket = argv[1];
    options.kind = argv[2];
    for (a = 3; a < argc; a++)
        set_option(argv[a]);
    signal(SIGPIPE, SIG_IGN);
    /* The last resort: whatever happens, this program ends. */
    alarm((unsigned)(options.limit_s + options.ms / 1000 + 4 * (SILENCE_MS / 1000)));
    for (i = 0; i < COUNT(workloads); i++) {
        if (strcmp(options.kind, workloads[i].name) == 0) {
            setup_begins();
            workloads[i].run();
            printf("}\n");
            wait_for_end_of_input();
            return 0;
        }
    }
    fail("no such workload");
}
