"""What is to be started: configurations read, names in them understood, an order found; what is refused."""

from collections.abc import Mapping, Sequence

import attrs

from xend.autostart.files import ConfigDirectory, Text
from xend.autostart.needs import needs
from xend.autostart.order import circles, drawn, in_order
from xend.autostart.rows import Row, failed
from xend.config import DomainConfig
from xend.config.defaults import Defaults
from xend.config.domain import parse
from xend.config.place import shown
from xend.errors import XendError


@attrs.frozen
class Candidate:
    """A domain that may be started; name: of its file."""

    name: str
    text: Text
    config: DomainConfig


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
            line = f"start {each.name}" + (f" after {', '.join(needed)}" if needed else "")
            delay = each.config.autostart_delay_s
            lines.append(line + (f"; then wait {delay} s" if delay else ""))
        return lines + [
            f"{'ignore' if row.is_well else 'refuse'} {row.name}: {row.reason}"
            for row in self.refused.values()
        ]


def examine(directory: ConfigDirectory, names: Sequence[str] | None, defaults: Defaults) -> Wanted:
    """What is to be done for these names; None: for what stands in auto/.

    defaults: the host's, by which a domain may have its backends in another.

    Raises:
        XendError: bad_config: the directory itself is not to be trusted, or cannot be read.
    """
    directory.check()
    given = list(dict.fromkeys(directory.listed() if names is None else names))
    found, refused = _read_all(directory, given, defaults, is_listed=names is None)
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
                message = f"{candidate.text.path}: domain {domain} stands in {files[domain]} already"
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
