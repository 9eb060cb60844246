"""The order in which a domain is built, and what is refused."""

import errno
import struct
from pathlib import Path
from typing import Any, cast

import attrs
import msgpack
import pytest

from tests.unit.xenclient.test_start_up import imported
from tests.unit.xend.helper import fake_guest
from xend.helper import acpi, build, hvm_info, limits, settings
from xend.helper.session import Session
from xend.helper.steps import Refused
from xend.hypervisor import ALTP2M, TIMER_MODES, VIRIDIAN, Blueprint, Image, Machine

PV, PVH = 5, 6


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> fake_guest.Libraries:
    made = fake_guest.Libraries()
    monkeypatch.setattr(fake_guest, "LIBRARIES", made)
    monkeypatch.setattr(
        limits, "for_memory", lambda *sizes: made.called("bounded", *sizes)
    )  # not this process
    return made


@pytest.fixture
def kernel(tmp_path: Path) -> str:
    (tmp_path / "kernel").write_bytes(b"kernel")
    return str(tmp_path / "kernel")


def image(kernel: str, type: str = "pv", **fields: Any) -> Image:
    names = {field.name for field in attrs.fields(Blueprint)}
    own: dict[str, Any] = {"uuid": "x", "type": type, "max_vcpus": 2, "max_memory_kib": 65536}
    own |= {name: fields.pop(name) for name in list(fields) if name in names}
    rest: dict[str, Any] = {"memory_kib": 65536, "kernel": kernel} | fields
    return Image(blueprint=Blueprint(**own), **rest)


def run(domid: int, wanted: Image) -> tuple[dict[str, Any], list[str]]:
    steps: list[str] = []
    session = Session(cast(Any, fake_guest), steps.append)
    result = build.run(session, {"domid": domid, "image": attrs.asdict(wanted)})
    return dict(result), steps


def refusal(domid: int, wanted: Image) -> Refused:
    with pytest.raises(Refused) as refused:
        run(domid, wanted)
    assert "\n" not in refused.value.text
    return refused.value


def test_a_paravirtual_domain(libraries: fake_guest.Libraries, kernel: str) -> None:
    result, steps = run(PV, image(kernel, ramdisk=kernel, command_line="quiet"))
    assert result.pop("tables") == {}
    assert result == {"store_gfn": 0xFEFFC, "store_port": 1, "console_gfn": 0xFEFFF, "console_port": 2}
    assert libraries.names() == [
        "open", "domain", "bounded", "allocate", "event_channel", "event_channel", "set_memory_map_limit",
        "apply_cpuid_policy", "set_kernel", "set_ramdisk", "parse", "set_ports", "set_memory", "populate",
        "load", "boot", "seed_grants", "claim", "close",
    ]  # fmt: skip
    calls = {call[0]: call[1:] for call in libraries.calls}
    assert calls["allocate"] == (PV, b"quiet", False, 256 << 20)
    assert calls["set_ports"] == (1, 2, 2)
    assert calls["set_memory"][:2] == (16384, 16384)
    assert calls["claim"] == (PV, 0)
    assert steps == [
        "open", "domain", "files", "kernel", "ports", "limits", "policy", "kernel", "parse", "populate",
        "load", "boot", "grants",
    ]  # fmt: skip


def test_a_pvh_domain(libraries: fake_guest.Libraries, kernel: str) -> None:
    run(PVH, image(kernel, "pvh", memory_kib=32765, max_memory_kib=65534))
    names = libraries.names()
    assert names[6:10] == ["set_parameter", "set_altp2m", "set_paging_pool", "apply_cpuid_policy"]
    assert names[names.index("populate") : names.index("load")] == [
        "populate", "add_acpi", "add_acpi", "set_memory_map", "set_memory_map",
    ]  # fmt: skip
    calls = {call[0]: call[1:] for call in libraries.calls}
    assert calls["set_memory"] == (8192, 16384, 0xFC000000, False)
    assert calls["set_parameter"] == (PVH, 10, 1)
    assert calls["set_paging_pool"] == (PVH, 4096 * (256 * 2 + 63))


@pytest.mark.parametrize("is_old", [True, False])
def test_where_the_root_pointer_is(libraries: fake_guest.Libraries, kernel: str, is_old: bool) -> None:
    if is_old:
        libraries.at["old_linux"] = lambda: None
    run(PVH, image(kernel, "pvh"))
    (pointer, where), (_, tables) = (call[1:] for call in libraries.calls if call[0] == "add_acpi")
    assert pointer.startswith(b"RSD PTR ")
    assert tables == acpi.TABLES
    assert where == (acpi.LOW_ROOT_POINTER if is_old else acpi.TABLES + 4096)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        ({"is_migratable": False}, True),
        ({"tsc_mode": "always_emulate"}, True),
        ({"tsc_mode": "native"}, False),
    ],
)
def test_who_sees_an_invariant_time_stamp_counter(
    libraries: fake_guest.Libraries, kernel: str, fields: dict[str, Any], expected: bool
) -> None:
    run(PV, image(kernel, **fields))
    assert ("apply_cpuid_policy", PV, True, expected, False, [], []) in libraries.calls


def test_what_its_processor_is_otherwise(libraries: fake_guest.Libraries, kernel: str) -> None:
    bits = ("", "1" + "x" * 31, "", "")
    wanted = attrs.evolve(
        image(kernel, "pvh", altp2m="external", paging_kib=8192, has_nested_virt=True),
        cpuid=[(7, 0, bits), (1, None, bits)],
        arch_capabilities="k" * 64,
    )
    run(PVH, wanted)
    calls = {call[0]: call[1:] for call in libraries.calls}
    rows = [text.encode() for text in bits]
    assert calls["apply_cpuid_policy"] == (
        PVH, True, False, True, [(7, 0, rows), (1, 0xFFFFFFFF, rows)], [(0x10A, b"k" * 64)],
    )  # fmt: skip
    assert (calls["set_altp2m"], calls["set_paging_pool"]) == ((PVH, 2), (PVH, 8 << 20))


def test_the_hosts_memory_map(libraries: fake_guest.Libraries, kernel: str) -> None:
    run(PV, image(kernel, has_host_memory_map=True))
    assert ("set_memory_map", PV, [(0, 64 << 20, 1)]) in libraries.calls


@pytest.mark.parametrize(
    ("domid", "fields", "number", "text"),
    [
        (9, {}, errno.ESRCH, "there is no domain 9, or it is dying"),
        (PVH, {}, errno.EINVAL, "domain 6 was created as another type than pv"),
        (
            PV,
            {"memory_kib": 65540},
            errno.EINVAL,
            "65540 KiB of memory, where the domain has at most 65536 KiB",
        ),
        (PV, {"memory_kib": 0}, errno.EINVAL, "0 KiB of memory, where the domain has at most 65536 KiB"),
        (PV, {"command_line": "x" * 1024}, errno.EINVAL, "the kernel's command line has 1024 bytes"),
        (PV, {"command_line": "a\0b"}, errno.EINVAL, "the kernel's command line has a null byte"),
        (PVH, {"type": "pvh", "max_vcpus": 129}, errno.EINVAL, "a pvh domain has at most 128 vCPUs"),
        (PVH, {"type": "hvm"}, errno.EINVAL, "a machine is what hvm domains have: this one is hvm"),
        (PV, {"machine": Machine()}, errno.EINVAL, "a machine is what hvm domains have: this one is pv"),
        (
            PVH,
            {"type": "hvm", "machine": Machine(video_kib=65000)},
            errno.ENOMEM,
            "65536 KiB of memory, of which its graphics card has 65000: 4096 KiB are to be left",
        ),
        (
            PVH,
            {"type": "hvm", "machine": Machine(hole_kib=4)},
            errno.EINVAL,
            "a hole of 4 KiB in its memory: from 262144 to 4177920 is possible",
        ),
        (
            PVH,
            {"type": "hvm", "machine": Machine(firmware="/no/such")},
            errno.ENOENT,
            "the firmware /no/such: No such file or directory",
        ),
    ],
)
def test_what_cannot_be_built(
    libraries: fake_guest.Libraries, kernel: str, domid: int, fields: dict[str, Any], number: int, text: str
) -> None:
    refused = refusal(domid, image(kernel, **fields))
    assert (refused.errno, refused.text[: len(text)]) == (number, text)
    assert "allocate" not in libraries.names()


def test_a_domain_that_was_built(libraries: fake_guest.Libraries, kernel: str) -> None:
    libraries.domains[PV] = (False, 16384)
    assert refusal(PV, image(kernel)).errno == errno.EEXIST


@pytest.mark.parametrize(
    "call", ["event_channel", "set_kernel", "parse", "populate", "load", "boot", "seed_grants"]
)
def test_nothing_is_kept_of_a_build_that_fails(
    libraries: fake_guest.Libraries, kernel: str, call: str
) -> None:
    libraries.at[call] = fake_guest.ACTS["refuse"]
    refusal(PV, image(kernel))
    assert libraries.names()[-2:] == ["close", "claim"]


def test_a_claim_that_is_gone_hides_no_error(libraries: fake_guest.Libraries, kernel: str) -> None:
    libraries.at["parse"] = libraries.at["claim"] = fake_guest.ACTS["refuse"]
    assert refusal(PV, image(kernel)).errno == errno.ENOEXEC


def test_names_of_files_are_any_bytes(libraries: fake_guest.Libraries, tmp_path: Path) -> None:
    path = tmp_path / "k\udcff"
    path.write_bytes(b"kernel")
    run(PV, image(str(path), command_line="root=\udcff"))
    assert next(call for call in libraries.calls if call[0] == "allocate")[2] == b"root=\xff"


def table(vcpus: int = 1, signature: bytes = b"HVM INFO") -> bytes:
    """A frame with what libxenguest tells hvmloader."""
    head = struct.pack("<8sIBB2xIIII", signature, 48, 0, 1, vcpus, 0x3C00, 0, 0)
    return b"\0" * hvm_info.AT + head + b"\xff" * 16


def test_an_hvm_domain(libraries: fake_guest.Libraries, kernel: str, tmp_path: Path) -> None:
    (tmp_path / "bios").write_bytes(b"BIOS")
    (tmp_path / "tables").write_bytes(b"SSDT")
    libraries.frames[hvm_info.FRAME] = table()
    libraries.tables = ((0x120000, 4), (0, 0))
    machine = Machine(
        firmware=str(tmp_path / "bios"),
        acpi_tables=str(tmp_path / "tables"),
        video_kib=8192,
        hole_kib=512 * 1024,
        has_pae=False,
        viridian=("base", "freq", "crash_ctl"),
        has_lmce=True,
    )
    wanted = image(kernel, "hvm", memory_kib=32768, machine=machine, max_vcpus=3, vcpus=2)
    result, steps = run(PVH, wanted)
    assert result["tables"] == {"acpi": (0x120000, 4)}
    assert libraries.names() == [
        "open", "domain", "bounded", "allocate", "event_channel", "event_channel",
        "set_parameter", "set_parameter", "set_parameter", "set_parameter", "set_parameter", "set_altp2m",
        "set_paging_pool", "apply_cpuid_policy", "set_kernel", "set_firmware", "parse", "set_ports",
        "set_memory", "populate", "set_memory_map", "set_memory_map", "load", "boot", "read", "write",
        "seed_grants", "claim", "close",
    ]  # fmt: skip
    calls = {call[0]: call[1:] for call in libraries.calls}
    parameters = [call[2:] for call in libraries.calls if call[0] == "set_parameter"]
    assert parameters == [(9, 1 << 0 | 1 << 6), (38, 1), (11, 1), (16, 1), (10, 1)]
    assert calls["apply_cpuid_policy"][1] is False
    assert [None if each is None else bytes(each) for each in calls["set_firmware"]] == [
        b"BIOS", b"SSDT", None,
    ]  # fmt: skip
    assert calls["set_memory"] == (6144, (65536 - 8192) // 4, 0xE0000000, True)
    assert calls["set_memory_map"] == ([(1 << 20, 63 << 20, 1)],)
    frame, at, data = calls["write"][1:]
    assert (frame, at, len(data), sum(data) & 0xFF) == (0x9F, 0x800, 48, 0)
    assert struct.unpack("<8sIBB2xIIII", data[:32])[3:6] == (1, 3, 0x3C00)
    assert data[32:] == b"\x03" + bytes(15)
    assert steps[-3:] == ["load", "boot", "grants"]


def test_firmware_that_does_not_fit(libraries: fake_guest.Libraries, kernel: str, tmp_path: Path) -> None:
    (tmp_path / "ovmf").write_bytes(bytes(5 << 20))
    machine = Machine(firmware=str(tmp_path / "ovmf"), video_kib=8192)
    refused = refusal(PVH, image(kernel, "hvm", machine=machine, memory_kib=16384))
    assert refused.errno == errno.ENOMEM
    assert "firmware of 5120 KiB and a graphics card with 8192 KiB do not fit 16384 KiB" in refused.text


def test_what_hvmloader_is_told_is_there(libraries: fake_guest.Libraries, kernel: str) -> None:
    wanted = image(kernel, "hvm", machine=Machine())
    libraries.frames[hvm_info.FRAME] = table(signature=b"HVM NONE")
    assert "left no table for hvmloader" in refusal(PVH, wanted).text
    libraries.frames[hvm_info.FRAME] = None
    assert "no memory where hvmloader's table is to be" in refusal(PVH, wanted).text


def test_viridian_and_timers_have_the_words_of_the_contract() -> None:
    assert ["base", "freq", *list(settings.VIRIDIAN_BITS)[1:]] == list(VIRIDIAN)
    assert tuple(settings.TIMER_MODES) == TIMER_MODES
    assert settings.viridian_bits(["base"]) == 0b11


def test_altp2m_has_the_words_of_the_contract() -> None:
    assert tuple(sorted(settings.ALTP2M, key=lambda word: settings.ALTP2M[word])) == ALTP2M


def test_it_starts_with_little() -> None:
    """xend waits for its start with each domain that it builds."""
    heavy = {"trio", "attrs", "attr", "inspect", "traceback", "subprocess", "socket", "xend.hypervisor"}
    assert not imported("xend.helper.__main__", str(Path(msgpack.__file__).parents[1])) & heavy


def test_an_image_comes_through(kernel: str) -> None:
    wanted = image(kernel, "pvh", ramdisk=kernel, vcpus=2, tsc_mode="native")
    came = build.image_of(attrs.asdict(wanted))
    assert vars(came) | {"blueprint": vars(came.blueprint)} == attrs.asdict(wanted)
    assert [build.pages_of(kib) for kib in (1, 4, 5)] == [1, 1, 2]
