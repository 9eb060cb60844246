"""xl getenforce, setenforce and loadpolicy: the hypervisor's security module FLASK.

Source of what is printed: Debian's xl 4.17 (tools/xl/xl_flask.c).
"""

from __future__ import annotations

import os

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, JSON, Command
from xenclient.cli.xl.failure import Failure
from xenclient.cli.xl.operation import change

MODES = {"0": False, "1": True, "permissive": False, "enforcing": True}
#: The longest policy that is sent: a message of the bus has at most 1 MiB.
MOST_BYTES = 1_000_000
WORDS = {None: "Flask XSM Disabled", True: "Enforcing", False: "Permissive"}


def get(call: Call) -> int:
    shown = call.client.call("security.show")
    call.show(shown, f"{WORDS[shown['enforcing']]}\n")
    return 0


def set_(call: Call) -> int:
    mode = MODES.get(call.arguments[0].lower())
    if mode is None:
        raise call.usage_error(f"{call.arguments[0]!r} is none of 1, 0, Enforcing, Permissive")
    change(call, "security.set_enforcing", f"set the mode of FLASK to {WORDS[mode]}", enforcing=mode)
    return 0


def load(call: Call) -> int:
    (file,) = call.arguments
    try:
        with open(file, "rb") as opened:
            policy = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise Failure(f"cannot read {file}: {os.strerror(error.errno or 0)}") from error
    if not 0 < len(policy) <= MOST_BYTES:
        raise Failure(f"{file} has {len(policy)} bytes or more: a policy has 1 to {MOST_BYTES}")
    call.client.call("security.load_policy", policy=policy, dry_run=call.dry_run or None)
    call.show({}, "give FLASK this policy\n" if call.dry_run else "Successfully loaded policy.\n")
    return 0


GETENFORCE = Command("", get, JSON)
SETENFORCE = Command("1|0|Enforcing|Permissive", set_, DRY_RUN)
LOADPOLICY = Command("FILE", load, DRY_RUN, JSON)
