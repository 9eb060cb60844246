"""xl vcpu-set: how many of its virtual CPUs a domain uses."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command, Option
from xenclient.cli.xl.numbers import whole
from xenclient.cli.xl.operation import perform


def run(call: Call) -> int:
    domain, number = call.arguments
    perform(
        call,
        "domain.set_vcpus",
        domain=domain,
        vcpus=whole(call, "NUMBER", number),
        ignore_host=call.given("ignore-host") or None,
    )
    return 0


VCPU_SET = Command(
    "DOM NUMBER",
    run,
    Option("i", "ignore-host", "more than the host has CPUs, too"),
    DRY_RUN,
)
