"""What operations are called where people read of them; the bus and the log have their kinds."""

__all__ = ["called"]

WORDS = {
    "domain.reap": "clean-up",
    "domain.dump": "core dump",
    "domain.next_life": "next life",
    "domain.soft_reset": "soft reset",
    "domain.set_memory": "mem-set",
    "device.attach": "device attach",
    "device.detach": "device detach",
    "device.insert": "cd-insert",
    "device.eject": "cd-eject",
}


def called(kind: str) -> str:
    """The word for a kind: "restart" for "domain.restart"."""
    return WORDS.get(kind, kind.removeprefix("domain."))
