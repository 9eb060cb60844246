"""The table of sub-commands, and how a word finds its row."""

from __future__ import annotations

from xenclient.cli.xl.command import ANY, DRY_RUN, JSON, Command, Option
from xenclient.cli.xl.failure import Failure

STOPPING = (
    Option("a", "all", "all domains but Domain-0"),
    Option("w", "wait", "return when the domain has stopped"),
    Option("F", "", "stop a domain that does not answer, as a power button would"),
    DRY_RUN,
)

CONSOLE = (
    Option("t", "type", "kind of console: pv", "TYPE"),
    Option("n", "num", "number of the console: 0", "N"),
    Option("e", "escape", "what ends it, ^] unless given", "CHAR"),
)
CREATE = (
    Option("f", "defconfig", "the configuration file", "FILE"),
    Option("p", "paused", "leave the domain paused"),
    Option("c", "console", "attach to its console"),
    Option("n", "dryrun", "print the configuration as JSON, create nothing"),
    Option("q", "quiet", "do not name the configuration file"),
    Option("d", "debug", "print the configuration as JSON too"),
    Option("e", "", "accepted: xend, not xl, waits for the domain's end"),
    Option("F", "", "wait until the domain is gone"),
    Option("", "ignore-global-affinity-masks", "accepted: xend has none"),
    DRY_RUN,
)
EVENTS = (
    Option("", "since", "resume after the event of this number", "SEQ"),
    Option("", "kind", "only these: domain, device, operation, autostart (comma or again)", "KIND"),
    Option("", "watch", "changes of the store at PATH too", "PATH"),
    Option("", "json", "one object a line"),
)
DETACH = (
    Option("f", "force", "whether the guest lets go of it or not"),
    DRY_RUN,
    JSON,
)
AUTOSTART = (
    Option("", "prehook", "program to run before a domain is created, %s its name", "FORMAT"),
    Option("", "posthook", "program to run once a domain is up, %s its name", "FORMAT"),
    DRY_RUN,
    JSON,
)
AUTOSTOP = (
    Option("a", "all", "all domains but Domain-0"),
    Option("", "deadline", "for all; 60 and 5 for each domain unless given", "SECONDS"),
    Option("", "last-resort", "what is done then: destroy (unless given), or leave", "WORD"),
    DRY_RUN,
    JSON,
)
LIST = (
    Option("l", "long", "whole configurations, as JSON"),
    Option("v", "verbose", "UUID, shutdown reason and security label too"),
    Option("c", "cpupool", "cpupool too"),
    Option("n", "numa", "NUMA nodes too"),
    Option("Z", "context", "security label too"),
    Option("", "columns", "only these, apart by tabulators, for scripts: name,domid,...", "NAMES"),
    Option("", "no-header", "without the line of titles"),
    JSON,
)

COMMANDS = (
    Command("create", "create:create", "FILE [KEY=VALUE ...]", "create a domain", *CREATE, most=ANY),
    Command("list", "listing:list_", "[DOM ...]", "list domains", *LIST, most=ANY),
    Command(
        "destroy", "lifecycle:destroy", "DOM", "end a domain at once",
        Option("f", "", "accepted: xend never ends Domain-0"), DRY_RUN, least=1,
    ),
    Command("shutdown", "stopping:shutdown", "-a|DOM", "ask a domain to shut down", *STOPPING, most=1),
    Command("reboot", "stopping:reboot", "-a|DOM", "ask a domain to reboot", *STOPPING, most=1),
    Command(
        "autostart", "autostart:autostart", "[NAME ...]", "start the host's domains, in their order",
        *AUTOSTART, most=ANY,
    ),
    Command(
        "autostop", "autostart:autostop", "[-a|NAME ...]", "stop the host's domains, in reverse order",
        *AUTOSTOP, most=ANY,
    ),
    Command("pause", "lifecycle:pause", "DOM", "stop a domain from running", DRY_RUN, least=1),
    Command("unpause", "lifecycle:unpause", "DOM", "let a paused domain run", DRY_RUN, least=1),
    Command("console", "console:console", "DOM", "attach to a domain's console; ^] ends", *CONSOLE, least=1),
    Command("rename", "lifecycle:rename", "DOM NAME", "give a domain another name", DRY_RUN, least=2),
    Command(
        "mem-set", "memory:mem_set", "DOM SIZE[bkmgt]", "set a domain's memory (MiB without suffix)",
        DRY_RUN, least=2,
    ),
    Command(
        "info", "info:info", "[KEY]", "facts about the host",
        Option("n", "numa", "accepted: tables of nodes are not there yet"), JSON, most=1,
    ),
    Command(
        "dmesg", "dmesg:dmesg", "", "print the hypervisor's messages",
        Option("c", "clear", "forget them afterwards"), JSON,
    ),
    Command("domid", "identity:domid", "NAME", "the domid of a name", JSON, least=1),
    Command("domname", "identity:domname", "DOMID", "the name of a domid", JSON, least=1),
    Command(
        "uptime", "uptime:uptime", "[DOM ...]", "how long domains have been running",
        Option("s", "short", "without seconds and header"), JSON, most=ANY,
    ),
    Command("vm-list", "listing:vm_list", "", "list UUID, domid and name", JSON),
    Command(
        "network-attach", "devices:network_attach", "DOM [KEY=VALUE ...]", "put an interface into a domain",
        DRY_RUN, JSON, least=1, most=ANY,
    ),
    Command(
        "network-detach", "devices:network_detach", "DOM DEVID|MAC", "take an interface out of a domain",
        *DETACH, least=2,
    ),
    Command(
        "network-list", "device_list:network_list", "DOM ...", "list domains' interfaces",
        JSON, least=1, most=ANY,
    ),
    Command(
        "block-attach", "devices:block_attach", "DOM DISK ...", "put a disk into a domain",
        DRY_RUN, JSON, least=2, most=ANY,
    ),
    Command(
        "block-detach", "devices:block_detach", "DOM DEVID|VDEV", "take a disk out of a domain",
        *DETACH, least=2,
    ),
    Command(
        "block-list", "device_list:block_list", "DOM ...", "list domains' disks",
        JSON, least=1, most=ANY,
    ),
    Command(
        "cd-insert", "devices:cd_insert", "DOM VDEV PATH", "put a disc into a CD drive",
        DRY_RUN, JSON, least=3,
    ),
    Command("cd-eject", "devices:cd_eject", "DOM VDEV", "empty a CD drive", DRY_RUN, JSON, least=2),
    Command(
        "device-explain", "explain:device_explain", "DOM DEVICE", "why a device does not work",
        JSON, least=2, most=3,
    ),
    Command("sysrq", "lifecycle:sysrq", "DOM LETTER", "send a system request to a domain", DRY_RUN, least=2),
    Command("events", "events:events", "", "print what happens, as it does", *EVENTS),
    Command(
        "help", "help:help_", "[COMMAND]", "this, or a command's options",
        Option("", "long", "the options of all"), most=1,
    ),
)  # fmt: skip

#: What Xen's xl has besides, and this one has not yet.
LATER = (
    "config-update", "suspend", "resume", "vncviewer", "save", "restore", "migrate", "migrate-receive",
    "dump-core", "mem-max", "button-press", "trigger", "debug-keys",
    "set-parameters", "vcpu-list", "vcpu-pin", "vcpu-set", "top", "claims", "sharing", "sched-credit",
    "sched-credit2", "sched-rtds", "cpupool-create", "cpupool-list", "cpupool-destroy", "cpupool-rename",
    "cpupool-cpu-add", "cpupool-cpu-remove", "cpupool-migrate", "cpupool-numa-split", "pci-attach",
    "pci-detach", "pci-list", "pci-assignable-add", "pci-assignable-remove", "pci-assignable-list",
    "vtpm-attach", "vtpm-list", "vtpm-detach", "vkb-attach", "vkb-list", "vkb-detach", "vdispl-attach",
    "vdispl-list", "vdispl-detach", "vsnd-attach", "vsnd-list", "vsnd-detach", "usbctrl-attach",
    "usbctrl-detach", "usbdev-attach", "usbdev-detach", "usb-list", "channel-list", "devd", "getenforce",
    "setenforce", "loadpolicy", "remus", "psr-cmt-attach", "psr-cmt-detach", "psr-cmt-show", "psr-cat-set",
    "psr-cat-show", "psr-mba-set", "psr-mba-show", "psr-hwinfo", "qemu-monitor-command", "dt-overlay",
    "xenstore-quota-get", "xenstore-quota-set",
)  # fmt: skip

#: How many names an error lists.
SHOWN = 12


def find(word: str) -> Command:
    """The sub-command of this name, or of the only one that begins so.

    Raises:
        Failure: there is none, there are several, or Xen's xl has it and this one not yet.
    """
    exact = [command for command in COMMANDS if command.name == word]
    if exact:
        return exact[0]
    names = [command.name for command in COMMANDS] + list(LATER)
    found = [word] if word in LATER else [name for name in names if word and name.startswith(word)]
    if not found:
        raise Failure(f"no sub-command {word!r}", hint="PROGRAM help lists them")
    if len(found) > 1:
        more = ", ..." if len(found) > SHOWN else ""
        raise Failure(f"{word!r} is ambiguous: {', '.join(found[:SHOWN])}{more}")
    if found[0] in LATER:
        raise Failure(f"{found[0]} is not there yet", hint="PROGRAM help lists what is")
    return next(command for command in COMMANDS if command.name == found[0])
