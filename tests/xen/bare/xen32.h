/* The ABI of a 32-bit paravirtual guest, which is one with PAE: xen/include/public/arch-x86/xen-x86_32.h. */
#ifndef BARE_XEN32_H
#define BARE_XEN32_H

typedef uint32_t word;

/* Words of 32 bits that stand between the wall clock and `arch` in shared_info. */
#define BEFORE_ARCH 0

/* The first instructions get the start_info's address in %esi. */
#define ENTRY                                                                                                        \
    "_start: mov $stack_end, %esp\n"                                                                                 \
    " push %esi\n"                                                                                                   \
    " call start\n"

/* XEN_IO_PROTO_ABI_NATIVE in io/protocols.h: how the entries of a block ring are laid out. */
#define RING_PROTOCOL "x86_32-abi"

static inline int32_t hypercall4(uint32_t number, word a, word b, word c, word d)
{
    int32_t result;

    __asm__ volatile("call *%%eax"
                     : "=a"(result), "+b"(a), "+c"(b), "+d"(c), "+S"(d)
                     : "0"(hypercalls + number * 32)
                     : "memory", "edi");
    return result;
}

static inline int32_t hypercall(uint32_t number, word a, word b, word c)
{
    return hypercall4(number, a, b, c, 0);
}

/* A page table's entry has 64 bits: it takes two of the arguments. */
static inline void update_va_mapping(void *page, uint64_t entry)
{
    hypercall4(UPDATE_VA_MAPPING, (word)page, (word)entry, (word)(entry >> 32), UVMF_INVLPG);
}

#endif
