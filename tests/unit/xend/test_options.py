"""xend's command line."""

import pytest

from xend.options import Options, UsageError, parse


def options(*words: str, **environment: str) -> Options:
    return parse(words, environment)


def test_the_simulator_has_a_store_of_its_own_and_lives_in_the_run_directory() -> None:
    chosen = options("--hypervisor=sim", "--rundir=/r")
    assert chosen.hypervisor == "sim:/r/sim"
    assert chosen.simulator_directory == "/r/sim"
    assert chosen.store is None
    assert chosen.store_socket == "/r/xenstored/socket"


STORES = [
    ((), {}, "/var/run/xenstored/socket"),
    ((), {"XENSTORED_RUNDIR": "/x"}, "/x/socket"),
    ((), {"XENSTORED_PATH": "/y", "XENSTORED_RUNDIR": "/x"}, "/y"),
    (("--store=/z",), {"XENSTORED_PATH": "/y"}, "/z"),
    (("--store=embedded",), {}, "/var/run/xend/xenstored/socket"),
    (("--hypervisor=sim:/s", "--store=/z"), {}, "/z"),
]


@pytest.mark.parametrize(("words", "environment", "socket"), STORES)
def test_where_the_store_is(words: tuple[str, ...], environment: dict[str, str], socket: str) -> None:
    assert options(*words, **environment).store_socket == socket


def test_interfaces_that_say_nothing_are_bridged_unless_it_is_told() -> None:
    assert (options().vif_script, options().bridge) == (None, None)
    chosen = options("--vif-script=vif-nat", "--bridge=br1")
    assert (chosen.vif_script, chosen.bridge) == ("vif-nat", "br1")


REFUSED = [
    (("--nosuch",), "unrecognized arguments: --nosuch"),
    (("--hypervisor=kvm",), "--hypervisor kvm: sim, sim:DIR, xen or auto was expected"),
    (("--hypervisor=sim:",), "--hypervisor sim:: sim, sim:DIR, xen or auto was expected"),
    (("--read-group=nosuchgroup",), "there is no group nosuchgroup"),
    (("--hotplug-seconds=0",), "argument --hotplug-seconds: '0': seconds above 0 were expected"),
    (("--platform=plan9",), "argument --platform: invalid choice: 'plan9' (choose from 'linux', 'netbsd')"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_is_no_option_is_refused(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(*words)
    assert str(caught.value) == message


def test_groups_may_be_numbers() -> None:
    chosen = options("--operate-group=0", "--read-group=12")
    assert (chosen.operate_gid, chosen.read_gid) == (0, 12)
