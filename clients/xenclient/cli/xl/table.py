"""The table of sub-commands: a row each, and how a word finds its row.

A row is what the help and the search for a name need; all else stands in the row's module, which is imported
only if its sub-command is called.
"""

from __future__ import annotations

from xenclient.cli.xl.command import Command
from xenclient.cli.xl.failure import Failure


class Row:
    """One sub-command.

    Attributes:
        text: the help's line of it.
        module: in `commands`; named as the sub-command is, unless it declares several.
    """

    def __init__(self, name: str, text: str, module: str = "") -> None:
        self.name = name
        self.text = text
        self.module = module or name.replace("-", "_")

    def command(self) -> Command:
        """Its declaration: MEM_SET in the module of mem-set. Imports the module."""
        constant = self.name.replace("-", "_").upper()
        module = __import__(f"xenclient.cli.xl.commands.{self.module}", fromlist=[constant])
        declared: Command = getattr(module, constant)
        return declared


#: In the order of the help.
COMMANDS = (
    Row("create", "create a domain"),
    Row("new", "put a configuration where configurations are kept"),
    Row("start", "start a domain that is configured", "new"),
    Row("edit", "change a configuration that is kept"),
    Row("delete", "remove a configuration that is kept", "new"),
    Row("config-check", "what is wrong with a configuration, before it is started"),
    Row("list", "list domains"),
    Row("destroy", "end a domain at once"),
    Row("shutdown", "ask a domain to shut down"),
    Row("reboot", "ask a domain to reboot", "shutdown"),
    Row("autostart", "start the host's domains, in their order"),
    Row("autostop", "stop the host's domains, in reverse order", "autostart"),
    Row("pause", "stop a domain from running"),
    Row("unpause", "let a paused domain run", "pause"),
    Row("save", "write a domain to a file, and end it"),
    Row("restore", "let a domain go on that was saved to a file"),
    Row("suspend", "have a domain stop itself in memory"),
    Row("resume", "let a suspended domain go on", "suspend"),
    Row("console", "attach to a domain's console; ^] ends"),
    Row("vncviewer", "show a domain's screen"),
    Row("rename", "give a domain another name"),
    Row("mem-set", "set a domain's memory (MiB without suffix)"),
    Row("mem-max", "limit a domain's memory"),
    Row("vcpu-list", "list domains' virtual CPUs"),
    Row("vcpu-pin", "say on which of the host's CPUs virtual ones run"),
    Row("vcpu-set", "set how many of its virtual CPUs a domain uses"),
    Row("sched-credit", "shares of the CPUs under the scheduler credit"),
    Row("sched-credit2", "shares of the CPUs under the scheduler credit2"),
    Row("sched-rtds", "shares of the CPUs under the scheduler rtds"),
    Row("cpupool-create", "make a CPU pool", "cpupool"),
    Row("cpupool-list", "list CPU pools", "cpupool"),
    Row("cpupool-destroy", "end a CPU pool", "cpupool"),
    Row("cpupool-rename", "give a CPU pool another name", "cpupool"),
    Row("cpupool-cpu-add", "put CPUs into a CPU pool", "cpupool"),
    Row("cpupool-cpu-remove", "take CPUs out of a CPU pool", "cpupool"),
    Row("cpupool-migrate", "move a domain to another CPU pool", "cpupool"),
    Row("cpupool-numa-split", "make a CPU pool for each NUMA node", "cpupool"),
    Row("top", "the load of all domains, as it changes"),
    Row("info", "facts about the host"),
    Row("dmesg", "print the hypervisor's messages"),
    Row("domid", "the domid of a name"),
    Row("domname", "the name of a domid"),
    Row("claims", "list domains and the memory set aside for them"),
    Row("sharing", "list domains and the memory they share"),
    Row("uptime", "how long domains have been running"),
    Row("vm-list", "list UUID, domid and name"),
    Row("network-attach", "put an interface into a domain", "network"),
    Row("network-detach", "take an interface out of a domain", "network"),
    Row("network-list", "list domains' interfaces", "network"),
    Row("block-attach", "put a disk into a domain", "block"),
    Row("block-detach", "take a disk out of a domain", "block"),
    Row("block-list", "list domains' disks", "block"),
    Row("cd-insert", "put a disc into a CD drive", "cd"),
    Row("cd-eject", "empty a CD drive", "cd"),
    Row("vtpm-attach", "put a virtual TPM into a domain", "vtpm"),
    Row("vtpm-detach", "take a virtual TPM out of a domain", "vtpm"),
    Row("vtpm-list", "list domains' virtual TPMs", "vtpm"),
    Row("vkb-attach", "put a keyboard and pointer into a domain", "vkb"),
    Row("vkb-detach", "take a keyboard and pointer out of a domain", "vkb"),
    Row("vkb-list", "list domains' keyboards and pointers", "vkb"),
    Row("channel-list", "list domains' channels", "channel"),
    Row("usbctrl-attach", "put a USB controller into a domain", "usb"),
    Row("usbctrl-detach", "take a USB controller out of a domain", "usb"),
    Row("usbdev-attach", "give a domain a USB device of the host", "usb"),
    Row("usbdev-detach", "take a USB device of the host from a domain", "usb"),
    Row("usb-list", "list a domain's USB controllers and devices", "usb"),
    Row("pci-attach", "give a domain a PCI device of the host", "pci"),
    Row("pci-detach", "take a PCI device of the host from a domain", "pci"),
    Row("pci-list", "list a domain's PCI devices of the host", "pci"),
    Row("pci-assignable-add", "make PCI devices assignable to domains", "pci"),
    Row("pci-assignable-remove", "give PCI devices back to dom0", "pci"),
    Row("pci-assignable-list", "list the PCI devices that domains may be given", "pci"),
    Row("device-explain", "why a device does not work"),
    Row("sysrq", "send a system request to a domain"),
    Row("trigger", "send an interrupt to a domain, or press its button"),
    Row("button-press", "press a domain's button (old: see trigger)", "trigger"),
    Row("qemu-monitor-command", "a command for a domain's device model"),
    Row("dump-core", "write a domain's memory to a file"),
    Row("config-update", "another configuration for a domain's next life"),
    Row("debug-keys", "send debug keys to the hypervisor"),
    Row("set-parameters", "change parameters of the hypervisor"),
    Row("getenforce", "the mode of the security module FLASK", "flask"),
    Row("setenforce", "set the mode of FLASK", "flask"),
    Row("loadpolicy", "give FLASK another policy", "flask"),
    Row("xenstore-quota-get", "list what domains may take of the store", "xenstore_quota"),
    Row("xenstore-quota-set", "set what domains may take of the store", "xenstore_quota"),
    Row("devd", "run the scripts of a driver domain's backends"),
    Row("events", "print what happens, as it does"),
    Row("help", "this, or a command's options"),
)

#: What Xen's xl has besides, and this one has not yet.
LATER = (
    "migrate", "migrate-receive", "vdispl-attach", "vdispl-list", "vdispl-detach", "vsnd-attach", "vsnd-list",
    "vsnd-detach",
)  # fmt: skip

#: What Xen's xl has besides, and this one will not have, and why.
NEVER = {
    "remus": "it copies a domain to a second host all the time, which nobody here can do",
    "dt-overlay": "it is for hosts with Arm processors",
    **dict.fromkeys(
        (
            "psr-cmt-attach", "psr-cmt-detach", "psr-cmt-show", "psr-cat-set", "psr-cat-show", "psr-mba-set",
            "psr-mba-show", "psr-hwinfo",
        ),
        "sharing out caches and memory bandwidth of some of Intel's processors is out of scope",
    ),
}  # fmt: skip

#: With what the names of LATER that begin so come.
_WITH = (
    (("vdispl-", "vsnd-"), "its device types"),
    (("migrate",), "moving domains"),
)

#: How many names an error lists.
SHOWN = 12


def find(word: str) -> Row:
    """The sub-command of this name, or of the only one that begins so.

    Raises:
        Failure: there is none, there are several, or Xen's xl has it and this one not yet.
    """
    rows = {row.name: row for row in COMMANDS}
    if word in rows:
        return rows[word]
    names = [*rows, *LATER, *NEVER]
    found = [word] if word in (*LATER, *NEVER) else [name for name in names if word and name.startswith(word)]
    if not found:
        raise _unknown(word, list(rows))
    if len(found) > 1:
        more = ", ..." if len(found) > SHOWN else ""
        raise Failure(f"{word!r} is ambiguous: {', '.join(found[:SHOWN])}{more}")
    if found[0] in NEVER:
        raise Failure(f"{found[0]} is not there: {NEVER[found[0]]}", hint="PROGRAM help lists what is")
    if found[0] in LATER:
        raise Failure(f"{found[0]} is not there yet{_with(found[0])}", hint="PROGRAM help lists what is")
    return rows[found[0]]


def _with(name: str) -> str:
    """What it comes with, as the rest of a sentence."""
    return next((f": it comes with {what}" for begins, what in _WITH if name.startswith(begins)), "")


def _unknown(word: str, names: list[str]) -> Failure:
    from xenclient.cli.xl.suggestions import meant

    found = " or ".join(f"PROGRAM {line}" for line in meant(word, names))
    hint = f"did you mean {found}?" if found else "PROGRAM help lists them"
    return Failure(f"no sub-command {word!r}", hint=hint)
