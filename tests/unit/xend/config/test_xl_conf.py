"""xl.conf(5): what its keys come to, and a line for each that is wrong or has no effect."""

from pathlib import Path

import pytest

from xend.config.defaults import Defaults
from xend.config.domain import parse
from xend.config.xl_conf import XlConf, XlConfFile, read_xl_conf, xl_conf_of

EVERYTHING = """
# as an administrator has it
autoballoon="off"
lockfile="/var/lock/xl"
output_format="sxp"
blkdev_start="xvda"
run_hotplug_scripts=1
vif.default.backend="net"
vif.default.gatewaydev="eth0"
vif.default.script="vif-route"
vif.default.bridge="br7"
remus.default.netbufscript="/x"
colo.default.proxyscript="/x"
claim_mode=0
domid_policy="xen"
max_grant_frames=64
max_maptrack_frames=0x400
max_grant_version=2
vm.cpumask="0-7"
vm.pv.cpumask="0-3"
vm.hvm.cpumask="3-7"
"""

#: A line of the file, and what is told of it.
WRONG = {
    'autoballoon="maybe"': 'autoballoon = "maybe": expected "off", "on" or "auto"; so it has no effect, and '
    "dom0 gives memory to new domains unless dom0_mem is on the hypervisor's command line (auto)",
    "autoballoon=7": "autoballoon = 7: expected",
    "run_hotplug_scripts=0": "run_hotplug_scripts = 0 has no effect: xend runs the scripts",
    'run_hotplug_scripts="no"': 'run_hotplug_scripts = "no": expected 0 or 1; so it has no effect, and x',
    'domid_policy="random"': 'domid_policy = "random" has no effect: the hypervisor chooses',
    'output_format="xml"': 'output_format = "xml": expected "json" or "sxp"; so it has no effect, '
    "and json holds",
    "vif.default.bridge=5": "vif.default.bridge = 5: expected a text in quotes; so it has no effect, and "
    "bridge0",
    'vif.default.bridge=["a"]': "vif.default.bridge = a list: expected a text in quotes",
    'vif.default.bridge=""': 'vif.default.bridge = "": expected a text of printable characters',
    'vif.default.bridge+="x"': 'vif.default.bridge = "x": expected = and one value',
    'defaultbridge="br7"': "defaultbridge is the old name of this key (call it vif.default.bridge)",
    'max_grant_frames="many"': 'max_grant_frames = "many": expected a number from 1 to',
    "max_grant_version=3": "max_grant_version = 3: expected a number from 1 to 2; so it has no effect, "
    "and what",
    'vm.cpumask="3-1"': 'vm.cpumask = "3-1": expected a range that rises, up to 16383; so it has no '
    "effect, and every CPU may be used",
    'vif.defualt.bridge="x"': '"vif.defualt.bridge" has no effect: there is no such key (did you mean '
    "vif.default.bridge",
    'vm.cpumask="0-3': "found a text without its closing quote",
}


def test_every_key_of_xl_is_known() -> None:
    conf = xl_conf_of(EVERYTHING, "xl.conf")
    assert conf == XlConf(
        defaults=Defaults(
            vif_script="vif-route",
            vif_bridge="br7",
            vif_gatewaydev="eth0",
            vif_backend="net",
            max_grant_frames=64,
            max_maptrack_frames=0x400,
            max_grant_version=2,
            cpumask="0-7",
            pv_cpumask="0-3",
            hvm_cpumask="3-7",
        ),
        claims_memory=False,
        autoballoon="off",
        output_format="sxp",
        problems=[],
    )


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_told_in_one_line_and_the_rest_has_effect(line: str) -> None:
    conf = xl_conf_of(f"claim_mode=0\n{line}\n", "/etc/xen/xl.conf")
    (told,) = conf.lines()
    assert told.startswith("/etc/xen/xl.conf:2: ")
    assert told.removeprefix("/etc/xen/xl.conf:2: ").startswith(WRONG[line])
    if "nothing of the file has effect" not in told:
        assert not conf.claims_memory


@pytest.mark.parametrize(
    ("value", "word"), [('"on"', "on"), ("1", "on"), ('"1"', "on"), ("0", "off"), ('"auto"', "auto")]
)
def test_autoballoon_as_xl_reads_it(value: str, word: str) -> None:
    conf = xl_conf_of(f"autoballoon={value}", "xl.conf")
    assert (conf.autoballoon, conf.problems) == (word, [])


def test_a_file_that_is_edited_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "xl.conf"
    file = XlConfFile(str(path))
    assert file.now() == XlConf()
    assert file.now() is file.now()
    path.write_text("claim_mode=0\n")
    assert not file.now().claims_memory
    path.write_text("claim_mode=\n")
    (line,) = file.now().lines()
    assert line.startswith(f"{path}:1: ")
    path.with_name("new").write_text('output_format="sxp"\n')
    path.with_name("new").rename(path)  # as editors do it
    assert file.now() == XlConf(output_format="sxp", problems=[])
    path.unlink()
    assert file.now() == XlConf()


def test_a_file_that_is_not_there_or_cannot_be_read(tmp_path: Path) -> None:
    assert read_xl_conf(str(tmp_path / "xl.conf")) == XlConf()
    assert read_xl_conf(str(tmp_path)).lines() == [
        f"{tmp_path}: it cannot be read (Is a directory); nothing of it has effect"
    ]


def test_defaults_hold_where_a_configuration_says_nothing() -> None:
    text = (
        'name = "a"\nkernel = "/k"\nmax_grant_frames = 9\n'
        "vif = [ '', 'backend=0,bridge=own,script=vif-nat,gatewaydev=eth9' ]"
    )
    config = parse(text, source="a")
    given = Defaults(
        vif_script="vif-route",
        vif_bridge="br7",
        vif_gatewaydev="eth0",
        vif_backend="net",
        max_grant_frames=64,
        max_grant_version=1,
        cpumask="0-7",
        hvm_cpumask="0",
    )
    assert Defaults.of(given.given()) == given
    for wrong in ({"unheard_of": 1}, {"vif_bridge": 1}, {"cpumask": "3-1"}):
        with pytest.raises((ValueError, TypeError), match=r"no defaults|expected|must be"):
            Defaults.of(wrong)
    assert Defaults.of(given.given(without_masks=True)).masks("pvh") == []
    applied = given.applied(config)
    first, second = applied.of_kind("vif")
    assert (first.backend, first.bridge, first.script, first.gatewaydev) == (
        "net",
        "br7",
        "vif-route",
        "eth0",
    )
    assert (second.backend, second.bridge, second.script, second.gatewaydev) == (
        "0",
        "own",
        "vif-nat",
        "eth9",
    )
    assert (applied.limits.grant_frames, applied.limits.grant_version) == (9, 1)
    assert [mask.text for mask in applied.cpu_masks] == ["0-7"]
    assert given.masks("pvh") == ["0-7", "0"]
