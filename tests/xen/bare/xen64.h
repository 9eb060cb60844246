/* The ABI of a 64-bit paravirtual guest: xen/include/public/arch-x86/xen-x86_64.h. */
#ifndef BARE_XEN64_H
#define BARE_XEN64_H

typedef uint64_t word;

/* Words of 32 bits that stand between the wall clock and `arch` in shared_info: wc_sec_hi. */
#define BEFORE_ARCH 1

/* The first instructions get the start_info's address in %rsi. */
#define ENTRY                                                                                                        \
    "_start: lea stack_end(%rip), %rsp\n"                                                                            \
    " mov %rsi, %rdi\n"                                                                                              \
    " call start\n"

/* XEN_IO_PROTO_ABI_NATIVE in io/protocols.h: how the entries of a block ring are laid out. */
#define RING_PROTOCOL "x86_64-abi"

static inline int64_t hypercall(uint32_t number, word a, word b, word c)
{
    register word first __asm__("rdi") = a, second __asm__("rsi") = b, third __asm__("rdx") = c;
    int64_t result;

    __asm__ volatile("call *%%rax"
                     : "=a"(result), "+r"(first), "+r"(second), "+r"(third)
                     : "0"(hypercalls + number * 32)
                     : "memory", "rcx", "r11", "r10", "r8", "r9");
    return result;
}

static inline void update_va_mapping(void *page, uint64_t entry)
{
    hypercall(UPDATE_VA_MAPPING, (word)page, entry, UVMF_INVLPG);
}

#endif
