# cython: language_level=3
"""Memory and the system: Python's small objects in huge pages, and what was freed given back.

A large store is looked at here and there: with pages of 4 KiB most of its cache misses are misses of the
address translation too.  Python asks for its arenas (1 MiB) one by one, and the kernel makes huge pages of
aligned memory only; so here they are cut from aligned blocks.
"""

from libc.stdint cimport uintptr_t

cdef extern from "<sys/mman.h>" nogil:
    """
    #ifndef MAP_ANONYMOUS
    #define MAP_ANONYMOUS MAP_ANON
    #endif
    #ifdef MADV_HUGEPAGE
    #define XEND_HUGEPAGE MADV_HUGEPAGE
    #else
    #define XEND_HUGEPAGE -1
    #endif
    """
    int PROT_READ
    int PROT_WRITE
    int MAP_PRIVATE
    int MAP_ANONYMOUS
    int HUGEPAGE "XEND_HUGEPAGE"
    void *MAP_FAILED
    void *mmap(void *where, size_t size, int protection, int flags, int fd, long offset)
    int munmap(void *where, size_t size)
    int madvise(void *where, size_t size, int advice)

cdef extern from *:
    """
    #include <stdlib.h>
    #ifdef __GLIBC__
    #include <malloc.h>
    #define xend_trim() malloc_trim(0)
    #else
    #define xend_trim() 0
    #endif
    """
    int xend_trim()

cdef extern from "Python.h":
    ctypedef struct PyObjectArenaAllocator:
        void *ctx
        void *(*alloc)(void *context, size_t size) noexcept
        void (*free)(void *context, void *arena, size_t size) noexcept
    void PyObject_SetArenaAllocator(PyObjectArenaAllocator *)

cdef enum:
    BLOCK = 2 << 20                 # a huge page on x86 and, with pages of 4 KiB, on Arm
    SMALL_BLOCKS = 5                # in small pages, of which only those used are resident; importing takes three

cdef char *rest = NULL              # of the block that is cut up now
cdef size_t rest_size = 0
cdef Py_ssize_t blocks = 0


cdef bint begin_block() noexcept:
    """Map an aligned block in the place of the current one, which is used up."""
    global rest, rest_size, blocks
    cdef char *mapped = <char *>mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    cdef size_t before
    if mapped == MAP_FAILED:
        return False
    before = BLOCK - <uintptr_t>mapped % BLOCK
    munmap(mapped, before)
    if before < BLOCK:
        munmap(mapped + before + BLOCK, BLOCK - before)
    blocks += 1
    if blocks > SMALL_BLOCKS:
        madvise(mapped + before, BLOCK, HUGEPAGE)   # a wish; small pages do as well
    rest = mapped + before
    rest_size = BLOCK
    return True


cdef void *allocate(void *context, size_t size) noexcept:
    global rest, rest_size
    cdef char *arena
    if rest_size < size and (BLOCK % size != 0 or not begin_block()):
        return NULL
    arena = rest
    rest += size
    rest_size -= size
    return arena


cdef void free(void *context, void *arena, size_t size) noexcept:
    """As Python's own does: its arenas from before `use_huge_pages` come here too."""
    munmap(arena, size)


def use_huge_pages() -> bool:
    """Have Python's future small objects in huge pages; returns False where the system has none."""
    cdef PyObjectArenaAllocator allocator
    if HUGEPAGE < 0:
        return False
    allocator.ctx = NULL
    allocator.alloc = allocate
    allocator.free = free
    PyObject_SetArenaAllocator(&allocator)
    return True


def give_back_unused() -> None:
    """Have the C library give the system what it holds free; importing leaves much of that.

    Nothing happens where there is no such call: only glibc keeps free pages below one that is used.
    """
    xend_trim()
