/* What libxenctrl and libxenguest have that Cython cannot say: a logger with a va_list, an inline function, and
   what is called otherwise in another release.  XEND_XEN is the release: 417 for 4.17. */

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
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

/* Up to 4.18 the parameter that is off unless it is set; later ones refuse it. */
static int xend_no_altp2m(xc_interface *xch, uint32_t domid)
{
#if XEND_XEN <= 418
    return xc_hvm_param_set(xch, domid, HVM_PARAM_ALTP2M, 0);
#else
    (void)xch, (void)domid;
    return 0;
#endif
}
