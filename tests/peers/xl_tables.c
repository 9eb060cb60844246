/* A host for Debian's own xl to print: three domains, three CPU pools, four CPUs in two nodes; the rest as
 * xl_offline.c has it.  What xl prints of it is its own.
 *
 *   LD_PRELOAD="xl_tables.so xl_offline.so" /usr/lib/xen-VERSION/bin/xl list
 *
 * tests/peers/test_xl_tables.py has the same host as our xend would tell of it.
 */
#include <stdlib.h>
#include <string.h>
#include <libxl.h>
#include <libxl_utils.h>

#define CPUS 4
#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))
#define SECOND 1000000000ull

static const struct {
    const char *name;
    uint32_t pool, vcpus;
    uint64_t memory_kib, claimed_kib, shared_kib, time_ns;
    bool running, blocked, paused, shutdown;
    libxl_shutdown_reason reason;
} domains[] = {
    {"Domain-0", 0, 2, 524288, 0, 0, 61300000000ull, .running = true, .reason = -1},
    {"d1", 1, 2, 131072, 16384, 3072, 1250000000ull, .blocked = true, .reason = -1},
    {"a-domain-with-a-long-name-of-45-characters...", 2, 1, 65535, 0, 0, 1234567 * SECOND, .shutdown = true,
     .reason = LIBXL_SHUTDOWN_REASON_CRASH},
};

static const struct {
    const char *name;
    libxl_scheduler scheduler;
    uint8_t cpus;
} pools[] = {
    {"Pool-0", LIBXL_SCHEDULER_CREDIT2, 0x1},
    {"fast", LIBXL_SCHEDULER_RTDS, 0x6},
    {"a-pool-with-a-long-name", LIBXL_SCHEDULER_CREDIT, 0x8},
};

static libxl_bitmap bitmap(uint8_t bits)
{
    libxl_bitmap made = {.size = 1, .map = malloc(1)};

    made.map[0] = bits;
    return made;
}

int xc_get_online_cpus(void *xch) { return CPUS; }
int xc_get_max_cpus(void *xch) { return CPUS; }
int xc_get_max_nodes(void *xch) { return 2; }

libxl_dominfo *libxl_list_domain(libxl_ctx *ctx, int *count)
{
    libxl_dominfo *made = calloc(COUNT(domains), sizeof(*made));

    *count = COUNT(domains);
    for (int domid = 0; domid < *count; domid++) {
        made[domid].domid = domid;
        made[domid].uuid.uuid[15] = domid;
        made[domid].running = domains[domid].running;
        made[domid].blocked = domains[domid].blocked;
        made[domid].paused = domains[domid].paused;
        made[domid].shutdown = domains[domid].shutdown;
        made[domid].shutdown_reason = domains[domid].reason;
        made[domid].outstanding_memkb = domains[domid].claimed_kib;
        made[domid].current_memkb = domains[domid].memory_kib;
        made[domid].shared_memkb = domains[domid].shared_kib;
        made[domid].cpu_time = domains[domid].time_ns;
        made[domid].vcpu_online = domains[domid].vcpus;
        made[domid].vcpu_max_id = domains[domid].vcpus - 1;
        made[domid].cpupool = domains[domid].pool;
    }
    return made;
}

int libxl_domain_info(libxl_ctx *ctx, libxl_dominfo *info, uint32_t domid)
{
    int count;
    libxl_dominfo *all = libxl_list_domain(ctx, &count);

    if (domid >= (uint32_t)count)
        return ERROR_DOMAIN_NOTFOUND;
    *info = all[domid];
    return 0;
}

libxl_vminfo *libxl_list_vm(libxl_ctx *ctx, int *count)
{
    libxl_vminfo *made = calloc(COUNT(domains), sizeof(*made));

    *count = COUNT(domains);
    for (int domid = 0; domid < *count; domid++) {
        made[domid].domid = domid;
        made[domid].uuid.uuid[15] = domid;
    }
    return made;
}

char *libxl_domid_to_name(libxl_ctx *ctx, uint32_t domid)
{
    return domid < COUNT(domains) ? strdup(domains[domid].name) : NULL;
}

int libxl_domain_qualifier_to_domid(libxl_ctx *ctx, const char *name, uint32_t *domid)
{
    for (*domid = 0; *domid < COUNT(domains); ++*domid)
        if (!strcmp(name, domains[*domid].name) || (name[0] == '0' + (char)*domid && !name[1]))
            return 0;
    return ERROR_INVAL;
}

libxl_vcpuinfo *libxl_list_vcpu(libxl_ctx *ctx, uint32_t domid, int *count, int *cpus)
{
    libxl_vcpuinfo *made = calloc(domains[domid].vcpus, sizeof(*made));

    *count = domains[domid].vcpus;
    *cpus = CPUS;
    for (int vcpu = 0; vcpu < *count; vcpu++) {
        made[vcpu].vcpuid = vcpu;
        made[vcpu].cpu = 3;
        made[vcpu].online = vcpu == 0;
        made[vcpu].running = vcpu == 0 && domains[domid].running;
        made[vcpu].blocked = vcpu == 0 && domains[domid].blocked;
        made[vcpu].vcpu_time = vcpu == 0 ? domains[domid].time_ns : 0;
        made[vcpu].cpumap = bitmap(vcpu == 0 ? 0xf : 0x0);
        made[vcpu].cpumap_soft = bitmap(vcpu == 0 ? 0xb : 0x4);
    }
    return made;
}

libxl_cpupoolinfo *libxl_list_cpupool(libxl_ctx *ctx, int *count)
{
    libxl_cpupoolinfo *made = calloc(COUNT(pools), sizeof(*made));

    *count = COUNT(pools);
    for (int pool = 0; pool < *count; pool++) {
        made[pool].poolid = pool;
        made[pool].pool_name = strdup(pools[pool].name);
        made[pool].sched = pools[pool].scheduler;
        made[pool].n_dom = 1;
        made[pool].cpumap = bitmap(pools[pool].cpus);
    }
    return made;
}

char *libxl_cpupoolid_to_name(libxl_ctx *ctx, uint32_t pool) { return strdup(pools[pool].name); }
int libxl_cpupoolid_is_valid(libxl_ctx *ctx, uint32_t pool) { return pool < COUNT(pools); }

int libxl_name_to_cpupoolid(libxl_ctx *ctx, const char *name, uint32_t *pool)
{
    for (*pool = 0; *pool < COUNT(pools); ++*pool)
        if (!strcmp(name, pools[*pool].name))
            return 0;
    return ERROR_INVAL;
}

int libxl_cpupool_qualifier_to_cpupoolid(libxl_ctx *ctx, const char *name, uint32_t *pool, int *was_name)
{
    *pool = name[0] - '0';
    return *pool < COUNT(pools) && !name[1] ? 0 : libxl_name_to_cpupoolid(ctx, name, pool);
}

int libxl_get_freecpus(libxl_ctx *ctx, libxl_bitmap *cpus)
{
    *cpus = bitmap(0xc);
    return 0;
}

int libxl_get_scheduler(libxl_ctx *ctx) { return LIBXL_SCHEDULER_CREDIT2; }

int libxl_domain_sched_params_get(libxl_ctx *ctx, uint32_t domid, libxl_domain_sched_params *made)
{
    memset(made, 0, sizeof(*made));
    made->sched = pools[domains[domid].pool].scheduler;
    made->weight = domid ? 65535 : 256;
    made->cap = domid ? 150 : 0;
    made->period = 10000;
    made->budget = 4000;
    made->extratime = 1;
    return 0;
}

int libxl_vcpu_sched_params_get_all(libxl_ctx *ctx, uint32_t domid, libxl_vcpu_sched_params *made)
{
    made->sched = LIBXL_SCHEDULER_RTDS;
    made->num_vcpus = 2;
    made->vcpus = calloc(2, sizeof(*made->vcpus));
    made->vcpus[0] = (libxl_sched_params){.vcpuid = 0, .period = 10000, .budget = 4000, .extratime = 1};
    made->vcpus[1] = (libxl_sched_params){.vcpuid = 1, .period = 4294967, .budget = 500, .extratime = 0};
    return 0;
}

int libxl_vcpu_sched_params_get(libxl_ctx *ctx, uint32_t domid, libxl_vcpu_sched_params *made)
{
    int wanted = made->vcpus[0].vcpuid;

    libxl_vcpu_sched_params_get_all(ctx, domid, made);
    made->vcpus[0] = made->vcpus[wanted];
    made->num_vcpus = 1;
    return 0;
}

int libxl_sched_credit_params_get(libxl_ctx *ctx, uint32_t pool, libxl_sched_credit_params *made)
{
    if (pools[pool].scheduler != LIBXL_SCHEDULER_CREDIT)
        return ERROR_FAIL;
    *made = (libxl_sched_credit_params){.tslice_ms = 30, .ratelimit_us = 1000, .vcpu_migr_delay_us = 0};
    return 0;
}

int libxl_sched_credit2_params_get(libxl_ctx *ctx, uint32_t pool, libxl_sched_credit2_params *made)
{
    if (pools[pool].scheduler != LIBXL_SCHEDULER_CREDIT2)
        return ERROR_FAIL;
    made->ratelimit_us = 1000;
    return 0;
}

libxl_cputopology *libxl_get_cpu_topology(libxl_ctx *ctx, int *count)
{
    libxl_cputopology *made = calloc(CPUS, sizeof(*made));

    *count = CPUS;
    for (int cpu = 0; cpu < CPUS; cpu++) {
        made[cpu].core = cpu == 3 ? LIBXL_CPUTOPOLOGY_INVALID_ENTRY : (uint32_t)(cpu % 2);
        made[cpu].socket = made[cpu].node = cpu == 3 ? LIBXL_CPUTOPOLOGY_INVALID_ENTRY : (uint32_t)(cpu / 2);
    }
    return made;
}

libxl_pcitopology *libxl_get_pci_topology(libxl_ctx *ctx, int *count)
{
    libxl_pcitopology *made = calloc(2, sizeof(*made));

    *count = getenv("NO_DEVICES") ? 0 : 2;
    made[0] = (libxl_pcitopology){.seg = 1, .bus = 3, .devfn = 0x1f << 3 | 2, .node = 1};
    made[1].node = LIBXL_PCITOPOLOGY_INVALID_ENTRY;
    return made;
}

libxl_numainfo *libxl_get_numainfo(libxl_ctx *ctx, int *count)
{
    libxl_numainfo *made = calloc(2, sizeof(*made));

    *count = 2;
    for (int node = 0; node < 2; node++) {
        made[node].size = (uint64_t)(node + 1) << 30;
        made[node].free = (uint64_t)(node + 3) << 20;
        made[node].num_dists = 2;
        made[node].dists = calloc(2, sizeof(uint32_t));
        made[node].dists[node] = 10;
        made[node].dists[1 - node] = 21;
    }
    return made;
}

int libxl_domain_get_nodeaffinity(libxl_ctx *ctx, uint32_t domid, libxl_bitmap *nodes)
{
    nodes->map[0] = domid == 1 ? 0x2 : 0x3;
    return 0;
}

int libxl_get_physinfo(libxl_ctx *ctx, libxl_physinfo *made)
{
    memset(made, 0, sizeof(*made));
    made->nr_cpus = CPUS;
    made->max_cpu_id = CPUS - 1;
    made->nr_nodes = 2;
    return 0;
}
