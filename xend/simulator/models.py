"""Device models of a simulated host, where xend is a process: processes, too, which play qemu."""

import os

import attrs

from xend.model.find import PROGRAMS
from xend.model.firmware import FIRMWARE
from xend.model.system import Order, Process, SystemProcesses
from xend.simulator.model import TREE
from xenstore.daemon import child

__all__ = ["SimulatedModels"]


class SimulatedModels(SystemProcesses):
    """Those processes: qemu itself needs Xen."""

    def program(self, named: str | None, platform: str) -> str:
        return named or PROGRAMS[0]

    def firmware(self, name: str, release: str, platform: str) -> str:
        return FIRMWARE[name].paths[0].format(release=release)

    async def start(self, order: Order) -> Process:
        seen = () if order.tree is None else (TREE,)
        words = child.module("xend.simulator.model_program", *order.argv[1:], *seen)
        environment = {**child.environment(os.environ), **order.environment}
        return await super().start(attrs.evolve(order, argv=words, environment=environment, tree=None))

    def store_path(self, socket: str) -> str:
        return socket

    def put_name(self, pid: int, start: str, number: int, is_device: bool) -> None:
        """They are told by what they are given."""

    async def asks_for_password(self, program: str) -> bool:
        return True

    async def has_spice(self, program: str) -> bool:
        return True

    async def version(self, program: str) -> tuple[int, int] | None:
        return 7, 2

    async def has_sandbox(self, program: str) -> bool:
        return False

    async def end_all_of(self, uid: int) -> None:
        """They stay xend's user."""
