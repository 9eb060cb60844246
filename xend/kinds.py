"""The tables of what xend can do to a domain: every kind of operation, and every method about one domain.

A new kind of operation is a class of facts and a function that makes its steps, in a file of its own, and a
row here.  Whatever is asked of kinds elsewhere (what may run beside what, what is cancelled by what, what
`xl list` shows) is asked of these rows, never of names.
"""

from typing import Any

from xend.autostart.ending import StopFacts, stop_steps
from xend.bus.kinds import BYTES, FLAG, NUMBER, REAL_TIME, TEXT, choice
from xend.bus.methods import optional, required
from xend.calls.domain_method import DomainOperation, DomainReading
from xend.domain.attach import AttachFacts, DetachFacts, attach_steps, detach_steps
from xend.domain.card_change import (
    PciAttachFacts,
    PciDetachFacts,
    pci_attach_steps,
    pci_detach_steps,
)
from xend.domain.change import (
    PauseFacts,
    RenameFacts,
    SysrqFacts,
    UnpauseFacts,
    pause_steps,
    prepare_pause,
    prepare_sysrq,
    prepare_unpause,
    rename_locks,
    rename_steps,
    sysrq_steps,
    unpause_steps,
)
from xend.domain.create import CreateFacts, create_steps
from xend.domain.destroy import DestroyFacts, ReapFacts, destroy_steps
from xend.domain.dump_core import DumpCoreFacts, dump_core_steps, prepare_dump_core
from xend.domain.max_memory import MaxMemoryFacts, max_memory_steps, prepare_max_memory
from xend.domain.medium import EjectFacts, InsertFacts, medium_steps
from xend.domain.memory import MemoryFacts, memory_steps, prepare_memory
from xend.domain.monitor import MonitorFacts, monitor_steps, prepare_monitor
from xend.domain.online import VcpusFacts, prepare_vcpus, vcpus_steps
from xend.domain.pinning import PinFacts, pin_steps, prepare_pin
from xend.domain.pooling import PoolFacts, pool_steps, prepare_pool
from xend.domain.reconfigure import ReconfigureFacts, reconfigure_steps
from xend.domain.restart import (
    DumpFacts,
    NextLifeFacts,
    RestartFacts,
    dump_steps,
    next_life_steps,
    restart_locks,
    restart_steps,
)
from xend.domain.restore import RestoreFacts, restore_steps
from xend.domain.save import SaveFacts, save_steps
from xend.domain.scheduling import SchedulingFacts, prepare_scheduling, read_scheduling, scheduling_steps
from xend.domain.shutdown import RebootFacts, ShutdownFacts, shutdown_steps
from xend.domain.soft_reset import SoftResetFacts, soft_reset_steps
from xend.domain.suspending import (
    ResumeFacts,
    SuspendFacts,
    prepare_resume,
    prepare_suspend,
    resume_steps,
    suspend_steps,
)
from xend.domain.trigger import TriggerFacts, prepare_trigger, trigger_steps
from xend.domain.usb import UsbAttachFacts, UsbDetachFacts, usb_attach_steps, usb_detach_steps
from xend.domain.vcpus import read_vcpus
from xend.host import Host
from xend.operation.kind import Effect, Kind

#: Every kind of operation.
KINDS: tuple[Kind[Host, Any], ...] = (
    # What begins a life of a domain, or ends one and begins the next.
    Kind(
        facts=CreateFacts, plan=create_steps, effect=Effect.MAKES, on_crash="undo", state="creating",
    ),
    Kind(
        facts=RestartFacts, plan=restart_steps, effect=Effect.RESTARTS, on_crash="resume",
        locks=restart_locks, state="restarting",
    ),
    Kind(
        facts=NextLifeFacts, plan=next_life_steps, effect=Effect.RESTARTS, on_crash="resume",
        title="next life", state="restarting",
    ),
    Kind(
        facts=RestoreFacts, plan=restore_steps, effect=Effect.MAKES, on_crash="undo or resume",
        state="restoring",
    ),
    # What ends it.
    Kind(
        facts=DestroyFacts, plan=destroy_steps, effect=Effect.DESTROYS, on_crash="resume",
        state="destroying",
    ),
    Kind(
        facts=ReapFacts, plan=destroy_steps, effect=Effect.DESTROYS, on_crash="resume", title="clean-up",
        state="destroying",
    ),
    Kind(
        facts=DumpFacts, plan=dump_steps, effect=Effect.ENDS, on_crash="resume", title="core dump",
        state="destroying",
    ),
    Kind(facts=StopFacts, plan=stop_steps, effect=Effect.ENDS, on_crash="resume"),
    Kind(facts=SaveFacts, plan=save_steps, effect=Effect.ENDS, on_crash="undo or resume", state="saving"),
    # What asks its guest for something.
    Kind(facts=ShutdownFacts, plan=shutdown_steps, effect=Effect.ASKS, on_crash="undo"),
    Kind(facts=RebootFacts, plan=shutdown_steps, effect=Effect.ASKS, on_crash="undo"),
    Kind(facts=SuspendFacts, plan=suspend_steps, effect=Effect.ASKS, on_crash="undo"),
    # What changes something of it.
    Kind(facts=ResumeFacts, plan=resume_steps, effect=Effect.CHANGES, on_crash="resume"),
    Kind(
        facts=SoftResetFacts, plan=soft_reset_steps, effect=Effect.CHANGES, on_crash="resume",
        title="soft reset", state="restarting",
    ),
    Kind(facts=PauseFacts, plan=pause_steps, effect=Effect.CHANGES, on_crash="undo"),
    Kind(facts=UnpauseFacts, plan=unpause_steps, effect=Effect.CHANGES, on_crash="undo"),
    Kind(
        facts=RenameFacts, plan=rename_steps, effect=Effect.CHANGES, on_crash="undo", locks=rename_locks,
    ),
    Kind(facts=MemoryFacts, plan=memory_steps, effect=Effect.CHANGES, on_crash="undo", title="mem-set"),
    Kind(
        facts=MaxMemoryFacts, plan=max_memory_steps, effect=Effect.CHANGES, on_crash="undo", title="mem-max",
    ),
    Kind(facts=VcpusFacts, plan=vcpus_steps, effect=Effect.CHANGES, on_crash="undo", title="vcpu-set"),
    Kind(facts=PinFacts, plan=pin_steps, effect=Effect.CHANGES, on_crash="undo", title="vcpu-pin"),
    Kind(
        facts=SchedulingFacts, plan=scheduling_steps, effect=Effect.CHANGES, on_crash="undo",
        title="change of scheduling",
    ),
    Kind(facts=PoolFacts, plan=pool_steps, effect=Effect.CHANGES, on_crash="undo", title="cpupool-migrate"),
    Kind(facts=SysrqFacts, plan=sysrq_steps, effect=Effect.CHANGES, on_crash="undo"),
    Kind(facts=TriggerFacts, plan=trigger_steps, effect=Effect.CHANGES, on_crash="undo"),
    Kind(
        facts=MonitorFacts, plan=monitor_steps, effect=Effect.CHANGES, on_crash="undo",
        title="qemu-monitor-command",
    ),
    Kind(
        facts=ReconfigureFacts, plan=reconfigure_steps, effect=Effect.CHANGES, on_crash="undo",
        title="config-update",
    ),
    Kind(
        facts=DumpCoreFacts, plan=dump_core_steps, effect=Effect.CHANGES, on_crash="undo",
        title="dump-core",
    ),
    # What changes its devices.
    Kind(
        facts=UsbAttachFacts, plan=usb_attach_steps, effect=Effect.CHANGES, on_crash="undo",
        title="usbdev-attach", is_queued=True,
    ),
    Kind(
        facts=UsbDetachFacts, plan=usb_detach_steps, effect=Effect.CHANGES, on_crash="resume",
        title="usbdev-detach", is_queued=True,
    ),
    Kind(
        facts=AttachFacts, plan=attach_steps, effect=Effect.CHANGES, on_crash="undo", title="device attach",
        is_queued=True,
    ),
    Kind(
        facts=DetachFacts, plan=detach_steps, effect=Effect.CHANGES, on_crash="resume",
        title="device detach", is_queued=True,
    ),
    Kind(
        facts=PciAttachFacts, plan=pci_attach_steps, effect=Effect.CHANGES, on_crash="undo",
        title="pci-attach", is_queued=True,
    ),
    Kind(
        facts=PciDetachFacts, plan=pci_detach_steps, effect=Effect.CHANGES, on_crash="resume",
        title="pci-detach", is_queued=True,
    ),
    Kind(
        facts=InsertFacts, plan=medium_steps, effect=Effect.CHANGES, on_crash="undo", title="cd-insert",
        is_queued=True,
    ),
    Kind(
        facts=EjectFacts, plan=medium_steps, effect=Effect.CHANGES, on_crash="undo", title="cd-eject",
        is_queued=True,
    ),
)  # fmt: skip

#: The methods that need nothing but a domain and their parameters; others stand in `xend.calls`.
DOMAIN_METHODS: tuple[DomainOperation | DomainReading, ...] = (
    DomainOperation(facts=PauseFacts, doing="pause", prepare=prepare_pause),
    DomainOperation(facts=UnpauseFacts, doing="unpause", prepare=prepare_unpause),
    DomainOperation(facts=SuspendFacts, doing="suspend", prepare=prepare_suspend),
    DomainOperation(facts=ResumeFacts, doing="resume", prepare=prepare_resume),
    DomainOperation(
        facts=MemoryFacts, doing="set the memory of", prepare=prepare_memory, takes_dom0=True,
        parameters={"target_kib": required(NUMBER)},
    ),
    DomainOperation(
        facts=MaxMemoryFacts, doing="limit the memory of", prepare=prepare_max_memory,
        parameters={"max_memory_kib": required(NUMBER)},
    ),
    DomainOperation(
        facts=SysrqFacts, doing="send a sysrq to", prepare=prepare_sysrq,
        parameters={"letter": required(TEXT)},
    ),
    DomainOperation(
        facts=VcpusFacts, doing="change the vCPUs of", prepare=prepare_vcpus, takes_dom0=True,
        parameters={"vcpus": required(NUMBER), "ignore_host": optional(FLAG)},
    ),
    DomainOperation(
        facts=PinFacts, doing="pin the vCPUs of", prepare=prepare_pin, takes_dom0=True,
        parameters={
            "vcpu": optional(NUMBER), "hard": optional(TEXT), "soft": optional(TEXT),
            "force": optional(FLAG), "ignore_masks": optional(FLAG),
        },
    ),
    DomainOperation(
        facts=SchedulingFacts, doing="change the scheduling of", prepare=prepare_scheduling, takes_dom0=True,
        parameters={
            "scheduler": required(choice("credit", "credit2", "rtds")), "weight": optional(NUMBER),
            "cap": optional(NUMBER), "vcpus": optional(REAL_TIME),
        },
    ),
    DomainOperation(
        facts=PoolFacts, doing="move", prepare=prepare_pool, takes_dom0=True,
        parameters={"pool": required(TEXT)},
    ),
    DomainOperation(
        facts=TriggerFacts, doing="send a trigger to", prepare=prepare_trigger,
        parameters={"trigger": required(TEXT), "vcpu": optional(NUMBER)},
    ),
    DomainOperation(
        facts=MonitorFacts, doing="command the device model of", prepare=prepare_monitor,
        parameters={"command": required(TEXT)},
    ),
    DomainOperation(
        facts=DumpCoreFacts, doing="dump the core of", prepare=prepare_dump_core,
        parameters={"path": required(BYTES)},
    ),
    DomainReading(name="vcpu.list", read=read_vcpus),
    DomainReading(name="scheduling.show", read=read_scheduling),
)  # fmt: skip
