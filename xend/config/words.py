"""Options that are switches, one of some words, or a list of these."""

from collections.abc import Collection, Sequence

from xend.config.option import other_case
from xend.config.options import OPTIONS
from xend.config.place import listed, shown
from xend.config.problem import Findings, Problem
from xend.config.settings import Settings

__all__ = ["switched", "word_of", "words_of"]


def switched(settings: Settings, findings: Findings, option: str, default: bool) -> bool:
    """Whether it is given as 1, or by default; what is wrong with it is among the findings."""
    found = findings.attempt(lambda: settings.boolean(option), None)
    return default if found is None else found


def word_of(settings: Settings, option: str) -> str | None:
    """One of its words; None: it is not given, or empty."""
    return settings.choice(option, OPTIONS[option].words) if settings.text(option) else None


def words_of(settings: Settings, option: str, plain: Collection[str] = ()) -> Sequence[str]:
    """A list of the option's own words, with ! in front or not; plain: those that take none.

    Raises:
        ConfigError: of each other word.
    """
    findings = Findings()
    words, found = OPTIONS[option].words, []
    for word, place in settings.items(option):
        if word in words or (word.removeprefix("!") in words and word[1:] not in plain):
            found.append(word)
            continue
        text = f"{option} holds {shown(word)}: expected {listed(words)}"
        findings.problems.append(Problem.at(place, text, option=option, hint=other_case(word, words)))
    findings.check()
    return found
