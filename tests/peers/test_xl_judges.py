"""Thousands of configurations that Debian's own xl judges too: both take the same, and understand the same.

What xl prints of a configuration is compared with what `xl create --dryrun` prints here, field by field.
Where the two differ there is a row with the reason.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
import pytest

from tests.peers.configurations import BASE, Case, cases
from tests.peers.daemons import need
from tests.peers.offline_xl import XL, Verdict, judge
from xend.config import DomainConfig
from xend.config.domain import parse
from xend.config.listing import as_json
from xend.errors import XendError

#: So many CPUs has the host that the preload of Debian's xl shows.
CPUS = 8
EXAMPLES = sorted(Path("/etc/xen").glob("xlexample*"))


@attrs.frozen
class Both:
    """What both make of a configuration."""

    case: Case
    theirs: Verdict
    ours: DomainConfig | None
    error: XendError | None

    @property
    def difference(self) -> str | None:
        """ "refused here", "taken here", "means", or None."""
        if (self.ours is None) != (self.theirs.config is None):
            return "refused here" if self.ours is None else "taken here"
        return "means" if self.fields else None

    @property
    def fields(self) -> Mapping[str, tuple[object, object]]:
        """Where the two understand something else, ours and theirs, by the path in libxl's JSON."""
        if self.ours is None or self.theirs.config is None:
            return {}
        ours = dict(flat(as_json(self.ours, None, CPUS)["config"]))
        theirs = dict(flat(self.theirs.config))
        paths = [path for path in {**ours, **theirs} if ours.get(path) != theirs.get(path)]
        return {path: (ours.get(path), theirs.get(path)) for path in paths}


#: What has its default value, or is a matter of xl.conf.
DEFAULTS: Mapping[str, object] = {
    "b_info.shadow_memkb": 0,
    "b_info.claim_mode": "True",
    "b_info.max_vcpus": 1,
    "b_info.avail_vcpus.0": 0,
    "nics.nictype": "vif",
    "nics.trusted": "True",
    "disks.specification": "xen",
}


def flat(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """What stands at each path, without what says nothing."""
    items = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    )
    if items is not None:
        for key, each in items:
            yield from flat(each, f"{path}.{key}" if path else str(key))
    elif path.endswith(".backend_domname") and value in ("0", "Domain-0"):
        return
    elif value not in (None, "") and DEFAULTS.get(re.sub(r"^(nics|disks)\.\d+", r"\1", path)) != value:
        yield path, value


def of_kind(both: Both) -> bool:
    """Whether xl says that a value is of another kind than it takes, and goes on without it."""
    said = ("is not a valid number", "should be a list", "should be a single value", "is a list but")
    return any(words in both.theirs.said for words in said) or "warning: parameter" in both.theirs.said


def said(pattern: str) -> Callable[[Both], bool]:
    """Whether our error matches."""
    return lambda both: both.error is not None and re.search(pattern, both.error.message) is not None


def own(pattern: str) -> Callable[[Both], bool]:
    """Whether the configuration matches."""
    return lambda both: re.search(pattern, both.case.own) is not None


def only(*paths: str) -> Callable[[Both], bool]:
    """Whether they understand something else at these paths only."""
    return lambda both: all(re.fullmatch("|".join(paths), path) for path in both.fields)


#: Where xl's JSON has what has no effect on a domain of the type.
IDLE = (
    r"b_info\.(acpi|altp2m|arch_arm\..*|bootloader.*|device_model|device_model_stubdomain|device_model_version)",
    r"b_info\.(device_tree|dm_restrict|extra.*|nested_hvm|sched_params\.(latency|slice)|shadow_memkb)",
    r"b_info\.(stubdomain_.*|tee|timer_mode|type\.pvh\.pvshim.*|video_memkb)",
    r"b_info\.type\.hvm\.(altp2m|gfx_passthru|nx|spice\..*)",
    r"c_info\.(hap|oos)",
    r"(vfbs|vkbs)\..*",
)


def without_effect(both: Both) -> bool:
    """Whether a note says of all in which they differ that it has no effect, or is so anyway."""
    ours = both.ours
    return ours is not None and bool(ours.notes or ours.warnings) and only(*IDLE)(both)


def relative(both: Both) -> bool:
    return all(str(ours).endswith(f"/{theirs}") for ours, theirs in both.fields.values())


#: What xl 4.17 does not read, and newer ones do, or ours alone.
NEWER = (
    "altp2m_count", "llc_colors", "virtio", "bootloader_restrict", "bootloader_user", "xenstore_quota",
    "xenstore_feature_mask", "vmtrace_buf_kb", "autostart_after", "autostart_delay", "on_shutdown",
    "pci_accept", "smbios", "hvm_pirq", "xen_platform_pci_bar_uc",
)  # fmt: skip


def about(*options: str) -> Callable[[Both], bool]:
    """Whether it is about one of these."""
    return lambda both: both.case.option in options


#: What says more about the screen of vnc = 1.
OF_VNC = (
    "vnclisten", "vncunused", "vncdisplay", "vncpasswd", "sdl", "keymap", "opengl", "xauthority", "display",
)  # fmt: skip
#: Of machines.
LATER = (
    "graphics card takes|the card .* needs|expected letters, each once|soundhw = |usbdevice (=|holds)|"
    "expected a display from 0 to|its firmware boots|would be emulated where|have a controller of their own|"
    "nobody reaches it|everybody is let in|spice_.* = .*: expected"
)
#: Of texts.
NO_TEXT = 'control characters|no character|found a NUL|found "..x1a"|at most \\d+ bytes|nested at most'
#: Of devices.
UNUSABLE = (
    'it has no target|or no target|vdev "|passthrough = |is to have controller|'
    "expected no display here|vncdisplay .*, expected|expected the name of a keymap|it has no (name|hostbus)|"
    "tag .*, expected|name .* is that of an earlier|expected none, passthrough|type=devicemodel|"
    "(version|ports|hostbus) .*, expected a number"
)

#: A difference, which cases it is seen in, and its reason.
ROWS: list[tuple[str, Callable[[Both], bool], str]] = [
    # Nonsense that xl takes, or refuses only once there is a hypervisor.
    ("refused here", lambda both: both.error is not None and both.error.code == "unsupported",
     "xl.cfg(5) says why it cannot be had"),
    ("refused here", lambda both: of_kind(both) or about("pvshim")(both) or said("but it is a")(both),
     "a value of another kind, without which xl goes on; one that protects is judged for a pv domain, too"),
    ("refused here", about(*NEWER), "xl 4.17 does not read it"),
    ("refused here", said("foo.cfg:6: (name|type|builder) = |there is no kernel"),
     "empty ones, of which a type would be hvm; digits mean a domid, and - an option"),
    ("refused here", said(r"expected a number.* from -?\d+ to \d+$"), "no domain has so many, or so few"),
    ("refused here", said("^foo.cfg:6: maxmem = .*expected at least"), "less than memory"),
    ("refused here", said("cpuid"), "xl says that it is no policy, and goes on without"),
    ("refused here", lambda both: said("cpus")(both) or about(*OF_VNC)(both),
     "xl looks at it only where vcpus or maxvcpus stands before it, or vnc = 1 with it"),
    ("refused here", said(r"holds (a list|1|\(not shown\)), expected texts"),
     "a list in a list, or a number"),
    ("refused here", said('found "fiel:"'), "a slip of the pen, where xl sees a part of the name"),
    ("refused here", said(UNUSABLE), "libxl, qemu or the guest refuses it later, or has nothing in it"),
    ("refused here", said("is given twice"), "the last one counts for xl, or both do"),
    ("refused here", said('mac "|type "x"|(vnc|width|ports|hostbus) "x"|width "5x"'), "xl goes on without"),
    ("refused here", said('found "0[8x]"'), "no number, of which xl reads the beginning"),
    ("refused here", said(LATER), "libxl refuses it as it builds, or qemu as it starts"),
    ("refused here", about("viridian", "vnuma"), "of another kind, which xl goes on without"),
    ("refused here", said(NO_TEXT), "no text that a domain has, or as long as none is"),
    # What xl refuses, and need not.
    ("taken here", own("w!"), "of xm, as its files have it"),
    ("taken here",
     about("device_model_args", "device_model_args_pv", "device_model_args_hvm", "timer_mode",
           "device_model_version"),
     "no such value of what has no effect: a warning"),
    ("taken here", about("bootloader_args"), "an empty text, on which xl stumbles (status 245)"),
    ("taken here",
     about("firmware", "bios", "ms_vm_genid", "vendor_device", "hdtype", "gfx_passthru", "altp2m"),
     "an empty one, which asks for nothing"),
    ("taken here", about("tee"), "ffa is of newer ones"),
    ("taken here", own("rate=0MB"), "no limit"),
    ("taken here", own(r"^(A = 1|a = 'a' 'b'|a = -1|a = '\\q')$"), "Python, as xm read it"),
    ("taken here", own(r"\\x41"), "an escape of xl.cfg(5), on which xl stumbles"),
    ("taken here", own("\r"), "lines that end as Windows has it"),
    # What is understood otherwise.
    ("means", own("cpus(_soft)? = "), "xl looks at them only where vcpus or maxvcpus stands before them"),
    ("means", without_effect, "xl's JSON has what has no effect, too"),
    ("means", relative, "a relative name is found here, where xl leaves it to the kernel"),
    ("means", only("b_info.sched_params.(weight|period)"), "0 is what the scheduler gives by itself"),
    ("means", only("b_info.sched_params.extratime"), "any number but 0 is 1"),
    ("means", only(r"b_info\.type\.hvm\.ms_vm_genid\.\d+"), "by chance; here by the UUID, where it is made"),
    ("means", own("(root|firmware) = ''"), "an empty one asks for nothing, and is UEFI for xl"),
    ("means", only(r"b_info\.bootloader_args.*"), "arguments of a boot loader, where there is none"),
    ("means", own("vlan="), "xl 4.17 does not read it"),
    ("means", own("family=s"), "all of the host's family, of which xl has the higher part 0"),
    ("means", own("rate=8b/s"), "less than a byte in an interval is no limit"),
    ("means", own("ioemu:"), "xm's prefix of a vdev"),
    ("means", own(" bridge = a |vnc = 1'"), "a key with a blank is none for xl"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def their_xl() -> None:
    need(XL, Path("cc"))


def ours(text: str) -> tuple[DomainConfig | None, XendError | None]:
    try:
        return parse(text, source="foo.cfg", name="foo", directory="/"), None
    except XendError as error:
        return None, error


def test_both_take_and_understand_the_same(tmp_path: Path) -> None:
    made = list(cases())
    assert len(made) > 2000
    used: set[int] = set()
    unexplained: list[str] = []
    for case, verdict in zip(made, judge([case.text for case in made], tmp_path), strict=True):
        both = Both(case, verdict, *ours(case.text))
        kind = both.difference
        rows = [number for number, row in enumerate(ROWS) if row[0] == kind and row[1](both)]
        used.update(rows[:1])
        if kind is not None and not rows:
            unexplained.append(f"{kind}: {case.own!r}: {both.error or ''} {both.fields or ''} {verdict.said}")
    assert not unexplained, "\n".join(unexplained[:40])
    assert used == set(range(len(ROWS)))
    assert len(ROWS) <= 40


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_that_xen_ships(example: Path, tmp_path: Path) -> None:
    """The same is understood of them, with what they have in comments, too."""
    text = example.read_text()
    for each in (text, re.sub(r"^#(?=(maxmem|uuid|viridian|vnc) *=)", "", text, flags=re.MULTILINE)):
        each = re.sub('XXXXXXXX-.*(?=")', "039e9ee6-4a84-3055-4c81-8ba426ae2656", each)
        (verdict,) = judge([each], tmp_path)
        both = Both(Case("example", "", each), verdict, *ours(each))
        assert verdict.config is not None
        assert both.error is None
        assert not set(both.fields) - {"c_info.uuid"}  # which xl makes up


def test_the_preload_shows_as_many_cpus_as_this_says(tmp_path: Path) -> None:
    (verdict,) = judge([f"{BASE}vcpus = 1\ncpus = 'all'\n"], tmp_path)
    assert verdict.config is not None
    assert verdict.config["b_info"]["vcpu_hard_affinity"] == [list(range(CPUS))]
