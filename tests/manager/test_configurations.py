"""Configurations as xl reads them from files: what other people write, in any bytes, and from where."""

import os
import shutil
from pathlib import Path

from tests.manager.place import Place

GUEST = 'name = "n"\nkernel = "/netbsd-XEN3_DOMU.gz"\nmemory = 32\n'
#: What real xl does not read of a paravirtual domain, or what happens anyway; those with a warning here.
NEUTRAL = """
    acpi = 1; apic = 1; boot = "c"; cpu_weight = 256; cpus = "all"; localtime = 0; nomigrate = 0; pae = 1;
    pci = [ ]; rtc_timeoffset = 0; sdl = 0; serial = "pty"; stdvga = 0; usb = 0; vfb = [ ]; vnc = 0
"""
UNREAD = """
    arch = "x86_64"; console = "hvc0"; hostname = "web"; on_shutdown = "destroy"; on_xend_start = "ignore";
    vif_other_config = [ ]; dhcp = "dhcp"
"""
HVM = """boot = "dc"
vnc = 1
usbdevice = "tablet"
acpi = 1
vnclisten = "0.0.0.0"
builder = "hvm"
"""


def written(directory: Path, name: str | bytes, text: str | bytes) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / os.fsdecode(name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def judged(place: Place, text: str | bytes, name: str | bytes = "n.cfg") -> tuple[int, list[str]]:
    """The status and the complaints of a dry run."""
    path = written(place.top / "etc", name, text)
    done = place.tool("xl", "create", "-q", "--dry-run", str(path))
    return done.returncode, done.stderr.splitlines()


def test_what_other_people_write(place: Place) -> None:
    place.start()
    for line in NEUTRAL.split(";"):
        assert judged(place, f"{GUEST}{line.strip()}\n") == (0, []), line
    for line in UNREAD.split(";"):
        status, (complaint,) = judged(place, f"{GUEST}{line.strip()}\n")
        assert status == 0
        assert complaint.startswith("xl: warning: n.cfg:4: ")
    assert judged(place, f"{GUEST}vif = [ 'bridge=ovsbr0.4:1234:3456,script=vif-openvswitch' ]") == (0, [])
    assert judged(place, b"# caf\xe9\n" + GUEST.encode()) == (0, [])
    assert judged(place, "\ufeff" + GUEST.replace("\n", "\r\n"), b"caf\xe9.cfg") == (0, [])
    status, complaints = judged(place, GUEST.encode("utf-16"))
    assert (status, complaints) == (
        1,
        ["xl: n.cfg: found UTF-16 or UTF-32, expected UTF-8 (save it as UTF-8)"],
    )
    assert judged(place, GUEST + "# \0\n")[1] == [
        "xl: n.cfg:4: found a NUL, expected a text file (save it as UTF-8)"
    ]


def test_a_whole_machine_and_everything_that_is_wrong_with_it(place: Place) -> None:
    place.start()
    assert judged(place, GUEST + HVM) == (0, [])
    status, complaints = judged(place, GUEST + HVM + 'vga = "x"\nboot = "z"\n')
    assert status == 1
    assert [line.split(": ")[1] for line in complaints] == ["n.cfg:10", "n.cfg:11"]


def test_a_relative_kernel_is_below_the_callers_directory(place: Place) -> None:
    place.start()
    top = place.top / "root" / str(place.top)[1:]
    top.mkdir(parents=True)
    shutil.copy(place.top / "root/netbsd-XEN3_DOMU.gz", top / "k")
    written(place.top / "sub", "rel.cfg", 'kernel = "k"\nmemory = 32\nname = "rel"\n')
    assert place.said("xl", "create", "-q", "sub/rel.cfg") == ""
    assert place.names() == ["rel"]
    with place.client() as client:
        config = client.domain_config("rel")["config"]
    assert config["b_info"]["kernel"] == str(place.top / "k")


def test_a_domain_started_with_the_host_finds_what_is_beside_its_file(place: Place) -> None:
    etc = place.top / "root" / str(place.top / "etc")[1:]
    etc.mkdir(parents=True)
    shutil.copy(place.top / "root/netbsd-XEN3_DOMU.gz", etc / "k")
    file = written(place.top / "etc", "rel", 'kernel = "k"\nmemory = 32\n')
    (place.top / "etc/auto").mkdir(exist_ok=True)
    (place.top / "etc/auto/rel").symlink_to(file)
    place.start()
    done = place.tool("xl", "autostart")
    assert done.returncode == 0, done
    assert place.names() == ["rel"]
