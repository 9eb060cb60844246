"""xl trigger and button-press: an interrupt for a virtual CPU, or a button of a domain's machine."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command
from xenclient.cli.xl.numbers import whole
from xenclient.cli.xl.operation import perform
from xenclient.cli.xl.printing import log

TRIGGERS = ("nmi", "reset", "init", "power", "sleep", "s3resume")
BUTTONS = ("power", "sleep")


def trigger(call: Call) -> int:
    domain, word, *vcpu = call.arguments
    if word not in TRIGGERS:
        raise call.usage_error(f"{word!r} is none of {', '.join(TRIGGERS)}")
    number = whole(call, "VCPU", vcpu[0]) if vcpu else None
    perform(call, "domain.trigger", domain=domain, trigger=word, vcpu=number)
    return 0


def button_press(call: Call) -> int:
    domain, button = call.arguments
    log('WARNING: "button-press" is deprecated. Please use "trigger"\n')
    if button not in BUTTONS:
        raise call.usage_error(f"{button!r} is none of {', '.join(BUTTONS)}")
    perform(call, "domain.trigger", domain=domain, trigger=button)
    return 0


TRIGGER = Command("DOM nmi|reset|init|power|sleep|s3resume [VCPU]", trigger, DRY_RUN)
BUTTON_PRESS = Command("DOM power|sleep", button_press, DRY_RUN)
