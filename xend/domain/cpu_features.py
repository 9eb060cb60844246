"""That this host's processor can what a saved domain has seen of its own.

The hypervisor drops features that it has not without a word, and the guest crashes where it uses one
(migration.md 4).
"""

from xend.config.cpuid_names import FIELDS
from xend.config.place import listed
from xend.errors import XendError
from xend.host import Host
from xend.refusals import explained
from xend.stream import records
from xend.stream.features import lacking

#: So many features are named at most.
_NAMED_MAX = 8


async def check_features(host: Host, name: str, memory: records.Memory) -> None:
    """See that this host's processor has what a saved domain has seen, as far as its file says.

    Raises:
        XendError: unsupported: naming what is missing.
    """
    if not memory.leaves:
        return
    with explained("ask what the host's processor can", name):
        there = await host.hypervisor.cpu_policy("pv" if memory.type == records.PV else "hvm")
    missing = lacking(memory.leaves, there) if there is not None else []
    if missing:
        named, more = missing[:_NAMED_MAX], len(missing) - _NAMED_MAX
        words = [*named, f"{more} others"] if more > 0 else named
        raise XendError(
            "unsupported",
            f"this host's processor lacks {listed(words, 'and')}, which {name} has seen",
            domain=name,
            hint="restore it on a host like its own" + _levelled(named),
        )


def _levelled(missing: list[str]) -> str:
    """What has a domain run on both, as it is created the next time."""
    words = ",".join(f"{name}=0" for name in missing if name in FIELDS)
    return f'; one that is created with cpuid = "host,{words}" goes to both' if words else ""
