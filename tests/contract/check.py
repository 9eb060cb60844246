"""All checks, in their order."""

import tempfile
from pathlib import Path

import trio

from tests.contract.bench import Bench, Guest, Maker
from tests.contract.consoles import a_console_that_another_program_has, consoles
from tests.contract.domains import (
    a_new_domain,
    a_uuid_may_stand_twice,
    blueprints,
    domains_in_order,
    images,
    no_such_domain,
)
from tests.contract.hardware import cards, denied_access, host_access
from tests.contract.host import knobs_of_the_hypervisor, messages, the_host, topology, watchdogs
from tests.contract.lives import dying, pausing, resuming, saving, shutting_down, soft_reset
from tests.contract.memory import claims, cores, less_memory_at_first, max_memory, memory
from tests.contract.pools import changing_cpu_pools, cpu_pools, scheduling
from tests.contract.vcpus import affinity, triggers, virtual_cpus

#: What a domain of each type has to fulfil.
CHECKS_OF_EACH_TYPE = (
    a_new_domain,
    memory,
    less_memory_at_first,
    images,
    virtual_cpus,
    pausing,
    shutting_down,
    dying,
    soft_reset,
    resuming,
    saving,
    cores,
    consoles,
)

#: What one with a whole machine has to, beside that: what plays the machine is no matter of the hypervisor's.
CHECKS_OF_MACHINES = (pausing, shutting_down, dying, resuming, saving)

CHECKS = (
    the_host,
    cpu_pools,
    topology,
    changing_cpu_pools,
    scheduling,
    triggers,
    knobs_of_the_hypervisor,
    domains_in_order,
    a_uuid_may_stand_twice,
    blueprints,
    no_such_domain,
    claims,
    max_memory,
    affinity,
    host_access,
    denied_access,
    cards,
    messages,
    watchdogs,
    a_console_that_another_program_has,
    *CHECKS_OF_EACH_TYPE,
)


async def check_hypervisor(
    maker: Maker, guest: Guest | None = None, times: dict[str, float] | None = None
) -> None:
    """Raises AssertionError at the first sentence that does not hold.

    `times` becomes how long each check took, in seconds; then each is said, too, as it ends.
    """
    guest = guest or Guest()
    async with maker() as hypervisor:
        for number, type in enumerate(guest.types):
            with tempfile.TemporaryDirectory() as place:
                bench = Bench(hypervisor, Path(place), guest, type)
                checks = CHECKS_OF_MACHINES if type == "hvm" else CHECKS_OF_EACH_TYPE
                for check in CHECKS if number == 0 else checks:
                    began = trio.current_time()
                    async with bench.tidy():
                        await check(bench)
                    if times is not None:
                        times[check.__name__] = trio.current_time() - began
                        print(f"{type}: {check.__name__}", flush=True)
