"""xl cpupool-*: CPU pools, sets of the host's CPUs with a scheduler each.

Source of what is printed: Debian's xl 4.17 (tools/xl/xl_cpupool.c).
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, JSON, Command, Option
from xenclient.cli.xl.each import from_each
from xenclient.cli.xl.operation import perform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    #: As pool.list has it.
    Pool = Mapping[str, Any]

NAME_WIDTH = 19


def create(call: Call) -> int:
    words = [word for word in call.arguments if "=" in word]
    files = [word for word in call.arguments if "=" not in word]
    if (file := call.value("defconfig")) is not None:
        files.insert(0, file)
    if len(files) > 1:
        raise call.usage_error(f"{files[1]!r} is neither an option nor KEY=VALUE")
    if not files and not words:
        raise call.usage_error("needs a configuration file, or KEY=VALUE")
    given: dict[str, Any] = {"text": "", "extra": words}
    told = "command line"
    if files:
        from xenclient.cli.xl.source import read_source

        source = read_source(files[0])
        given.update(text=source.text, file=source.path)
        told = source.path
    dry_run = call.dry_run or call.given("dryrun")
    made = call.client.call("pool.create", dry_run=dry_run or None, **given)
    text = (
        f'Using config file "{told}"\n'
        f"cpupool name:   {made['name']}\n"
        f"scheduler:      {made['scheduler']}\n"
        f"number of cpus: {len(made['cpus'])}\n"
    )
    call.show(made, text)
    return 0


def list_(call: Call) -> int:
    def find(pool: str) -> Pool:
        (found,) = call.client.call("pool.list", pool=pool)
        return found  # type: ignore[no-any-return]

    pools, status = from_each(call, find) if call.arguments else (call.client.call("pool.list"), 0)
    if pools or call.json:
        call.show(pools, cpu_table(pools) if call.given("cpus") else table(pools))
    return status


def table(pools: Iterable[Pool]) -> str:
    """How many CPUs and domains each has."""
    lines = [f"{'Name':<{NAME_WIDTH}}CPUs   Sched     Active   Domain count"]
    lines += [
        f"{pool['name']:<{NAME_WIDTH}}{len(pool['cpus']):3} {pool['scheduler']:>9}       y       "
        f"{pool['domains']:4}"
        for pool in pools
    ]
    return "\n".join(lines) + "\n"


def cpu_table(pools: Iterable[Pool]) -> str:
    """Which CPUs each has."""
    lines = [f"{'Name':<{NAME_WIDTH}}CPU list"]
    lines += [f"{pool['name']:<{NAME_WIDTH}}{','.join(map(str, pool['cpus']))}" for pool in pools]
    return "\n".join(lines) + "\n"


def destroy(call: Call) -> int:
    return _change(call, "pool.destroy", "destroy the CPU pool {name}", pool=call.arguments[0])


def rename(call: Call) -> int:
    pool, name = call.arguments
    return _change(call, "pool.rename", "call the CPU pool {pool} {name}", pool=pool, name=name)


def add_cpus(call: Call) -> int:
    pool, cpus = call.arguments
    return _change(call, "pool.add_cpus", "add the CPUs {cpus} to the CPU pool {pool}", pool=pool, cpus=cpus)


def remove_cpus(call: Call) -> int:
    pool, cpus = call.arguments
    return _change(
        call, "pool.remove_cpus", "take the CPUs {cpus} out of the CPU pool {pool}", pool=pool, cpus=cpus
    )


def migrate(call: Call) -> int:
    domain, pool = call.arguments
    perform(call, "domain.set_pool", domain=domain, pool=pool)
    return 0


def split(call: Call) -> int:
    return _change(call, "pool.split", "have a CPU pool {name} with the CPUs {cpus}")


def _change(call: Call, method: str, step: str, **parameters: Any) -> int:
    """Call it; Xen's xl prints nothing. In a dry run print the step, with the answer in its braces."""
    result = call.client.call(method, dry_run=call.dry_run or None, **parameters)
    rows = result if isinstance(result, list) else [result]
    text = "".join(f"{step.format(**_texts(row))}\n" for row in rows)
    call.show(result, text if call.dry_run else "")
    return 0


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in row.items()
    }


CPUPOOL_CREATE = Command(
    "[FILE] [KEY=VALUE ...]",
    create,
    Option("f", "defconfig", "the configuration file", "FILE"),
    Option("n", "dryrun", "only print what would be made"),
    DRY_RUN,
    JSON,
)
CPUPOOL_LIST = Command("[POOL ...]", list_, Option("c", "cpus", "which CPUs, not how many"), JSON)
CPUPOOL_DESTROY = Command("POOL", destroy, DRY_RUN, JSON)
CPUPOOL_RENAME = Command("POOL NEWNAME", rename, DRY_RUN, JSON)
CPUPOOL_CPU_ADD = Command("POOL CPU|node:NODE", add_cpus, DRY_RUN, JSON)
CPUPOOL_CPU_REMOVE = Command("POOL CPU|node:NODE", remove_cpus, DRY_RUN, JSON)
CPUPOOL_MIGRATE = Command("DOM POOL", migrate, DRY_RUN)
CPUPOOL_NUMA_SPLIT = Command("", split, DRY_RUN, JSON)
