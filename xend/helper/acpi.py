"""The ACPI tables of a PVH domain (domain-build.md 1.1): how many processors it has, and that there is no
hardware of a PC.

There are as few as a guest can do with.  A platform without ACPI's fixed hardware (HW_REDUCED) needs no
FACS; processors are known by the MADT, so the DSDT describes none; and since revision 2 of the root pointer
leads to an XSDT, there is no RSDT.  Offsets and flags: ACPI specification 6.5, sections 5.2.5 to 5.2.12.
"""

import struct

#: Where tables begin, an address; the page before is libxl's for what it shares with its DSDT.
TABLES = 0xFC001000
#: Where Linux looks for the root pointer that does not take it from the start information: the last bytes
#: below 1 MiB.
LOW_ROOT_POINTER = 0x100000 - 64
#: Most vCPUs of a domain that is not paravirtual (HVM_MAX_VCPUS, xen/include/public/hvm/hvm_info_table.h).
VCPUS_MAX = 128

_OEM, _OEM_TABLE, _CREATOR = b"Xen", b"PVH", b"XEND"
_LOCAL_APIC = 0xFEE00000
_FADT_SIZE = 268
#: Boot architecture flags: no VGA; no CMOS clock.  There is no 8042 and no legacy device either.
_NO_VGA, _NO_CMOS_RTC = 1 << 2, 1 << 5
#: Fixed feature flags: WBINVD works; all processors have C1; no power and sleep button; no fixed hardware.
_FEATURES = 1 << 0 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 20


def tables(vcpus: int, online: int, address: int) -> tuple[bytes, int]:
    """All tables but the root pointer, to be put at an address, and where the one is that leads to them.

    Args:
        vcpus: how many there are.
        online: how many of them, the first ones, are there at the start.

    Raises:
        ValueError: more than VCPUS_MAX.
    """
    if not 0 < vcpus <= VCPUS_MAX:
        raise ValueError(f"{vcpus} is no number of vCPUs")
    data = bytearray()

    def put(table: bytes) -> int:
        data.extend(bytes(-len(data) % 16))
        place = address + len(data)
        data.extend(table)
        return place

    dsdt = put(_table(b"DSDT", 2, b""))
    madt = put(_table(b"APIC", 3, _processors(vcpus, online)))
    fadt = put(_table(b"FACP", 5, _fixed(dsdt)))
    xsdt = put(_table(b"XSDT", 1, struct.pack("<2Q", fadt, madt)))
    return bytes(data), xsdt


def root_pointer(xsdt: int) -> bytes:
    """The root pointer, which a guest finds first, to an XSDT."""
    pointer = bytearray(struct.pack("<8sB6sBIIQB3x", b"RSD PTR ", 0, _OEM, 2, 0, 36, xsdt, 0))
    pointer[8] = -sum(pointer[:20]) & 0xFF
    pointer[32] = -sum(pointer) & 0xFF
    return bytes(pointer)


def _table(signature: bytes, revision: int, body: bytes) -> bytes:
    length = 36 + len(body)
    head = struct.pack("<4sIBB6s8sI4sI", signature, length, revision, 0, _OEM, _OEM_TABLE, 0, _CREATOR, 0)
    table = bytearray(head + body)
    table[9] = -sum(table) & 0xFF
    return bytes(table)


def _processors(vcpus: int, online: int) -> bytes:
    """Local APICs: Xen numbers that of vCPU n 2 * n."""
    rows = (struct.pack("<BBBBI", 0, 8, n, 2 * n, n < online) for n in range(vcpus))
    return struct.pack("<II", _LOCAL_APIC, 0) + b"".join(rows)


def _fixed(dsdt: int) -> bytes:
    fadt = bytearray(_FADT_SIZE)
    struct.pack_into("<I", fadt, 40, dsdt)
    struct.pack_into("<H", fadt, 109, _NO_VGA | _NO_CMOS_RTC)
    struct.pack_into("<I", fadt, 112, _FEATURES)
    struct.pack_into("<Q", fadt, 140, dsdt)
    return bytes(fadt[36:])
