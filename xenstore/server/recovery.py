"""What a daemon does with the journal of the one before it, and keeping its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from xenstore.daemon import trusted
from xenstore.daemon.start import StartError
from xenstore.journal import boot
from xenstore.journal.files import Files
from xenstore.journal.reader import Found
from xenstore.journal.segment import Place
from xenstore.journal.writer import Journal
from xenstore.server.options import Options
from xenstore.server.rings import Rings
from xenstore.store import Store

Log = Callable[[str], object]
#: Where a journal ends: what `Journal.start` wants to know.
End = tuple[int, int, bytes, Place | None, int, int, list[int]]


def open_journal(options: Options, store: Store, rings: Rings | None, log: Log) -> Journal:
    """Make a fresh store go on where the journal in the run directory ends, and record it from now on.

    Raises:
        StartError: the journal cannot be used, or --fresh would lose the store of running domains.
    """
    with _files(options) as files:
        journal = Journal(files, store, log, boot.identity())
        files.create()
        if options.fresh:
            _refuse_fresh(options, rings)
            files.remove_all()
            journal.start()
        else:
            journal.start(*_recover(files, store, rings, log))
    return journal


def begin_journal(options: Options, store: Store, log: Log) -> Journal:
    """Record a store that came from elsewhere, beginning with an image of it, complete on return.

    What an older journal holds stays until then.

    Raises:
        StartError: the journal cannot be used.
    """
    with _files(options) as files:
        journal = Journal(files, store, log, boot.identity())
        files.create()
        journal.start(max([1, *files.logs()]))
    while journal.work():
        pass
    return journal


def drop_journal(options: Options) -> None:
    """Remove the journal of a store that is not recorded from now on.

    Raises:
        StartError: it cannot be removed.
    """
    with _files(options) as files:
        files.remove_all()
        files.remove_reserve()


@contextmanager
def _files(options: Options) -> Iterator[Files]:
    """The journal's files; what the system refuses about them is why the daemon cannot start."""
    files = Files(Path(options.rundir, "journal"))
    try:
        yield files
    except trusted.Untrusted as error:
        raise StartError(f"journal {error}") from error
    except OSError as error:
        raise StartError(f"journal {files.directory}: {error.strerror or error}") from error


def _refuse_fresh(options: Options, rings: Rings | None) -> None:
    domains = [] if rings is None else rings.guests()
    if domains and not options.force:
        raise StartError(
            f"--fresh would lose the store of domains that run ({', '.join(map(str, domains))}): shut them "
            "down first, or add --force"
        )


def _recover(files: Files, store: Store, rings: Rings | None, log: Log) -> End:
    """Recover what there is; returns where it ends, as `Journal.start` wants to know."""
    found = Found(files)
    why = _worthless(found, rings)
    if why is None:
        found.recover(store)
    for line in found.dropped:
        log(f"journal: dropped {line}")
    if why is not None:
        log(f"the journal in {files.directory} is dropped: {why}")
    if why is not None or found.is_empty:
        files.remove_all()
        return 0, 0, b"", None, 0, 0, []
    log(
        f"recovered from {files.directory}: {store.accounts.nodes} nodes and {len(store.introduced)} "
        f"domains, as of change {found.sequence}"
    )
    return found.number, found.sequence, found.life, found.goes_on, found.image, found.base, found.unused


def _worthless(found: Found, rings: Rings | None) -> str | None:
    """Why a journal says nothing about this host as it is now."""
    if found.end is not None:
        return f"it breaks off where it could not be continued ({found.end})"
    if found.is_empty:
        return None
    if not boot.same(found.boot, boot.identity()) and not _has_living_domain(found, rings):
        return "it is from before the host was started"
    return None


def _has_living_domain(found: Found, rings: Rings | None) -> bool:
    store = Store()
    found.recover(store)
    return rings is not None and any(
        domid != 0 and rings.lives(domid, ring.unique) for domid, ring in store.rings.items()
    )
