/* What libxenctrl and libxenguest have that Cython cannot say: a logger with a va_list, an inline function, and
   what is called otherwise in another release.  XEND_XEN is the release: 417 for 4.17. */

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
/* Frames of a domain are mapped through libxenctrl, which has that under this name alone. */
#define XC_WANT_COMPAT_MAP_FOREIGN_API
#include <xenctrl.h>
#include <xenguest.h>
#include <xentoollog.h>
#include <xen/hvm/params.h>

#if XEND_XEN < 415 || XEND_XEN > 422
#error "this release of Xen is not known: 4.15 to 4.22 are"
#endif

/* The last lines that were logged. */
#define XEND_LINES 128
#define XEND_LINE_BYTES 256

struct xend_log {
    xentoollog_logger logger;  /* first, so that its address is that of the whole */
    unsigned int count;        /* of all that were logged */
    int levels[XEND_LINES];
    char lines[XEND_LINES][XEND_LINE_BYTES];
};

static void xend_log_message(xentoollog_logger *logger, xentoollog_level level, int number, const char *context,
                             const char *format, va_list arguments)
{
    struct xend_log *log = (struct xend_log *)logger;
    unsigned int place = log->count % XEND_LINES;

    (void)number;
    (void)context;
    if (level < XTL_DETAIL || level == XTL_PROGRESS)
        return;
    vsnprintf(log->lines[place], XEND_LINE_BYTES, format, arguments);
    log->levels[place] = level;
    log->count++;
}

static void xend_log_progress(xentoollog_logger *logger, const char *context, const char *what, int percent,
                              unsigned long done, unsigned long total)
{
    (void)logger, (void)context, (void)what, (void)percent, (void)done, (void)total;
}

static void xend_log_destroy(xentoollog_logger *logger)
{
    (void)logger;
}

/* NULL: errno says why.  Both loggers are ours: without the second libxenguest makes a file. */
static xc_interface *xend_open(struct xend_log *log)
{
    memset(log, 0, sizeof(*log));
    log->logger.vmessage = xend_log_message;
    log->logger.progress = xend_log_progress;
    log->logger.destroy = xend_log_destroy;
    return xc_interface_open(&log->logger, &log->logger, 0);
}

static int xend_set_paging_pool(xc_interface *xch, uint32_t domid, uint64_t bytes)
{
#if XEND_XEN >= 417
    return xc_set_paging_mempool_size(xch, domid, bytes);
#else
    unsigned long mib = (unsigned long)((bytes + (1 << 20) - 1) >> 20);
#if XEND_XEN == 416
    unsigned int given = (unsigned int)mib;
    return xc_shadow_control(xch, domid, XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION, &given, 0);
#else
    return xc_shadow_control(xch, domid, XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION, NULL, 0, &mib, 0, NULL);
#endif
#endif
}

/* Up to 4.18 the parameter that is off unless it is set; later ones refuse it, the domain was made so. */
static int xend_set_altp2m(xc_interface *xch, uint32_t domid, uint64_t mode)
{
#if XEND_XEN <= 418
    return xc_hvm_param_set(xch, domid, HVM_PARAM_ALTP2M, mode);
#else
    (void)xch, (void)domid, (void)mode;
    return 0;
#endif
}

/* What a domain's processor is otherwise: rows of CPUID, each register as 32 characters or NULL, and of model
   specific registers, 64 characters each; a row whose number is the end's ends them. */
#define XEND_LEAVES 64
#define XEND_REGISTERS 4

typedef struct {
    struct xc_xend_cpuid leaves[XEND_LEAVES + 1];
    char bits[XEND_LEAVES][4][33];
#ifdef XC_MSR_INPUT_UNUSED
    struct xc_msr registers[XEND_REGISTERS + 1];
#endif
    unsigned int leaf_count, register_count;
} xend_policy;

static void xend_clear(xend_policy *policy)
{
    memset(policy, 0, sizeof(*policy));
    policy->leaves[0].input[0] = XEN_CPUID_INPUT_UNUSED;
#ifdef XC_MSR_INPUT_UNUSED
    policy->registers[0].index = XC_MSR_INPUT_UNUSED;
#endif
}

/* Rows come in their order. */
static void xend_set_leaf(xend_policy *policy, unsigned int index, uint32_t leaf, uint32_t subleaf)
{
    policy->leaves[index].input[0] = leaf;
    policy->leaves[index].input[1] = subleaf;
    policy->leaves[index + 1].input[0] = XEN_CPUID_INPUT_UNUSED;
    policy->leaf_count = index + 1;
}

static void xend_set_bits(xend_policy *policy, unsigned int index, unsigned int at, const char *bits)
{
    memcpy(policy->bits[index][at], bits, 32);
    policy->leaves[index].policy[at] = policy->bits[index][at];
}

static void xend_set_register(xend_policy *policy, unsigned int index, uint32_t number, const char *bits)
{
#ifdef XC_MSR_INPUT_UNUSED
    policy->registers[index].index = number;
    memcpy(policy->registers[index].policy, bits, 64);
    policy->registers[index + 1].index = XC_MSR_INPUT_UNUSED;
#else
    (void)number, (void)bits;
#endif
    policy->register_count = index + 1;
}

static int xend_apply_policy(xc_interface *xch, uint32_t domid, int pae, int itsc, int nested, xend_policy *policy)
{
    const struct xc_xend_cpuid *leaves = policy->leaf_count ? policy->leaves : NULL;

#ifdef XC_MSR_INPUT_UNUSED
    return xc_cpuid_apply_policy(xch, domid, false, NULL, 0, pae, itsc, nested, leaves,
                                 policy->register_count ? policy->registers : NULL);
#else
    if (policy->register_count) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return xc_cpuid_apply_policy(xch, domid, false, NULL, 0, pae, itsc, nested, leaves);
#endif
}

/* libxenctrl's, for libxenguest, in no header: in place of each frame its type (XEN_DOMCTL_PFINFO_*). */
int xc_get_pfn_type_batch(xc_interface *xch, uint32_t domid, unsigned int count, xen_pfn_t *frames);

/* What a core says of the Xen it was made under (docs/misc/dump-core-format.txt, XEN_ELFNOTE_DUMPCORE_XEN_VERSION). */
typedef struct {
    uint64_t major_version, minor_version;
    xen_extraversion_t extra_version;
    xen_compile_info_t compile_info;
    xen_capabilities_info_t capabilities;
    xen_changeset_info_t changeset;
    xen_platform_parameters_t platform_parameters;
    uint64_t page_size;
} xend_version;

/* Negative: errno says why. */
static int xend_get_version(xc_interface *xch, xend_version *found)
{
    int number = xc_version(xch, XENVER_version, NULL), page_size = xc_version(xch, XENVER_pagesize, NULL);

    memset(found, 0, sizeof(*found));
    if (number < 0 || page_size < 0)
        return -1;
    found->major_version = (unsigned int)number >> 16;
    found->minor_version = (unsigned int)number & 0xffff;
    found->page_size = (unsigned int)page_size;
    if (xc_version(xch, XENVER_extraversion, &found->extra_version) < 0 ||
        xc_version(xch, XENVER_compile_info, &found->compile_info) < 0 ||
        xc_version(xch, XENVER_capabilities, &found->capabilities) < 0 ||
        xc_version(xch, XENVER_changeset, &found->changeset) < 0 ||
        xc_version(xch, XENVER_platform_parameters, &found->platform_parameters) < 0)
        return -1;
    return 0;
}

/* Copy `count` frames of a domain to `target`; one that cannot be mapped is zeros there, and its errno is in `errors`
   in place of 0.  Negative: errno says why nothing could be tried. */
static int xend_read_frames(xc_interface *xch, uint32_t domid, const xen_pfn_t *frames, unsigned int count,
                            int *errors, char *target)
{
    char *mapped = xc_map_foreign_bulk(xch, domid, PROT_READ, frames, errors, count);
    unsigned int place;

    if (mapped == NULL)
        return -1;
    for (place = 0; place < count; place++) {
        if (errors[place])
            memset(target + place * XC_PAGE_SIZE, 0, XC_PAGE_SIZE);
        else
            memcpy(target + place * XC_PAGE_SIZE, mapped + place * XC_PAGE_SIZE, XC_PAGE_SIZE);
    }
    munmap(mapped, (size_t)count * XC_PAGE_SIZE);
    return 0;
}

/* Write a part of a frame of a domain.  Negative: errno says why it cannot be. */
static int xend_write_frame(xc_interface *xch, uint32_t domid, xen_pfn_t frame, unsigned int at, const char *data,
                            unsigned int size)
{
    char *mapped = xc_map_foreign_range(xch, domid, XC_PAGE_SIZE, PROT_READ | PROT_WRITE, frame);

    if (mapped == NULL)
        return -1;
    memcpy(mapped + at, data, size);
    munmap(mapped, XC_PAGE_SIZE);
    return 0;
}

/* A suspended domain's memory and vCPUs; suspend: 1: it is suspended, 0: give up. */
static int xend_no_log_dirty(uint32_t domid, unsigned int enable, void *data)
{
    (void)domid, (void)enable, (void)data;
    return 0; /* what is saved stands still: its device model, if it has one, was stopped with it */
}

static int xend_save(xc_interface *xch, uint32_t domid, int fd, int (*suspend)(void *data), void *data)
{
    struct save_callbacks callbacks;

    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.suspend = suspend;
    callbacks.switch_qemu_logdirty = xend_no_log_dirty;
    callbacks.data = data;
    return xc_domain_save(xch, fd, domid, 0, &callbacks, XC_STREAM_PLAIN, -1);
}

typedef struct {
    xc_interface *xch;
    uint32_t domid;
} xend_restored;

/* A stream of before 4.14 does not say what its processor was like: as Xen gives it to a restored domain. */
static int xend_static_data_done(unsigned int missing, void *data)
{
    xend_restored *restored = data;

    if (!missing)
        return 0;
#ifdef XC_MSR_INPUT_UNUSED
    return xc_cpuid_apply_policy(restored->xch, restored->domid, true, NULL, 0, true, false, false, NULL, NULL);
#else
    return xc_cpuid_apply_policy(restored->xch, restored->domid, true, NULL, 0, true, false, false, NULL);
#endif
}

static int xend_restore(xc_interface *xch, uint32_t domid, int fd, unsigned int store_port,
                        unsigned int console_port, unsigned long *store_gfn, unsigned long *console_gfn)
{
    xend_restored restored = {xch, domid};
    struct restore_callbacks callbacks;

    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.static_data_done = xend_static_data_done;
    callbacks.data = &restored;
    return xc_domain_restore(xch, fd, domid, store_port, store_gfn, 0, console_port, console_gfn, 0,
                             XC_STREAM_PLAIN, &callbacks, -1
#if XEND_XEN >= 422
                             , 0
#endif
                             );
}
