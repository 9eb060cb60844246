# cython: language_level=3
"""libxenctrl and libxenguest, as far as domains are built, dumped, saved and restored with them.

For the helper process alone (`xend.helper`).  Every method that the libraries refuse raises OSError: its errno, which
may be 0, as they left it, and the name of their function; `Handle.take_log` has what they logged, which says more.
Steps of a build out of their order raise ValueError, as do arguments that are out of range: the libraries would end
the process.  Nothing here may be called by two threads at once.
"""

cimport cython
from cpython.buffer cimport PyBUF_READ, PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc cimport errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from "_sum.h" nogil:
    ctypedef struct xend_sum:
        pass

cdef extern from "_passing.h" nogil:
    int xend_passing_fd
    xend_sum xend_passing

cdef extern from "_guest.h" nogil:
    enum: XEND_XEN
    enum: XEND_LINES
    enum: E820MAX
    enum: MAX_ACPI_MODULES
    enum: XEN_DOMINF_dying
    enum: XEN_DOMINF_hvm_guest
    enum: XEN_DOMCTL_PFINFO_LTAB_MASK
    enum: XEN_DOMCTL_PFINFO_XTAB
    enum: XEN_DOMCTL_PFINFO_BROKEN
    enum: XC_PAGE_SIZE
    enum: PROT_READ
    enum: XENVER_capabilities
    enum: XC_DOM_PV_CONTAINER
    enum: XC_DOM_HVM_CONTAINER

    enum: XEND_LEAVES
    enum: XEND_REGISTERS

    ctypedef struct xend_policy:
        pass

    ctypedef struct xc_interface:
        pass
    ctypedef char xen_capabilities_info_t[1024]
    struct xend_log:
        unsigned int count
        int levels[128]
        char lines[128][256]
    struct e820entry:
        uint64_t addr
        uint64_t size
        uint32_t type
    ctypedef struct xc_domaininfo_t:
        uint32_t domain
        uint32_t flags
        uint32_t max_vcpu_id
        uint64_t tot_pages
        uint64_t shared_info_frame
    ctypedef uint64_t xen_pfn_t
    ctypedef union vcpu_guest_context_any_t:
        pass
    ctypedef struct xend_version:
        pass
    struct xc_hvm_firmware_module:
        uint8_t *data
        uint32_t length
        uint64_t guest_addr_out
    struct xc_dom_image:
        int container_type
        unsigned int console_evtchn
        unsigned int xenstore_evtchn
        uint32_t console_domid
        uint32_t xenstore_domid
        int claim_enabled
        unsigned int max_vcpus
        bint device_model
        uint64_t total_pages
        uint64_t target_pages
        uint64_t mmio_start
        uint64_t mmio_size
        uint64_t lowmem_end
        uint64_t highmem_end
        uint64_t vga_hole_size
        uint64_t console_pfn
        uint64_t xenstore_pfn
        xc_hvm_firmware_module system_firmware_module
        xc_hvm_firmware_module acpi_modules[4]
        xc_hvm_firmware_module smbios_module
        e820entry *e820
        unsigned int e820_entries

    xc_interface *xend_open(xend_log *log)
    int xend_set_paging_pool(xc_interface *xch, uint32_t domid, uint64_t size)
    int xend_set_altp2m(xc_interface *xch, uint32_t domid, uint64_t mode)

    int xc_interface_close(xc_interface *xch)
    int xc_version(xc_interface *xch, int command, void *answer)
    int xc_domain_getinfolist(xc_interface *xch, uint32_t first, unsigned int room, xc_domaininfo_t *found)
    int xc_domain_claim_pages(xc_interface *xch, uint32_t domid, unsigned long pages)
    int xc_evtchn_alloc_unbound(xc_interface *xch, uint32_t domid, uint32_t remote)
    int xc_domain_set_memmap_limit(xc_interface *xch, uint32_t domid, unsigned long kib)
    int xc_domain_set_memory_map(xc_interface *xch, uint32_t domid, e820entry *entries, uint32_t count)
    int xc_get_machine_memory_map(xc_interface *xch, e820entry *entries, uint32_t room)
    int xc_hvm_param_set(xc_interface *xch, uint32_t domid, uint32_t parameter, uint64_t value)
    void xend_clear(xend_policy *policy)
    void xend_set_leaf(xend_policy *policy, unsigned int index, uint32_t leaf, uint32_t subleaf)
    void xend_set_bits(xend_policy *policy, unsigned int index, unsigned int register, const char *bits)
    void xend_set_register(xend_policy *policy, unsigned int index, uint32_t register, const char *bits)
    int xend_apply_policy(xc_interface *xch, uint32_t domid, bint pae, bint itsc, bint nested, xend_policy *policy)
    int xc_domain_dumpcore_via_callback(xc_interface *xch, uint32_t domid, void *argument,
                                        int (*write)(xc_interface *, void *, char *, unsigned int) noexcept nogil)
    int xc_domain_nr_gpfns(xc_interface *xch, uint32_t domid, xen_pfn_t *end)
    int xc_vcpu_getcontext(xc_interface *xch, uint32_t domid, uint32_t vcpu, vcpu_guest_context_any_t *context)
    int xc_get_pfn_type_batch(xc_interface *xch, uint32_t domid, unsigned int count, xen_pfn_t *frames)
    int xend_get_version(xc_interface *xch, xend_version *found)
    int xend_read_frames(xc_interface *xch, uint32_t domid, const xen_pfn_t *frames, unsigned int count, int *errors,
                         char *target)
    int xend_write_frame(xc_interface *xch, uint32_t domid, xen_pfn_t frame, unsigned int at, const char *data,
                         unsigned int size)

    int xend_save(xc_interface *xch, uint32_t domid, int fd, int (*suspend)(void *) noexcept nogil, void *argument)
    int xend_restore(xc_interface *xch, uint32_t domid, int fd, unsigned int store_port, unsigned int console_port,
                     unsigned long *store_gfn, unsigned long *console_gfn)
    int xc_domain_resume(xc_interface *xch, uint32_t domid, int fast)

    xc_dom_image *xc_dom_allocate(xc_interface *xch, const char *command_line, const char *features)
    void xc_dom_release(xc_dom_image *dom)
    int xc_dom_kernel_max_size(xc_dom_image *dom, size_t size)
    int xc_dom_module_max_size(xc_dom_image *dom, size_t size)
    int xc_dom_kernel_mem(xc_dom_image *dom, const void *memory, size_t size)
    int xc_dom_module_mem(xc_dom_image *dom, const void *memory, size_t size, const char *command_line)
    int xc_dom_boot_xen_init(xc_dom_image *dom, xc_interface *xch, uint32_t domid)
    int xc_dom_parse_image(xc_dom_image *dom)
    char *xc_dom_guest_os(xc_dom_image *dom)
    bint xc_dom_feature_get(xc_dom_image *dom, unsigned int number)
    int xc_dom_mem_init(xc_dom_image *dom, unsigned int mib)
    int xc_dom_boot_mem_init(xc_dom_image *dom)
    int xc_dom_build_image(xc_dom_image *dom)
    int xc_dom_boot_image(xc_dom_image *dom)
    int xc_dom_gnttab_init(xc_dom_image *dom)
    uint64_t xc_dom_p2m(xc_dom_image *dom, uint64_t pfn)

#: The release of Xen whose libraries this was compiled for.
RELEASE = f"{XEND_XEN // 100}.{XEND_XEN % 100}"

cdef uint64_t FOUR_GIB = 0x100000000
#: Domids are below this one (DOMID_FIRST_RESERVED, xen/include/public/xen.h).
cdef uint32_t DOMID_END = 0x7FF0
#: How many pages a domain may have at most: 16 TiB.
cdef uint64_t PAGES_MAX = 0x100000000
#: How many vCPUs: more than any domain of Xen's.
cdef uint32_t VCPUS_MAX = 8192
#: How many frames Xen looks at in one call (XEN_DOMCTL_getpageframeinfo3).
cdef enum:
    FRAMES_AT_ONCE = 1024
#: The same, for those who look.
FRAMES = FRAMES_AT_ONCE


cdef int done(long result, int number, str name) except -1:
    if result < 0:
        raise OSError(number, name)
    return 0


cdef uint32_t valid_domid(object domid) except? 0:
    if not 0 < domid < DOMID_END:
        raise ValueError(f"{domid} is no domain that can be built or dumped")
    return domid


cdef uint32_t fill(e820entry *entries, object rows, uint32_t room) except? 0:
    if not 0 < len(rows) <= room:
        raise ValueError(f"a memory map has 1 to {room} entries, not {len(rows)}")
    for place, (start, size, kind) in enumerate(rows):
        entries[place].addr, entries[place].size, entries[place].type = start, size, kind
    return len(rows)


cdef class Handle:
    """The hypervisor, as libxenctrl opens it.

    Raises:
        OSError: there is none, or it is not ours to use.
    """

    cdef xc_interface *xch
    cdef xend_log log

    def __cinit__(self):
        cdef int number
        with nogil:
            self.xch = xend_open(&self.log)
            number = errno.errno
        if self.xch == NULL:
            raise OSError(number, "xc_interface_open")

    def __dealloc__(self):
        if self.xch != NULL:
            xc_interface_close(self.xch)

    def take_log(self):
        """What the libraries logged since the last call, oldest first, as (level, bytes); the last lines of it.

        Levels are those of xentoollog.h: 3 is a detail, 8 an error."""
        cdef unsigned int count = self.log.count
        first = count - XEND_LINES if count > XEND_LINES else 0
        self.log.count = 0
        return [(self.log.levels[n % XEND_LINES], <bytes>(<char *>self.log.lines[n % XEND_LINES]))
                for n in range(first, count)]

    def capabilities(self):
        """The kinds of guests that the host runs, as bytes with blanks between them."""
        cdef xen_capabilities_info_t text
        cdef int result, number
        memset(text, 0, sizeof(text))
        with nogil:
            result = xc_version(self.xch, XENVER_capabilities, text)
            number = errno.errno
        done(result, number, "xc_version")
        text[sizeof(text) - 1] = 0
        return <bytes>(<char *>text)

    def domain(self, domid):
        """(whether it is fully virtualised, pages that it has) of a domain; None: there is none, or it is dying."""
        cdef xc_domaininfo_t found
        if not self.find(domid, &found) or found.flags & XEN_DOMINF_dying:
            return None
        return bool(found.flags & XEN_DOMINF_hvm_guest), found.tot_pages

    cdef bint find(self, domid, xc_domaininfo_t *found) except -1:
        cdef uint32_t which = valid_domid(domid)
        cdef int result, number
        with nogil:
            result = xc_domain_getinfolist(self.xch, which, 1, found)
            number = errno.errno
        done(result, number, "xc_domain_getinfolist")
        return result != 0 and found.domain == which

    def claim(self, domid, unsigned long pages):
        """Set pages aside for it, in place of those that were set aside before."""
        cdef uint32_t which = valid_domid(domid)
        cdef int result, number
        with nogil:
            result = xc_domain_claim_pages(self.xch, which, pages)
            number = errno.errno
        done(result, number, "xc_domain_claim_pages")

    def event_channel(self, domid, uint32_t remote):
        """A new port of it, for another domain to bind."""
        cdef uint32_t which = valid_domid(domid)
        cdef int result, number
        with nogil:
            result = xc_evtchn_alloc_unbound(self.xch, which, remote)
            number = errno.errno
        done(result, number, "xc_evtchn_alloc_unbound")
        return result

    def set_memory_map_limit(self, domid, unsigned long kib):
        """How much memory its memory map says it has (pv)."""
        cdef uint32_t which = valid_domid(domid)
        cdef int result, number
        with nogil:
            result = xc_domain_set_memmap_limit(self.xch, which, kib)
            number = errno.errno
        done(result, number, "xc_domain_set_memmap_limit")

    def machine_memory_map(self):
        """The host's memory map: (start, size, type) in bytes."""
        cdef e820entry entries[E820MAX]
        cdef int result, number
        with nogil:
            result = xc_get_machine_memory_map(self.xch, entries, E820MAX)
            number = errno.errno
        done(result, number, "xc_get_machine_memory_map")
        return [(entries[n].addr, entries[n].size, entries[n].type) for n in range(result)]

    def set_memory_map(self, domid, rows):
        """The domain's: (start, size, type) in bytes."""
        cdef uint32_t which = valid_domid(domid)
        cdef e820entry entries[E820MAX]
        cdef uint32_t count = fill(entries, rows, E820MAX)
        cdef int result, number
        with nogil:
            result = xc_domain_set_memory_map(self.xch, which, entries, count)
            number = errno.errno
        done(result, number, "xc_domain_set_memory_map")

    def set_parameter(self, domid, uint32_t parameter, uint64_t value):
        """One of HVM_PARAM_* (xen/include/public/hvm/params.h)."""
        cdef uint32_t which = valid_domid(domid)
        cdef int result, number
        with nogil:
            result = xc_hvm_param_set(self.xch, which, parameter, value)
            number = errno.errno
        done(result, number, "xc_hvm_param_set")

    def write(self, domid, uint64_t frame, unsigned int at, bytes data not None):
        """Put bytes into a frame of its memory, from a place on."""
        cdef uint32_t which = valid_domid(domid)
        cdef const char *source = data
        cdef unsigned int size = len(data)
        cdef int result, number
        if frame >= PAGES_MAX or at > XC_PAGE_SIZE or size > XC_PAGE_SIZE - at:
            raise ValueError("no such place")
        with nogil:
            result = xend_write_frame(self.xch, which, frame, at, source, size)
            number = errno.errno
        done(result, number, "xc_map_foreign_range")

    def set_altp2m(self, domid, uint64_t mode):
        """HVM_PARAM_ALTP2M, in releases that have it."""
        cdef uint32_t which = valid_domid(domid)
        cdef int result, number
        with nogil:
            result = xend_set_altp2m(self.xch, which, mode)
            number = errno.errno
        done(result, number, "xc_hvm_param_set")

    def set_paging_pool(self, domid, uint64_t size):
        """Bytes of the host's memory for its page tables."""
        cdef uint32_t which = valid_domid(domid)
        cdef int result, number
        with nogil:
            result = xend_set_paging_pool(self.xch, which, size)
            number = errno.errno
        done(result, number, "xc_set_paging_mempool_size")

    def apply_cpuid_policy(self, domid, bint has_pae, bint has_invariant_tsc, bint has_nested_virt, list leaves,
                           list registers):
        """What it sees of the processor: what Xen gives by itself, but for these.

        leaves: each (leaf, subleaf, four texts of 32 bits, or empty ones); registers: (number, 64 bits).
        """
        cdef uint32_t which = valid_domid(domid)
        cdef int result, number
        cdef xend_policy policy
        cdef Py_ssize_t index, at
        cdef bytes bits
        if len(leaves) > XEND_LEAVES or len(registers) > XEND_REGISTERS:
            raise ValueError(f"at most {XEND_LEAVES} leaves and {XEND_REGISTERS} registers")
        xend_clear(&policy)
        for index, (leaf, subleaf, texts) in enumerate(leaves):
            xend_set_leaf(&policy, <unsigned int>index, leaf, subleaf)
            for at in range(4):
                bits = texts[at]
                if bits and len(bits) != 32:
                    raise ValueError("32 bits a register")
                if bits:
                    xend_set_bits(&policy, <unsigned int>index, <unsigned int>at, bits)
        for index, (register, bits) in enumerate(registers):
            if len(bits) != 64:
                raise ValueError("64 bits a register")
            xend_set_register(&policy, <unsigned int>index, register, bits)
        with nogil:
            result = xend_apply_policy(self.xch, which, has_pae, has_invariant_tsc, has_nested_virt, &policy)
            number = -result if result < -1 else errno.errno
        done(result, number, "xc_cpuid_apply_policy")

    def version(self):
        """What a core says of the Xen that it was made under, as bytes."""
        cdef xend_version found
        cdef int result, number
        with nogil:
            result = xend_get_version(self.xch, &found)
            number = errno.errno
        done(result, number, "xc_version")
        return PyBytes_FromStringAndSize(<char *>&found, sizeof(found))

    def contexts(self, domid):
        """The registers of its vCPUs that were started, as a list of bytes."""
        cdef uint32_t which = valid_domid(domid)
        cdef vcpu_guest_context_any_t context
        cdef xc_domaininfo_t found
        cdef uint32_t vcpu
        cdef int result
        if not self.find(domid, &found):
            return []
        contexts = []
        for vcpu in range(min(found.max_vcpu_id, VCPUS_MAX - 1) + 1):
            memset(&context, 0, sizeof(context))
            with nogil:
                result = xc_vcpu_getcontext(self.xch, which, vcpu, &context)
            if result == 0:
                contexts.append(PyBytes_FromStringAndSize(<char *>&context, sizeof(context)))
        return contexts

    def shared_info(self, domid):
        """The page that it shares with Xen; None: it has none among its frames, as is so before it asks for it."""
        cdef xc_domaininfo_t found
        if not self.find(domid, &found):
            return None
        data, missing = self.read(domid, [found.shared_info_frame])
        return None if missing else data

    def frames_end(self, domid):
        """A number above those of all of its frames, which it chooses itself unless it is paravirtual."""
        cdef uint32_t which = valid_domid(domid)
        cdef xen_pfn_t end = 0
        cdef int result, number
        with nogil:
            result = xc_domain_nr_gpfns(self.xch, which, &end)
            number = errno.errno
        done(result, number, "xc_domain_nr_gpfns")
        return end

    def present(self, domid, uint64_t first, unsigned int count):
        """Which of `count` frames from the first one on are pages of its memory, as a list of their numbers.

        A page that it has been promised and has not used becomes one.  At most FRAMES at once."""
        cdef uint32_t which = valid_domid(domid)
        cdef xen_pfn_t kinds[FRAMES_AT_ONCE]
        cdef xen_pfn_t kind
        cdef unsigned int place
        cdef int result, number
        if not 0 < count <= FRAMES_AT_ONCE:
            raise ValueError(f"1 to {FRAMES_AT_ONCE} frames at once")
        for place in range(count):
            kinds[place] = first + place
        with nogil:
            result = xc_get_pfn_type_batch(self.xch, which, count, kinds)
            number = errno.errno
        done(result, number, "xc_get_pfn_type_batch")
        found = []
        for place in range(count):
            kind = kinds[place] & XEN_DOMCTL_PFINFO_LTAB_MASK
            if kind != XEN_DOMCTL_PFINFO_XTAB and kind != XEN_DOMCTL_PFINFO_BROKEN:
                found.append(first + place)
        return found

    def read(self, domid, frames):
        """(Its pages at frames, as bytes; the places of those, if any, that are zeros as there is no page).

        At most FRAMES at once."""
        cdef uint32_t which = valid_domid(domid)
        cdef xen_pfn_t wanted[FRAMES_AT_ONCE]
        cdef int errors[FRAMES_AT_ONCE]
        cdef unsigned int count = len(frames), place
        cdef bytes data
        cdef char *target
        cdef int result, number
        if not 0 < count <= FRAMES_AT_ONCE:
            raise ValueError(f"1 to {FRAMES_AT_ONCE} frames at once")
        for place in range(count):
            wanted[place] = frames[place]
        data = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>count * XC_PAGE_SIZE)
        target = PyBytes_AS_STRING(data)
        with nogil:
            result = xend_read_frames(self.xch, which, wanted, count, errors, target)
            number = errno.errno
        done(result, number, "xc_map_foreign_bulk")
        return data, [place for place in range(count) if errors[place]]

    def dump_core(self, domid, write):
        """Call `write` with the domain's core, piece by piece; each is a memoryview until it returns.

        Raises:
            OSError: of the libraries; anything that `write` raises.
        """
        cdef uint32_t which = valid_domid(domid)
        cdef Dump dump = Dump(write)
        cdef int result
        with nogil:
            result = xc_domain_dumpcore_via_callback(self.xch, which, <void *>dump, pass_on)
        if dump.fault is not None:
            raise dump.fault
        done(result, -result, "xc_domain_dumpcore_via_callback")

    def save(self, domid, int fd, suspend, bytes sum):
        """Write the stream of its memory and vCPUs to a descriptor; `suspend` is called once, and returns when the
        domain is suspended.  Takes long.

        Returns the state of the checksum that goes on from `sum` (`xend._sum`) with what was written.

        Raises:
            OSError: of the libraries; anything that `suspend` raises.
        """
        cdef uint32_t which = valid_domid(domid)
        cdef Suspend asked = Suspend(suspend)
        cdef int result, number
        begin_to_pass(fd, sum)
        with nogil:
            errno.errno = 0
            result = xend_save(self.xch, which, fd, ask_for_suspend, <void *>asked)
            number = errno.errno
        sum = passed()
        if asked.fault is not None:
            raise asked.fault
        done(result if result <= 0 else -1, number, "xc_domain_save")
        return sum

    def restore(self, domid, int fd, unsigned int store_port, unsigned int console_port, bytes sum):
        """Give it the memory and vCPUs of the stream at a descriptor's place; (frame of the store's page, of the
        console's, the state of the checksum that goes on from `sum`).  Takes long."""
        cdef uint32_t which = valid_domid(domid)
        cdef unsigned long store = 0
        cdef unsigned long console = 0
        cdef int result, number
        begin_to_pass(fd, sum)
        with nogil:
            errno.errno = 0
            result = xend_restore(self.xch, which, fd, store_port, console_port, &store, &console)
            number = errno.errno
        sum = passed()
        done(result if result <= 0 else -1, number, "xc_domain_restore")
        return store, console, sum

    def resume(self, domid, bint is_cooperative):
        """Let it go on in place, which was suspended."""
        cdef uint32_t which = valid_domid(domid)
        cdef int result, number
        with nogil:
            result = xc_domain_resume(self.xch, which, is_cooperative)
            number = errno.errno
        done(result, number, "xc_domain_resume")


cdef int begin_to_pass(int fd, bytes state) except -1:
    global xend_passing_fd
    if len(state) != sizeof(xend_sum):
        raise ValueError(f"the state of a checksum has {len(state)} bytes, expected {sizeof(xend_sum)}")
    memcpy(&xend_passing, PyBytes_AS_STRING(state), sizeof(xend_sum))
    xend_passing_fd = fd
    return 0


cdef bytes passed():
    global xend_passing_fd
    xend_passing_fd = -1
    return PyBytes_FromStringAndSize(<char *>&xend_passing, sizeof(xend_sum))


cdef class Suspend:
    cdef object ask
    cdef object fault

    def __cinit__(self, ask):
        self.ask = ask


cdef int ask_for_suspend(void *argument) noexcept nogil:
    with gil:
        return ask_for_suspend_held(<Suspend>argument)


cdef int ask_for_suspend_held(Suspend asked) noexcept:
    try:
        asked.ask()
    except BaseException as fault:
        asked.fault = fault
        return 0
    return 1


cdef class Dump:
    cdef object write
    cdef object fault

    def __cinit__(self, write):
        self.write = write


cdef int pass_on(xc_interface *xch, void *argument, char *buffer, unsigned int length) noexcept nogil:
    with gil:
        return pass_on_held(<Dump>argument, buffer, length)


cdef int pass_on_held(Dump dump, char *buffer, unsigned int length) noexcept:
    if length == 0:
        return 0
    try:
        dump.write(PyMemoryView_FromMemory(buffer, length, PyBUF_READ))
    except BaseException as fault:
        dump.fault = fault
        return -5  # EIO, which nobody sees: the fault is raised
    return 0


#: The steps of a build, each after the one before.
cdef enum Stage:
    ALLOCATED
    HAS_KERNEL
    PARSED
    SIZED
    POPULATED
    LOADED
    BOOTED


#: Of each piece of firmware, in bytes.
cdef Py_ssize_t FIRMWARE_MAX = 64 << 20
#: What a machine's graphics card has of the first MiB, in pages.
cdef uint64_t VGA_HOLE_PAGES = 0x20


cdef int keep(xc_hvm_firmware_module *module, bytes data) except -1:
    if data:
        module.data = <uint8_t *><char *>data
        module.length = <uint32_t>len(data)
    return 0


cdef void drop(xc_dom_image **place) noexcept:
    cdef xc_dom_image *dom = place[0]
    place[0] = NULL
    if dom != NULL:
        with nogil:
            xc_dom_release(dom)


@cython.no_gc_clear  # the handle must outlive it
cdef class Image:
    """A domain's image as libxenguest builds it (xc_dom_image).

    Args:
        command_line: without null bytes.
        is_hvm: it is not paravirtual.
        unpacked_max: how many bytes kernel and ramdisk may unpack to, each.
    """

    cdef Handle handle
    cdef xc_dom_image *dom
    cdef int stage
    cdef bint is_hvm
    cdef uint32_t domid
    cdef Py_buffer kernel
    cdef Py_buffer ramdisk
    cdef list kept
    cdef e820entry entries[E820MAX]

    def __cinit__(self, Handle handle not None, domid, bytes command_line not None, bint is_hvm, size_t unpacked_max):
        cdef const char *text = command_line
        cdef int result, number
        if b"\0" in command_line:
            raise ValueError("a command line has no null bytes")
        self.handle, self.domid, self.is_hvm, self.kept = handle, valid_domid(domid), is_hvm, []
        with nogil:
            self.dom = xc_dom_allocate(handle.xch, text, NULL)
            number = errno.errno
        if self.dom == NULL:
            raise OSError(number, "xc_dom_allocate")
        self.dom.container_type = XC_DOM_HVM_CONTAINER if is_hvm else XC_DOM_PV_CONTAINER
        xc_dom_kernel_max_size(self.dom, unpacked_max)
        xc_dom_module_max_size(self.dom, unpacked_max)
        with nogil:
            result = xc_dom_boot_xen_init(self.dom, handle.xch, self.domid)
            number = errno.errno
        done(result, number, "xc_dom_boot_xen_init")

    def __dealloc__(self):
        drop(&self.dom)
        PyBuffer_Release(&self.kernel)
        PyBuffer_Release(&self.ramdisk)

    def close(self):
        """Nothing of it is left in this process; harmless when called again."""
        drop(&self.dom)

    cdef int expect(self, int stage) except -1:
        if self.dom == NULL or self.stage != stage:
            raise ValueError("a step of a build out of its order")
        return 0

    def set_kernel(self, kernel):
        """Its kernel, a buffer, which is unpacked if gzip made it; kept until the end, as is the ramdisk."""
        cdef int result, number
        self.expect(Stage.ALLOCATED)
        if self.kernel.buf != NULL or not len(kernel):
            raise ValueError("an empty kernel, or another one")
        PyObject_GetBuffer(kernel, &self.kernel, PyBUF_SIMPLE)
        with nogil:
            errno.errno = 0
            result = xc_dom_kernel_mem(self.dom, self.kernel.buf, self.kernel.len)
            number = errno.errno
        done(result, number, "xc_dom_kernel_mem")
        self.stage = Stage.HAS_KERNEL

    def set_ramdisk(self, ramdisk):
        """Its ramdisk, a buffer, once, after the kernel."""
        cdef int result, number
        self.expect(Stage.HAS_KERNEL)
        if self.ramdisk.buf != NULL or not len(ramdisk):
            raise ValueError("an empty ramdisk, or another one")
        PyObject_GetBuffer(ramdisk, &self.ramdisk, PyBUF_SIMPLE)
        with nogil:
            result = xc_dom_module_mem(self.dom, self.ramdisk.buf, self.ramdisk.len, NULL)
            number = errno.errno
        done(result, number, "xc_dom_module_mem")

    def parse(self):
        """Unpack the kernel and find out what it is.  Takes long."""
        cdef int result, number
        self.expect(Stage.HAS_KERNEL)
        with nogil:
            errno.errno = 0
            result = xc_dom_parse_image(self.dom)
            number = errno.errno
        done(result, number, "xc_dom_parse_image")
        self.stage = Stage.PARSED

    def guest_os(self):
        """The name of the system, by the kernel; may be empty."""
        if self.dom == NULL or self.stage < Stage.PARSED:
            raise ValueError("a step of a build out of its order")
        return <bytes>xc_dom_guest_os(self.dom)

    def has_feature(self, unsigned int number):
        """Whether the kernel has a feature (xen/include/public/features.h)."""
        if self.dom == NULL or self.stage < Stage.PARSED or number > 31:
            raise ValueError("a step of a build out of its order, or no feature")
        return bool(xc_dom_feature_get(self.dom, number))

    def set_ports(self, unsigned int store, unsigned int console, unsigned int max_vcpus):
        """Its event channels, both of them dom0's other end, and how many vCPUs it has."""
        self.expect(Stage.PARSED)
        if not 0 < max_vcpus <= VCPUS_MAX:
            raise ValueError(f"{max_vcpus} is no number of vCPUs")
        self.dom.xenstore_evtchn, self.dom.console_evtchn, self.dom.max_vcpus = store, console, max_vcpus
        self.dom.xenstore_domid = self.dom.console_domid = 0
        self.dom.claim_enabled = 0

    def set_memory(self, uint64_t pages, uint64_t max_pages, uint64_t mmio_start, bint has_machine):
        """How many pages it has, now and at most; the rest of what is not paravirtual is populated on demand, and
        has a hole from `mmio_start`, an address, up to 4 GiB.  has_machine: a device model plays its devices."""
        cdef int result, number
        cdef uint64_t size = max_pages << 12
        self.expect(Stage.PARSED)
        if not 0 < pages <= max_pages <= PAGES_MAX or not 0x100000 <= mmio_start < FOUR_GIB:
            raise ValueError("no such memory")
        if self.dom.max_vcpus == 0:
            raise ValueError("ports and vCPUs come first")
        if self.is_hvm:
            self.dom.device_model = has_machine
            self.dom.target_pages = pages
            self.dom.mmio_start, self.dom.mmio_size = mmio_start, FOUR_GIB - mmio_start
            self.dom.lowmem_end = min(size, mmio_start)
            self.dom.highmem_end = 0 if size <= mmio_start else FOUR_GIB + size - mmio_start
            self.dom.vga_hole_size = VGA_HOLE_PAGES if has_machine else 0
        with nogil:
            result = xc_dom_mem_init(self.dom, 1)
            number = errno.errno
        done(result, number, "xc_dom_mem_init")
        self.dom.total_pages = max_pages if self.is_hvm else pages  # to the page; the call knows only MiB
        self.stage = Stage.SIZED

    def populate(self):
        """Take its memory from the host.  Takes long."""
        cdef int result, number
        self.expect(Stage.SIZED)
        with nogil:
            errno.errno = 0
            result = xc_dom_boot_mem_init(self.dom)
            number = errno.errno
        done(result if result <= 0 else -1, number, "xc_dom_boot_mem_init")
        self.stage = Stage.POPULATED

    def memory_ends(self):
        """(end of its memory below 4 GiB, end of that above or 0), addresses."""
        self.expect(Stage.POPULATED)
        return self.dom.lowmem_end, self.dom.highmem_end

    def add_acpi(self, bytes data not None, uint64_t address):
        """Put tables at an address of its memory: the root pointer first."""
        self.expect(Stage.POPULATED)
        place = len(self.kept)
        if not self.is_hvm or not 0 < len(data) <= 0x100000 or place == MAX_ACPI_MODULES or address >= FOUR_GIB:
            raise ValueError("no such tables")
        self.kept.append(data)
        self.dom.acpi_modules[place].data = <uint8_t *><char *>data
        self.dom.acpi_modules[place].length = len(data)
        self.dom.acpi_modules[place].guest_addr_out = address

    def set_firmware(self, firmware, acpi, smbios):
        """What hvmloader finds beside itself, buffers or None: BIOS or UEFI, further tables of both kinds."""
        self.expect(Stage.HAS_KERNEL)
        if not self.is_hvm or self.kept:
            raise ValueError("firmware is of a whole machine, and is set once")
        for data in (firmware, acpi, smbios):
            data = b"" if data is None else bytes(data)
            if len(data) > FIRMWARE_MAX:
                raise ValueError("no such firmware")
            self.kept.append(data)
        keep(&self.dom.system_firmware_module, self.kept[0])
        keep(&self.dom.acpi_modules[0], self.kept[1])
        keep(&self.dom.smbios_module, self.kept[2])

    def tables(self):
        """(address, size) of its further ACPI tables, of its further SMBIOS tables; size 0: none."""
        self.expect(Stage.BOOTED)
        return ((self.dom.acpi_modules[0].guest_addr_out, self.dom.acpi_modules[0].length),
                (self.dom.smbios_module.guest_addr_out, self.dom.smbios_module.length))

    def set_memory_map(self, rows):
        """(start, size, type) of its memory, in bytes, for what it is started with."""
        self.expect(Stage.POPULATED)
        self.dom.e820_entries = fill(self.entries, rows, E820MAX)
        self.dom.e820 = self.entries

    def load(self):
        """Put kernel and ramdisk into its memory."""
        cdef int result, number
        self.expect(Stage.POPULATED)
        if self.is_hvm and self.dom.e820 == NULL:
            raise ValueError("a memory map comes first")
        with nogil:
            errno.errno = 0
            result = xc_dom_build_image(self.dom)
            number = errno.errno
        done(result if result <= 0 else -1, number, "xc_dom_build_image")
        self.stage = Stage.LOADED

    def boot(self):
        """Make the first vCPU ready to start it."""
        cdef int result, number
        self.expect(Stage.LOADED)
        with nogil:
            errno.errno = 0
            result = xc_dom_boot_image(self.dom)
            number = errno.errno
        done(result if result <= 0 else -1, number, "xc_dom_boot_image")
        self.stage = Stage.BOOTED

    def seed_grants(self):
        """Let dom0 map its store and console pages by grants 0 and 1."""
        cdef int result, number
        self.expect(Stage.BOOTED)
        with nogil:
            errno.errno = 0
            result = xc_dom_gnttab_init(self.dom)
            number = errno.errno
        done(result if result <= 0 else -1, number, "xc_dom_gnttab_init")

    def rings(self):
        """(frame of the store's page, of the console's)."""
        self.expect(Stage.BOOTED)
        return xc_dom_p2m(self.dom, self.dom.xenstore_pfn), xc_dom_p2m(self.dom, self.dom.console_pfn)
