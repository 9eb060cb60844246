/* libxenstat's answers out of a file, for Debian's xentop without a hypervisor.
 *
 * XENSTAT_FRAMES names the file, lines of words: "node TIME_US TOTAL FREE CPUS HZ VERSION", "domain ID NAME CPU_NS
 * MEMORY MAX SSID VCPUS DSCPBR" (flags dying, shutdown, crashed, paused, blocked, running, 0 or 1 each), "vcpu
 * ONLINE NS", "network" and 8 numbers, "vbd TYPE DEV ERROR" and 5 numbers.  Each xenstat_get_node is given the next
 * node with what follows it; the last one stays.  The clock is the node's, and nothing sleeps.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define MOST 64

typedef unsigned long long ull;
struct vcpu { unsigned online; ull ns; };
struct network { ull n[8]; };
struct vbd { unsigned type, dev, error; ull n[5]; };
struct domain {
    unsigned id, ssid, vcpus, given, networks, vbds;
    char name[256], flags[8];
    ull cpu, memory, max;
    struct vcpu vcpu[MOST];
    struct network network[MOST];
    struct vbd vbd[MOST];
};
struct node {
    ull time, total, free, hz;
    unsigned cpus, domains;
    char version[32];
    struct domain domain[MOST];
};

static FILE *frames;
static char line[4096];
static struct node nodes[2]; /* the last two: xentop compares them */
static unsigned turn;
static ull now;

static int next_line(void) { return fgets(line, sizeof line, frames) != NULL; }

void *xenstat_init(void) {
    frames = fopen(getenv("XENSTAT_FRAMES"), "r");
    return frames && next_line() ? frames : NULL;
}
void xenstat_uninit(void *handle) { (void)handle; }
void xenstat_free_node(void *node) { (void)node; }

void *xenstat_get_node(void *handle, unsigned flags) {
    struct domain *d = NULL;
    struct node *current = &nodes[turn++ % 2];
    (void)handle, (void)flags;
    if (feof(frames)) {
        *current = nodes[turn % 2];
        return current;
    }
    memset(current, 0, sizeof *current);
    sscanf(line, "node %llu %llu %llu %u %llu %31s", &current->time, &current->total, &current->free,
           &current->cpus, &current->hz, current->version);
    now = current->time;
    while (next_line() && strncmp(line, "node", 4)) {
        if (!strncmp(line, "domain", 6)) {
            d = &current->domain[current->domains++];
            sscanf(line, "domain %u %255s %llu %llu %llu %u %u %7s", &d->id, d->name, &d->cpu, &d->memory, &d->max,
                   &d->ssid, &d->vcpus, d->flags);
        } else if (!strncmp(line, "vcpu", 4)) {
            struct vcpu *v = &d->vcpu[d->given++];
            sscanf(line, "vcpu %u %llu", &v->online, &v->ns);
        } else if (!strncmp(line, "network", 7)) {
            ull *n = d->network[d->networks++].n;
            sscanf(line, "network %llu %llu %llu %llu %llu %llu %llu %llu", n, n + 1, n + 2, n + 3, n + 4, n + 5,
                   n + 6, n + 7);
        } else if (!strncmp(line, "vbd", 3)) {
            struct vbd *v = &d->vbd[d->vbds++];
            sscanf(line, "vbd %u %u %u %llu %llu %llu %llu %llu", &v->type, &v->dev, &v->error, v->n, v->n + 1,
                   v->n + 2, v->n + 3, v->n + 4);
        }
    }
    return current;
}

/* xentop looks at the clock before it takes a node. */
int gettimeofday(struct timeval *tv, void *zone) {
    (void)zone;
    if (!feof(frames))
        sscanf(line, "node %llu", &now);
    tv->tv_sec = now / 1000000;
    tv->tv_usec = now % 1000000;
    return 0;
}
unsigned sleep(unsigned seconds) { (void)seconds; return 0; }

void *xenstat_node_domain_by_index(struct node *n, unsigned index) { return &n->domain[index]; }
void *xenstat_node_domain(struct node *n, unsigned id) {
    for (unsigned i = 0; i < n->domains; i++)
        if (n->domain[i].id == id)
            return &n->domain[i];
    return NULL;
}
const char *xenstat_node_xen_version(struct node *n) { return n->version; }
ull xenstat_node_tot_mem(struct node *n) { return n->total; }
ull xenstat_node_free_mem(struct node *n) { return n->free; }
unsigned xenstat_node_num_domains(struct node *n) { return n->domains; }
unsigned xenstat_node_num_cpus(struct node *n) { return n->cpus; }
ull xenstat_node_cpu_hz(struct node *n) { return n->hz; }

unsigned xenstat_domain_id(struct domain *d) { return d->id; }
char *xenstat_domain_name(struct domain *d) { return d->name; }
ull xenstat_domain_cpu_ns(struct domain *d) { return d->cpu; }
unsigned xenstat_domain_num_vcpus(struct domain *d) { return d->vcpus; }
void *xenstat_domain_vcpu(struct domain *d, unsigned i) { return &d->vcpu[i]; }
ull xenstat_domain_cur_mem(struct domain *d) { return d->memory; }
ull xenstat_domain_max_mem(struct domain *d) { return d->max; }
unsigned xenstat_domain_ssid(struct domain *d) { return d->ssid; }
unsigned xenstat_domain_dying(struct domain *d) { return d->flags[0] == '1'; }
unsigned xenstat_domain_shutdown(struct domain *d) { return d->flags[1] == '1'; }
unsigned xenstat_domain_crashed(struct domain *d) { return d->flags[2] == '1'; }
unsigned xenstat_domain_paused(struct domain *d) { return d->flags[3] == '1'; }
unsigned xenstat_domain_blocked(struct domain *d) { return d->flags[4] == '1'; }
unsigned xenstat_domain_running(struct domain *d) { return d->flags[5] == '1'; }
unsigned xenstat_domain_num_networks(struct domain *d) { return d->networks; }
void *xenstat_domain_network(struct domain *d, unsigned i) { return &d->network[i]; }
unsigned xenstat_domain_num_vbds(struct domain *d) { return d->vbds; }
void *xenstat_domain_vbd(struct domain *d, unsigned i) { return &d->vbd[i]; }

unsigned xenstat_vcpu_online(struct vcpu *v) { return v->online; }
ull xenstat_vcpu_ns(struct vcpu *v) { return v->ns; }

ull xenstat_network_rbytes(struct network *n) { return n->n[0]; }
ull xenstat_network_rpackets(struct network *n) { return n->n[1]; }
ull xenstat_network_rerrs(struct network *n) { return n->n[2]; }
ull xenstat_network_rdrop(struct network *n) { return n->n[3]; }
ull xenstat_network_tbytes(struct network *n) { return n->n[4]; }
ull xenstat_network_tpackets(struct network *n) { return n->n[5]; }
ull xenstat_network_terrs(struct network *n) { return n->n[6]; }
ull xenstat_network_tdrop(struct network *n) { return n->n[7]; }

unsigned xenstat_vbd_type(struct vbd *v) { return v->type; }
unsigned xenstat_vbd_dev(struct vbd *v) { return v->dev; }
unsigned xenstat_vbd_error(struct vbd *v) { return v->error; }
ull xenstat_vbd_oo_reqs(struct vbd *v) { return v->n[0]; }
ull xenstat_vbd_rd_reqs(struct vbd *v) { return v->n[1]; }
ull xenstat_vbd_wr_reqs(struct vbd *v) { return v->n[2]; }
ull xenstat_vbd_rd_sects(struct vbd *v) { return v->n[3]; }
ull xenstat_vbd_wr_sects(struct vbd *v) { return v->n[4]; }
