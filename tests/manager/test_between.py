"""Every command of xl, as a process, on a domain that waits for its next life."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.manager.place import DOMAIN, Place
from xenclient.cli.xl.table import COMMANDS
from xend.domain.registry import Domains
from xend.domain.source import Source
from xend.domain.waiting import Waiting

#: How long those that wait here have still to wait when xend starts: longer than the test.
LEFT_SECONDS = 3000.0
AT = r"\d\d:\d\d:\d\d"
WAITS = (
    r"xl: w waits for its next life \(crash, failed 3 times\): it is started again at " + AT + r", in \d+ s "
    r"\(xl reboot w starts it now, xl destroy w ends it\)\n"
)
UUID = "11111111-0000-4000-8000-%012d"
HEADER = r"Name +ID +Mem VCPUs\tState\tTime\(s\)\n"
ROW = r"w +- +0 +0     ------ +0\.0"
NEXT = rf"  crash, failed 3 times; next try {AT}\n"

#: Words, and what is printed: commands that tell of it.
TELLING = [
    (["list", "w"], HEADER + ROW + NEXT),
    (["list"], HEADER + r"Domain-0 +0 .*\n"),  # as Xen's, whose lines programs parse
    (["list", "--all"], HEADER + r"Domain-0 +0 .*\n(\S+ +- +0 .*\n)*" + ROW + NEXT + r"(\S+ +- .*\n)*"),
    (["list", UUID % 1], HEADER + ROW + NEXT),
    (["list", "-v", "w"], r".*\n" + ROW + rf" {UUID % 1} +- +-{NEXT}"),
    (["uptime", "w"], r"Name +ID Uptime\nw +- -\n"),
    (["uptime", "-s", "w"], rf" {AT} up -, w \(-\)\n"),
    (["claims"], HEADER.replace(r"\n", r"  Claimed\n") + r"Domain-0 +0 .*\n"),
    (["sharing", "w"], r"Name +ID +Mem Shared\nw +- +0 +0\n"),
    (["vm-list"], r"UUID +ID +name\n\S+  0    Domain-0 *\n"),
]
#: Commands that cannot act on it, and say what it waits for.
REFUSING = [
    ["pause", "w"],
    ["unpause", "w"],
    ["console", "w"],
    ["vncviewer", "w"],
    ["mem-set", "w", "32"],
    ["mem-max", "w", "256"],
    ["vcpu-list", "w"],
    ["vcpu-set", "w", "1"],
    ["vcpu-pin", "w", "all", "0"],
    ["sched-credit", "-d", "w"],
    ["sched-credit2", "-d", "w", "-w", "300"],
    ["sched-rtds", "-d", "w"],
    ["cpupool-migrate", "w", "Pool-0"],
    ["trigger", "w", "nmi"],
    ["qemu-monitor-command", "w", "info", "status"],
    ["dump-core", "w", "/core"],
    ["save", "w", "/saved"],
    ["suspend", "w"],
    ["resume", "w"],
    ["config-update", "w", "/dev/null"],
    ["xenstore-quota-get", "w"],
    ["xenstore-quota-set", "w", "nodes=9"],
    ["sysrq", "w", "s"],
    ["network-attach", "w"],
    ["network-detach", "w", "0"],
    ["network-list", "w"],
    ["block-attach", "w", "file:/n0/xen/foo-wd0,0x1,r"],
    ["block-detach", "w", "0x0"],
    ["block-list", "w"],
    ["vtpm-attach", "w", "backend=0"],
    ["vtpm-detach", "w", "0"],
    ["vtpm-list", "w"],
    ["vkb-attach", "w", "backend-type=qemu"],
    ["vkb-detach", "w", "0"],
    ["vkb-list", "w"],
    ["channel-list", "w"],
    ["usbctrl-attach", "w"],
    ["usbctrl-detach", "w", "0"],
    ["usbdev-attach", "w", "hostbus=1", "hostaddr=2"],
    ["usbdev-detach", "w", "0", "1"],
    ["usb-list", "w"],
    ["pci-list", "w"],
    ["pci-attach", "w", "01:00.0"],
    ["pci-detach", "w", "01:00.0"],
    ["cd-insert", "w", "0x0", "/n0/xen/foo-wd0"],
    ["cd-eject", "w", "0x0"],
]
#: Commands that end it, each one of its own, which is called as they are.
ENDING = [["destroy", "destroy"], ["shutdown", "shutdown"], ["autostop", "autostop"]]
#: Commands that begin its next life: by themselves, or as they make another of the same file.
BEGINNING = [
    ["reboot", "reboot"],
    ["create", "-q", "etc/create"],
    ["start", "start"],
    ["autostart", "autostart"],
]
#: Which warns first that it is old.
OTHERS = {"list", "domid", "domname", "rename", "device-explain", "button-press", "delete", "config-check"}
#: Commands that name no domain.
NAMELESS = {
    "info", "dmesg", "events", "help", "top", "cpupool-create", "cpupool-list", "cpupool-destroy",
    "cpupool-rename", "cpupool-cpu-add", "cpupool-cpu-remove", "cpupool-numa-split", "debug-keys",
    "pci-assignable-add", "pci-assignable-remove", "pci-assignable-list", "set-parameters", "getenforce",
    "setenforce", "loadpolicy", "devd", "new", "edit", "restore",
}  # fmt: skip


def test_every_command_is_tried() -> None:
    tried = {words[0] for words, _ in TELLING} | {words[0] for words in (*REFUSING, *ENDING, *BEGINNING)}
    assert {row.name for row in COMMANDS} == tried | OTHERS | NAMELESS


def put_to_wait(place: Place, *names: str) -> None:
    """Domains as a xend left them that died while they waited."""
    (place.top / "domains").mkdir(exist_ok=True)
    domains = Domains(place.top / "domains", print)
    for number, name in enumerate(names, 1):
        text = DOMAIN.format(name=name)
        (place.top / "etc" / name).write_text(text)
        (place.top / "etc" / name).chmod(0o644)
        source = Source(
            text=text,
            file=name,
            name=name,
            path=str(place.top / "etc" / name),
            directory=str(place.top / "etc"),
            extra=[],
            uuid=UUID % number,
            addresses={"vif": [f"00:16:3e:00:00:{number:02x}"]},
        )
        waiting = Waiting(reason="crash", next_try=time.time() + LEFT_SECONDS, wait_s=2 * LEFT_SECONDS)
        domains.put_to_wait(source, waiting, restarts=3)


def test_every_command_acts_on_it_or_says_what_it_waits_for(place: Place) -> None:
    acting = [words[-1].rpartition("/")[2] for words in (*ENDING, *BEGINNING)]
    put_to_wait(place, "w", "rename", *acting)
    place.start()
    for words, expected in TELLING:
        said = place.said("xl", *words)
        assert re.fullmatch(expected, said), (words, said)
    check_json(place)
    assert re.match(
        "xl: domain w runs: its configuration is not deleted", place.tool("xl", "delete", "w").stderr
    )
    assert "2 warnings" in place.tool("xl", "config-check", "-q", "etc/w").stdout
    for words in REFUSING:
        done = place.tool("xl", *words)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert re.fullmatch(WAITS, done.stderr), done.stderr
    done = place.tool("xl", "domid", "w")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"xl: w has no domid between two lives \(crash, failed 3 times; next try {AT}\)\n", done.stderr
    )
    assert place.tool("xl", "device-explain", "w", "0x0").stderr == (
        "xl: w has no device 0x0 (it has: none)\n"
    )
    place.said("xl", "rename", "rename", "other")
    for words in ENDING:
        place.said("xl", *words)
    for words in BEGINNING:
        place.said("xl", *words)
        assert int(place.said("xl", "domid", words[-1].rpartition("/")[2])) > 0
    assert sorted(place.names()) == sorted(["w", "other", "reboot", "create", "start", "autostart"])
    place.said("xl", "autostop", "-a")
    assert place.names() == []
    assert list((place.top / "domains").iterdir()) == []


def check_json(place: Place) -> None:
    """What programs read."""
    (listed,) = json.loads(place.said("xl", "list", "--json", "w"))
    assert (listed["domid"], listed["state"], listed["waiting"]["failures"]) == (None, "waiting", 3)
    assert 0 < listed["waiting"]["in_s"] <= LEFT_SECONDS
    assert listed["waiting"]["next_try"] == pytest.approx(time.time() + LEFT_SECONDS, abs=120)
    (config,) = json.loads(place.said("xl", "list", "-l", "w"))
    assert (config["domid"], config["config"]["c_info"]["name"]) == (None, "w")
    assert json.loads(place.said("xl", "uptime", "--json", "w"))[0]["domid"] is None
    assert {None, 0} == {each["domid"] for each in json.loads(place.said("xl", "vm-list", "--json"))}


@pytest.mark.parametrize("words", [["shutdown", "-a"], ["shutdown", "-a", "-w"], ["autostop", "-a"]])
def test_stopping_all_includes_it(place: Place, words: list[str]) -> None:
    put_to_wait(place, "one", "two")
    place.start()
    place.create("three")
    place.said("xl", *words)
    place.settle()
    assert [name for name in place.names() if name != "three"] == []


def test_a_file_of_its_name_elsewhere_is_refused(place: Place, tmp_path: Path) -> None:
    put_to_wait(place, "one")
    place.start()
    (tmp_path / "one").write_text(DOMAIN.format(name="one"))
    done = place.tool("xl", "create", "-q", str(tmp_path / "one"))
    assert done.returncode == 1
    assert done.stderr.startswith(
        "xl: domain one exists already: it waits for its next life (crash, failed 3"
    )
    assert done.stderr.endswith(
        "(xl destroy one ends it; xl create of the file it was made of replaces it)\n"
    )
