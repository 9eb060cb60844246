"""Tables of a PVH domain: parsed back here, and by acpica's disassembler where that is installed."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from xend.helper import acpi

AT = acpi.TABLES


def table_at(data: bytes, address: int) -> tuple[bytes, bytes]:
    """(signature, the whole table) at an address, whose checksum holds."""
    place = address - AT
    signature, length = struct.unpack_from("<4sI", data, place)
    whole = data[place : place + length]
    assert len(whole) == length
    assert sum(whole) % 256 == 0
    return signature, whole


def found(vcpus: int, online: int) -> dict[bytes, bytes]:
    """All tables, as a guest finds them from the root pointer on."""
    data, xsdt = acpi.tables(vcpus, online, AT)
    pointer = acpi.root_pointer(xsdt)
    assert pointer[:8] == b"RSD PTR "
    assert sum(pointer[:20]) % 256 == 0
    assert sum(pointer) % 256 == 0
    assert len(pointer) == 36
    signature, root = table_at(data, struct.unpack_from("<Q", pointer, 24)[0])
    assert signature == b"XSDT"
    tables = dict(table_at(data, address) for (address,) in struct.iter_unpack("<Q", root[36:]))
    fadt = tables[b"FACP"]
    (of_32_bits,) = struct.unpack_from("<I", fadt, 40)
    (of_64_bits,) = struct.unpack_from("<Q", fadt, 140)
    assert of_32_bits == of_64_bits
    tables |= [table_at(data, of_64_bits)]
    return tables


@pytest.mark.parametrize(("vcpus", "online"), [(1, 1), (2, 1), (4, 4), (128, 100)])
def test_processors(vcpus: int, online: int) -> None:
    madt = found(vcpus, online)[b"APIC"]
    assert struct.unpack_from("<II", madt, 36) == (0xFEE00000, 0)
    rows = list(struct.iter_unpack("<BBBBI", madt[44:]))
    assert rows == [(0, 8, number, 2 * number, int(number < online)) for number in range(vcpus)]


def test_there_is_no_hardware_of_a_pc() -> None:
    fadt = found(1, 1)[b"FACP"]
    (flags,) = struct.unpack_from("<I", fadt, 112)
    assert flags & 1 << 20  # HW_REDUCED_ACPI
    assert struct.unpack_from("<H", fadt, 109) == (0x24,)
    assert not any(fadt[48:108])  # no ports of power management


@pytest.mark.parametrize("vcpus", [0, 129])
def test_numbers_of_vcpus_that_no_domain_has(vcpus: int) -> None:
    with pytest.raises(ValueError, match="no number of vCPUs"):
        acpi.tables(vcpus, 1, AT)


def test_they_fit_where_libxenguest_puts_them() -> None:
    """Between the page that libxl has for itself and the special pages."""
    data, _ = acpi.tables(acpi.VCPUS_MAX, 1, AT)
    assert AT + len(data) < 0xFEFF8000


@pytest.mark.process
@pytest.mark.skipif(shutil.which("iasl") is None, reason="acpica-tools is not installed")
@pytest.mark.parametrize("name", [b"DSDT", b"APIC", b"FACP"])
def test_acpicas_disassembler_reads_them(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / f"{name.decode()}.dat"
    path.write_bytes(found(2, 2)[name])
    done = subprocess.run(["iasl", "-d", str(path)], capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert not any(word in said for word in ("Error", "Warning", "Incorrect checksum", "Invalid")), said
    text = path.with_suffix(".dsl").read_text()
    assert name.decode() in text
    assert "Invalid" not in text
