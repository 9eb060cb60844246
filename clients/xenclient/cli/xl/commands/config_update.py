"""xl config-update: another configuration for the further lives of a domain."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command, Option
from xenclient.cli.xl.operation import perform
from xenclient.cli.xl.source import read_source


def run(call: Call) -> int:
    domain, *words = call.arguments
    files = [word for word in words if "=" not in word]
    if (file := call.value("defconfig")) is not None:
        files.insert(0, file)
    if len(files) != 1:
        raise call.usage_error("needs one configuration file")
    source = read_source(files[0])
    extra = [word for word in words if "=" in word]
    perform(call, "domain.update_config", domain=domain, **source.parameters(), extra=extra)
    return 0


CONFIG_UPDATE = Command(
    "DOM FILE [KEY=VALUE ...]",
    run,
    Option("f", "defconfig", "the configuration file", "FILE"),
    Option("d", "debug", "accepted: xl config-check shows what it comes to"),
    DRY_RUN,
    least=1,  # -f may name the file
)
