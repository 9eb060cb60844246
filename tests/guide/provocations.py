"""How each message of the guide comes to be printed, and how that is mended again.

In order; a row's commands are a shell script, run where the one before has left things.  Begins with a host
on which all is installed and nothing runs.
"""

from typing import NamedTuple


class Provocation(NamedTuple):
    """A message's row, by how it begins in the guide."""

    begins: str
    script: str
    mend: str = ":"


NOBODY = "65534"
AS_NOBODY = f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups"
RUN = "/var/run/xenstored"
COMMONS = "/etc/rc.d/xencommons"
XEND = "/etc/rc.d/xend"
DOMAINS = "/etc/rc.d/xendomains"
ETC = "/usr/pkg/etc/xen"
INIT = "/usr/pkg/sbin/xen-init-dom0"
UP = f"{COMMONS} start && {XEND} start"
DOWN = f"{XEND} stop; {COMMONS} stop"
#: Until it has ended: whoever connects a moment after the signal may still be taken for a client.
KILL_XEND = "pid=$(cat /var/run/xend.pid); kill -9 $pid; while kill -0 $pid 2>/dev/null; do :; done"
#: Lines of rc.conf that hold for one row.
KEEP, BACK = "cp /etc/rc.conf /tmp/rc.conf", "cp /tmp/rc.conf /etc/rc.conf"


def with_line(line: str, command: str) -> str:
    """A command under a further line of rc.conf."""
    return f"{KEEP}; echo '{line}' >>/etc/rc.conf; {command}"


def configured(second_line: str) -> str:
    """Creates a domain whose configuration has that line."""
    return f"printf 'kernel = \"/netbsd-XEN3_DOMU.gz\"\\n%s\\n' '{second_line}' >{ETC}/bar; xl create bar"


#: The machine is switched on again, with a kernel of dom0 that sees no devices.
NO_DRIVERS = (
    "kill $(cat /sim/host.pid); while [ -e /sim/host.pid ]; do :; done; rm -rf /sim /var/run/xen*; "
    "/usr/pkg/bin/python3.11 -m xend.simulator /sim --flavour netbsd --backend-faults never-probe"
)
SLOW = "xl network-attach foo script=vif-mine"
NO_BAR = f"rm {ETC}/bar"

START = (
    Provocation("xencommons: kernfs is not", f"mv /kern/* /machine/kern; {COMMONS} start", "mount /kern"),
    Provocation("xencommons: this kernel", f"mv /kern/xen /tmp; {COMMONS} start", "mv /tmp/xen /kern"),
    Provocation(
        "xencommons: this is a guest",
        f"mv /kern/xen/privcmd /tmp; {COMMONS} start", "mv /tmp/privcmd /kern/xen",
    ),
    Provocation(
        "xencommons: /dev/xenevt",
        f"umount /dev/xenevt /dev/xsd_kva; {COMMONS} start", "cd /dev && sh MAKEDEV xen",
    ),
    Provocation(f"xencommons: {RUN} is in the way", f"echo >{RUN}; {COMMONS} start", f"rm {RUN}"),
    Provocation(
        f"xencommons: {RUN} has mode", f"mkdir {RUN}; chmod 777 {RUN}; {COMMONS} start", f"chmod go-w {RUN}"
    ),
    Provocation(f"xencommons: {RUN} belongs", f"chown {NOBODY} {RUN}; {COMMONS} start", f"chown 0:0 {RUN}"),
    Provocation(
        "xenstored: ", f"/usr/pkg/sbin/xenstored --platform none --pid-file /tmp/pid; {COMMONS} start",
        "pid=$(cat /tmp/pid); kill $pid; while kill -0 $pid 2>/dev/null; do :; done",
    ),
    Provocation("xend: there is no xenstored", f"{XEND} start"),
    Provocation(
        "xencommons: the nodes", f"mv {INIT} /tmp; {COMMONS} start",
        f"mv /tmp/xen-init-dom0 {INIT}; {COMMONS} restart",
    ),
    Provocation("xencommons already", f"{COMMONS} start"),
    Provocation("$xend is not enabled", with_line("xend=NO", f"{XEND} start"), BACK),
    Provocation(
        f"xend: {RUN}/socket has mode", f"chmod 777 {RUN}/socket; {XEND} start", f"chmod 600 {RUN}/socket"
    ),
    Provocation(f"xend: {RUN}/socket belongs", f"chown {NOBODY} {RUN}/socket; {XEND} start"),
    Provocation(
        f"xend: {RUN}/socket is no socket", f"rm {RUN}/socket; echo >{RUN}/socket; {XEND} start",
        f"rm {RUN}/socket; {COMMONS} onerestart",
    ),
    Provocation(
        "xend: xenconsoled", with_line("xend=NO", f"{COMMONS} restart; {BACK}; {XEND} start"),
        f"{COMMONS} restart",
    ),
    Provocation(
        "xend: xenbackendd", with_line("xend=NO", f"/etc/rc.d/xenbackendd onestart; {BACK}; {XEND} start"),
        "/etc/rc.d/xenbackendd onestop",
    ),
    Provocation("xenbackendd: xend runs", "/etc/rc.d/xenbackendd onestart"),
    Provocation("xendomains: xend does not run:", f"{DOMAINS} onestart"),
    Provocation("xend: no Xen here", "/usr/pkg/sbin/xend"),
    Provocation("xl: no socket", "xl list"),
    Provocation(
        "xend: /var/run/xend/socket is served", f"{XEND} start; /usr/pkg/sbin/xend --hypervisor sim:/sim"
    ),
    Provocation(
        "xend: xend (pid",
        with_line("xend_stop_seconds=1", f"kill -STOP $(cat /var/run/xend.pid); {XEND} stop"),
        f"{BACK}; pid=$(cat /var/run/xend.pid); kill -CONT $pid; while kill -0 $pid; do :; done; "
        f"{XEND} start",
    ),
    Provocation("xl: nobody listens", f"{KILL_XEND}; xl list", f"{XEND} start"),
    Provocation("xl: no permission", f"{AS_NOBODY} /usr/pkg/bin/xl list"),
    Provocation("xenstore-ls: no permission", f"{AS_NOBODY} /usr/pkg/bin/xenstore-ls"),
)  # fmt: skip

DOMAIN = (
    Provocation("xl: cannot read bar", "xl create bar"),
    Provocation("xl: warning: bar:2:", configured("memroy = 12"), f"{NO_BAR}; xl destroy bar"),
    Provocation("xl: bar:2: dtdev", configured('dtdev = [ "/x" ]'), NO_BAR),
    Provocation("xl: bar:2: found", configured("import os"), NO_BAR),
    Provocation("xl: kernel", "xl create foo kernel=/netbsd-FOO"),
    Provocation("xl: cannot load its kernel", "xl create foo kernel=/vm/foo-wd0"),
    Provocation("xl: vbd 0x0: disk", "xl create foo 'disk=[\"file:/vm/none,0x0,w\"]'"),
    Provocation("xl: domain foo exists", "xl create -q foo; xl create foo"),
    Provocation("xl: domain bar does not exist", "xl destroy bar"),
    Provocation("xl: it needs 9000", "xl create foo name=bar memory=9000 'disk=[]'"),
    Provocation("xl: it needs 4000", "xl create foo name=bar memory=4000 'disk=[]'"),
    Provocation("xl: vbd 0x1: /vm/foo-wd0", "xl block-attach foo file:/vm/foo-wd0,0x1,w"),
    Provocation("xl: foo has a vbd 0x0", "xl block-attach foo file:/vm/foo-wd0,0x0,r"),
    Provocation("xl: vbd 0x1: /usr/pkg", "xl block-attach foo phy:/dev/null,0x1,r"),
    Provocation("xl: vif 1: /usr/pkg/etc/xen/scripts/vif-bridge", "xl network-attach foo bridge=bridge7"),
    Provocation("likely cause: the bridge", "xl device-explain foo vif 1"),
    Provocation(
        f"xl: vif 1: script {ETC}/scripts/vif-bridge",
        f"chmod 644 {ETC}/scripts/vif-bridge; xl network-attach foo",
        f"chmod 755 {ETC}/scripts/vif-bridge",
    ),
    Provocation(f"xl: vif 1: script {ETC}/scripts/vif-mine", "xl network-attach foo script=vif-mine"),
    Provocation("xl: vif 1: /usr/pkg/etc/xen/scripts/vif-nat", "xl network-attach foo script=vif-nat"),
    Provocation(
        f"xl: vif 1: {ETC}/scripts/vif-mine did not end",
        f"printf '#!/bin/sh\\n>/tmp/begun; sleep 100\\n' >{ETC}/scripts/vif-mine; "
        f"chmod 755 {ETC}/scripts/vif-mine; {SLOW}",
    ),
    Provocation(
        f"xl: warning: vif 1: {ETC}/scripts/vif-ours exited",
        f"printf '#!/bin/sh\\n[ $2 = 2 ] || {{ echo no; exit 1; }}\\nexec {ETC}/scripts/vif-bridge $*\\n' "
        f">{ETC}/scripts/vif-ours; chmod 755 {ETC}/scripts/vif-ours; "
        "xl network-attach foo script=vif-ours; xl network-detach -f foo 1",
    ),
    Provocation(
        "likely cause: the guest's kernel",
        "xl create -q /dev/null name=bar kernel=/netbsd-XEN3_DOMU.gz 'vif=[\"\"]' extra=sim=never-answer; "
        "xl device-explain bar vif 0", "xl destroy bar",
    ),
    Provocation(
        "xl: device attach of foo",
        f"rm /tmp/begun; {SLOW} & until [ -e /tmp/begun ]; do :; done; xl pause foo; wait",
    ),
    Provocation("Starting live update failed:", "xenstore-control live-update /usr/bin/true"),
    Provocation("xencommons: domains that still run: 1; they wait", f"{COMMONS} stop", f"{COMMONS} start"),
    Provocation(
        "xencommons: domains that still run: 1; without",
        with_line('xenstored_flags="--no-journal"', f"{COMMONS} restart"), BACK,
    ),
)  # fmt: skip

HOST = (
    Provocation(
        "xendomains: /root",
        with_line("xendomains=foo xendomains_prehook=/root/%s-pre", f"{DOMAINS} start"), BACK,
    ),
    Provocation(
        "xendomains: xendomains_lastresort",
        with_line("xendomains=foo xendomains_lastresort=pray", f"{DOMAINS} start"), BACK,
    ),
    Provocation(
        "xendomains: xendomains_deadline",
        with_line("xendomains=foo xendomains_deadline=2m", f"{DOMAINS} start"), BACK,
    ),
    Provocation(
        "xendomains: xend does not run, and",
        with_line("xendomains=bar", f"{KILL_XEND}; {DOMAINS} stop"), BACK,
    ),
    Provocation("xendomains: foo", with_line("xendomains=bar", f"{DOMAINS} stop"), f"{BACK}; xl destroy foo"),
    Provocation("bar: failed", "xl autostart bar"),
    Provocation("foo: failed: /usr/pkg", f"chmod g+w {ETC}/foo; xl autostart foo", f"chmod go-w {ETC}/foo"),
    Provocation(
        "foo: not started",
        f"cp {ETC}/foo /tmp/foo; echo 'autostart_after = [\"db\"]' >>{ETC}/foo; xl autostart foo",
        f"cp /tmp/foo {ETC}/foo",
    ),
    Provocation(
        f"foo: failed: hook {ETC}/foo-pre is not",
        f"printf '#!/bin/sh\\nexit 1\\n' >{ETC}/foo-pre; xl autostart --prehook %s-pre foo",
        f"chmod 755 {ETC}/foo-pre",
    ),
    Provocation(f"foo: failed: hook {ETC}/foo-pre ended", "xl autostart --prehook %s-pre foo"),
    Provocation("xl: 1 of 1 did not come up", "xl autostart --prehook %s-pre foo"),
    Provocation(
        "foo: destroyed",
        f"echo 'extra = \"sim=hang-shutdown\"' >>{ETC}/foo; xl autostart foo; xl autostop --deadline 1 foo",
        f"cp /tmp/foo {ETC}/foo",
    ),
    Provocation(
        "xl: vif 0: its backend",
        f"{DOWN}; {NO_DRIVERS}; {UP}; xl create -q foo 'disk=[]' 'vif=[]'; xl network-attach foo",
    ),
)  # fmt: skip

ALL = (*START, *DOMAIN, *HOST)
