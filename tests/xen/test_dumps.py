"""What the store holds at four moments of a host's life, and sends, compared with Xen's C xenstored."""

from collections import Counter

import pytest

from tests.xen import dump
from tests.xen.dom0 import Dom0
from tests.xen.figures import Figures
from tests.xen.guest import UNTIL, Devices, Guest
from tests.xen.stores import Store

pytestmark = pytest.mark.xen

#: What the store is asked goes there, in dom0's memory.
TRACE = "/run/trace.log"


@pytest.fixture(scope="module")
def dumps(dom0: Dom0, store: Store, figures: Figures) -> dict[str, list[str]]:
    """By moment, comparable; a host's first guest lives and dies for it."""
    texts = {name: (dom0.share / f"store-{name}.txt").read_text() for name in ("fresh", "dom0")}
    dom0.must("setsid xenstore-watch / >/run/share/events.txt 2>&1 </dev/null & echo $! >/run/watcher.pid")
    dom0.must(f"xenstore-control logfile {TRACE}; xenstore-control log on")
    guest = Guest(dom0, "first", Devices(disk="/run/first.img", address="10.0.0.9"))
    assert guest.domid == 1, "the recorded dumps are of a host's first guest: this file has to run first"
    dom0.must(
        "both() { [ $(xenstore-ls -f /local/domain/0/backend | grep -c 'state = \"4\"') = 2 ]; }\n"
        f"{UNTIL}until_done both"
    )
    texts["running"] = dom0.must("xenstore-control log off >/dev/null; xenstore-ls -fp")
    dom0.must("xenstore-control log on; xl shutdown first")
    guest.await_end()
    requests = dom0.must(
        f"xenstore-control log off >/dev/null; grep -a '^IN ' {TRACE} | awk '{{print $5}}'; rm {TRACE}"
    )
    figures.add(f"requests in the life of a guest with vbd and vif, {store.name}: {_counted(requests)}")
    figures.add(f"its start, xl create to its word, {store.name}: {guest.start_s:.1f} s")
    texts["after"] = dom0.must("xenstore-ls -fp")
    dom0.must("kill $(cat /run/watcher.pid)")
    texts["events"] = (dom0.share / "events.txt").read_text()
    found = {name: dump.comparable(text) for name, text in texts.items()}
    for name, lines in found.items():
        (dom0.share.parent / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    return found


def _counted(words: str) -> str:
    kinds = Counter(words.split())
    return f"{kinds.total()}: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())


@pytest.mark.parametrize("moment", ["fresh", "dom0", "running", "after"])
def test_the_store_holds_what_xens_own_holds(dumps: dict[str, list[str]], moment: str) -> None:
    found, expected = set(dumps[moment]), set(dump.recorded(moment))
    assert sorted(found - expected) == [], "more than Xen's own"
    assert sorted(expected - found) == [], "less than Xen's own"
    assert len(dumps[moment]) == len(dump.recorded(moment))


def test_a_watch_on_the_root_is_sent_what_xens_own_sends(dumps: dict[str, list[str]]) -> None:
    """In any order: several kernels and programs write at once.

    A path may come less often than recorded, here as there: an event that equals one still unread by the
    watcher is not queued again (XSA-326).
    """
    found, expected = Counter(dumps["events"]), Counter(dump.recorded("events"))
    assert found - expected == Counter(), "more than Xen's own"
    assert expected.keys() - found.keys() == set(), "less than Xen's own"
