"""Write what the table of options says of those that this xend does not read into xl.cfg(5).

python -m contrib.options_page
"""

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from xend.config.option import Option
from xend.config.options import OPTIONS, XM

PAGE = Path(__file__).parents[1] / "docs/man/xl.cfg.5"
BEGIN = '.\\" What follows is written by "python -m contrib.options_page", from the table of options.\n'
END = '.\\" The end of what is written so.\n'
_LINE_CHARS = 78


def section() -> str:
    """The part of the page, in mdoc(7)."""
    others = [option for option in OPTIONS.values() if not option.is_here]
    return "\n".join(
        [
            ".Ss Taken without effect",
            "Of a",
            ".Cm pv",
            "domain these have no effect, and of a",
            ".Cm pvh",
            "domain",
            *_names(o.name for o in OPTIONS.values() if o.has_effect("pv") and not o.has_effect("pvh")),
            "and of the others none but the first ones:",
            *_names(
                option.name
                for option in OPTIONS.values()
                if not option.has_effect("pv") and option.has_effect("pvh")
            ),
            "and",
            *_names(option.name for option in others if _has_no_effect(option)),
            ".Pp",
            "Options of",
            ".Sx EMULATED MACHINES",
            "have one on",
            ".Cm hvm",
            "domains.",
            "Of those",
            *_names(
                option.name
                for option in OPTIONS.values()
                if option.is_here and not option.has_effect("hvm") and option.has_effect("pv")
            ),
            "have none.",
            ".Pp",
            "These have none on any domain yet, since",
            ".Bl -tag -width indent",
            *_by_reason(
                (each for each in others if not each.guests and not each.protects), with_values=False
            ),
            ".El",
            ".Ss Refused",
            "These can be had as far only as is said here; another value, and any of those",
            "without one but 0 or an empty text, is an error.",
            ".Bl -tag -width indent",
            *_by_reason(each for each in others if each.guests),
            ".El",
            ".Pp",
            "These protect, and are never passed over, whatever the type of the domain:",
            *_names(option.name for option in others if option.protects),
            ".Ss Of xm alone",
            "Each is a warning:",
            *_names(XM),
            "",
        ]
    )


def page() -> str:
    """The page with its part as it is to be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{section()}{END}{after}"


def _has_no_effect(option: Option) -> bool:
    return not option.has_effect("pv") and not option.has_effect("pvh")


def _names(names: Iterable[str]) -> Iterator[str]:
    lines = textwrap.wrap(" , ".join(names), _LINE_CHARS)
    for number, line in enumerate(lines):
        words = line.strip(" ,")
        yield f".Li {words} {',' if number < len(lines) - 1 else '.'}"


def _by_reason(options: Iterable[Option], with_values: bool = True) -> Iterator[str]:
    """What the same is true of in one place."""
    reasons: dict[str, list[Option]] = {}
    for option in options:
        reasons.setdefault(option.lacks, []).append(option)
    for reason, found in reasons.items():
        yield f".It {reason}"
        plain = [each.name for each in found if not with_values or _values(each) in ("", "0")]
        yield from _names(plain) if plain else ()
        for each in found:
            if each.name not in plain:
                yield f".Li {each.name} :"
                yield f".Cm {_values(each)} ."


def _values(option: Option) -> str:
    """What can be had of it, besides none."""
    return " , ".join(str(value) for value in option.asks_for_nothing if value != "")


if __name__ == "__main__":
    PAGE.write_text(page())
