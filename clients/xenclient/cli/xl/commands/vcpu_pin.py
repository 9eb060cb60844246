"""xl vcpu-pin: on which of the host's CPUs virtual ones may run, and should run.

Source of the dry run's line: Debian's xl 4.17 prints it with -N (tools/xl/check-xl-vcpupin-parse reads it).
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command, Option
from xenclient.cli.xl.cpu_ranges import cpus_text
from xenclient.cli.xl.numbers import whole
from xenclient.cli.xl.operation import perform

#: What leaves CPUs as they are.
AS_IT_WAS = "-"


def run(call: Call) -> int:
    domain, vcpu, hard, *rest = call.arguments
    soft = rest[0] if rest else AS_IT_WAS
    number = None if vcpu == "all" else whole(call, "VCPU", vcpu)
    force = call.given("force")
    if force and number is None:
        raise call.usage_error("--force is for one vCPU, not for all")
    if hard == soft == AS_IT_WAS:
        raise call.usage_error("neither HARD nor SOFT says on which CPUs")
    # -N before the sub-command prints the CPUs, as Xen's xl does, and no steps.
    if call.settings.dry_run and not call.given("dry-run"):
        words = [_named(call, each) for each in ([hard] if soft == AS_IT_WAS else [hard, soft])]
        call.show({"cpumap": words}, f"cpumap: {' '.join(words)}\n")
        return 0
    perform(
        call,
        "domain.pin_vcpus",
        domain=domain,
        vcpu=number,
        hard=None if hard == AS_IT_WAS else hard,
        soft=None if soft == AS_IT_WAS else soft,
        force=force or None,
        ignore_masks=call.given("ignore-global-affinity-masks") or None,
    )
    return 0


VCPU_PIN = Command(
    "DOM VCPU|all HARD|-|all [SOFT|-|all]",
    run,
    Option("f", "force", "although something holds the vCPU on a CPU for a while"),
    Option("i", "ignore-global-affinity-masks", "pass over vm.cpumask and its like in xl.conf"),
    DRY_RUN,
)


def _named(call: Call, text: str) -> str:
    """The host's CPUs that a text means, as a table prints them."""
    if text == AS_IT_WAS:
        return text
    meant = call.client.call("cpus.show", text=text)
    return cpus_text(meant["cpus"], meant["count"])
