"""What is to be started: configurations read, names in them understood, an order found; what is refused."""

from collections.abc import Mapping, Sequence

import attrs

from xend.autostart.files import ConfigDirectory, Text
from xend.autostart.needs import needs
from xend.autostart.order import circles, drawn, in_order
from xend.autostart.rows import Row, failed
from xend.autostart.saved import Saved
from xend.config import DomainConfig
from xend.config.defaults import Defaults
from xend.config.domain import parse
from xend.config.place import shown
from xend.errors import XendError


@attrs.frozen
class Candidate:
    """A domain that may be started.

    Attributes:
        name: of its file, or its own where it has none here.
        text: of that; None: it has none, or one that is wrong, and waits to be restored.
        saved: the file that it is restored from; None: it is created.
    """

    name: str
    text: Text | None
    config: DomainConfig
    saved: str | None = None


@attrs.frozen(kw_only=True)
class Wanted:
    """What a call asks for; all by the names of files.

    Attributes:
        candidates: in the order in which they start.
        refused: those that cannot be, with the row that says why; and links in auto/ that lead nowhere, which
            are passed over.
        after: those of both that come before each.
        outside: names of domains that each needs and that are not among these: they have to be up already.
    """

    candidates: Sequence[Candidate]
    refused: Mapping[str, Row]
    after: Mapping[str, Sequence[str]]
    outside: Mapping[str, Sequence[str]]

    def lines(self) -> list[str]:
        """For people: what would be done."""
        lines = []
        for each in self.candidates:
            needed = [*self.after.get(each.name, ()), *self.outside.get(each.name, ())]
            line = f"{'start' if each.saved is None else 'restore'} {each.name}" + (
                f" after {', '.join(needed)}" if needed else ""
            )
            delay = each.config.autostart_delay_s
            lines.append(line + (f"; then wait {delay} s" if delay else ""))
        return lines + [
            f"{'ignore' if row.is_well else 'refuse'} {row.name}: {row.reason}"
            for row in self.refused.values()
        ]


def examine(
    directory: ConfigDirectory,
    names: Sequence[str] | None,
    defaults: Defaults,
    saved: Sequence[Saved] = (),
    with_all_saved: bool = False,
) -> Wanted:
    """What is to be done for these names; None: for what stands in auto/.

    Args:
        defaults: the host's, by which a domain may have its backends in another.
        saved: domains that wait to be restored: each is, in the place of being created.
        with_all_saved: they are even if none of the names means them.

    Raises:
        XendError: bad_config: the directory itself is not to be trusted, or cannot be read.
    """
    directory.check()
    given = list(dict.fromkeys(directory.listed() if names is None else names))
    found, refused = _read_all(directory, given, defaults, is_listed=names is None)
    found = _with_saved(found, refused, saved, with_all_saved)
    passed_over = {name for name, row in refused.items() if row.is_well}
    by_word = {name: name for name in given if name not in passed_over} | {
        each.config.name: each.name for each in found.values()
    }
    after = {
        name: [by_word[word] for word in needs(each.config) if word in by_word]
        for name, each in found.items()
    }
    for circle in circles(list(found), after):
        error = XendError("bad_config", f"autostart_after goes round in a circle: {drawn(circle)}")
        refused |= {name: failed(name, error) for name in circle}
    order = in_order(list(found), after)
    order += [name for name in found if name not in order and name not in refused]
    return Wanted(
        candidates=[found[name] for name in order],
        refused=refused,
        after=after,
        outside={
            name: [word for word in needs(each.config) if word not in by_word] for name, each in found.items()
        },
    )


def _with_saved(
    found: Mapping[str, Candidate], refused: dict[str, Row], saved: Sequence[Saved], with_all: bool
) -> dict[str, Candidate]:
    """Those that are restored, before those that are created."""
    restored: dict[str, Candidate] = {}
    created = dict(found)
    for each in saved:
        meant = [name for name, candidate in created.items() if each.is_of(name, candidate.config)]
        meant += [name for name, row in refused.items() if not row.is_well and each.is_of(name)]
        name = meant[0] if meant else each.name
        if not meant and not with_all:
            continue
        candidate = created.pop(name, None)
        refused.pop(name, None)
        if each.config is not None:
            text = None if candidate is None else candidate.text
            restored[name] = Candidate(name, text, each.config, each.path)
        elif each.error is not None:
            refused[name] = failed(name, each.error)
    return restored | created


def _read_all(
    directory: ConfigDirectory, names: Sequence[str], defaults: Defaults, is_listed: bool
) -> tuple[dict[str, Candidate], dict[str, Row]]:
    found: dict[str, Candidate] = {}
    refused: dict[str, Row] = {}
    files: dict[str, str] = {}
    for name in names:
        try:
            if is_listed and (target := directory.broken_link(name)) is not None:
                reason = f"its link leads nowhere: {shown(target)}"
                refused[name] = Row(name=name, outcome="ignored", reason=reason)
                continue
            candidate = _candidate(directory, name, defaults, is_listed)
            domain = candidate.config.name
            if domain in files:
                message = (
                    f"{directory.shown(name, is_listed)}: domain {domain} stands in {files[domain]} already"
                )
                raise XendError("name_in_use", message, hint="name = ... gives it another name")
        except XendError as error:
            refused[name] = failed(name, error)
        else:
            files[domain] = name
            found[name] = candidate
    return found, refused


def _candidate(directory: ConfigDirectory, name: str, defaults: Defaults, is_listed: bool) -> Candidate:
    text = directory.read(name, is_listed)
    config = parse(text.text, source=text.path, name=name, directory=text.directory)
    return Candidate(name, text, defaults.applied(config))
