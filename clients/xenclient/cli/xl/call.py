"""One call of a sub-command: its options and arguments, the bus, and what it prints."""

from __future__ import annotations

import os

from xenclient.cli.options import UNKNOWN, Options
from xenclient.cli.xl.failure import Failure
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from xenclient.cli.xl.command import Command
    from xenclient.cli.xl.settings import Settings
    from xenclient.xend.blocking import Client


class HelpWanted(Exception):
    """-h or --help was given."""


class Call:
    """A sub-command with what it was given.

    Attributes:
        arguments: what is no option.
        settings: the global options.
        json: --json was given.
        dry_run: --dry-run was given, or -N before the sub-command.
    """

    def __init__(self, command: Command, words: list[bytes], settings: Settings) -> None:
        """Raises: Failure: not options and arguments of this sub-command. HelpWanted."""
        self.command = command
        self.settings = settings
        settings.command = command.name
        self._client: Client | None = None
        self._values: dict[str, list[str]] = {}
        self.arguments = self._parse(words)
        self.json = settings.json = self.given("json")
        self.dry_run = self.given("dry-run") or settings.dry_run
        self._check_number()

    def given(self, key: str) -> bool:
        """Whether the option, by its long name or else its letter, was given."""
        return key in self._values

    def value(self, key: str) -> str | None:
        """What the option was given last, or None."""
        return self._values[key][-1] if key in self._values else None

    def values(self, key: str) -> list[str]:
        """All that the option was given."""
        return self._values.get(key, [])

    def usage(self, text: str) -> Failure:
        """The error of a wrong use."""
        name = self.command.name
        usage = f"usage: PROGRAM {name} {self.command.arguments}".rstrip()
        return Failure(f"{name}: {text}", hint=usage)

    @property
    def client(self) -> Client:
        """xend; the first use connects. Raises: ConnectError."""
        if self._client is None:
            self._client = self.another_client()
        return self._client

    def another_client(self) -> Client:
        """One of its own, for what happens beside the other's calls."""
        from xenclient.xend.blocking import Client

        return Client()

    def show(self, value: object, text: str | bytes) -> None:
        """Print the value as JSON, or the text."""
        from xenclient.cli.xl.printing import clean, write, write_json

        if self.json:
            write_json(value)
        else:
            write(clean(text) if isinstance(text, str) else text)

    def operate(self, method: str, **parameters: Any) -> Mapping[str, Any]:
        """The result of a call that changes something, its progress shown; a dry run prints its steps.

        Raises:
            BusError: xend refused, or it failed; its field "more", if any, says where more is told.
        """
        if self.dry_run:
            return self.preview(method, **parameters)
        from xenclient.cli.xl.progress import watched

        try:
            result = watched(self, method, parameters)
            self._warn(result)
            return result
        except BusError as error:
            self._warn(error.fields)
            if "device" in error.fields:
                from xenclient.cli.xl.explain import point

                point(self, error)
            raise

    def _warn(self, fields: Mapping[str, Any]) -> None:
        """Tell what went wrong and did not stop it; standard output has it too, where that is JSON."""
        from xenclient.cli.xl.report import tell

        for warning in fields.get("warnings", ()):
            tell(warning, f"{self.settings.program}: warning")

    def plan(self, method: str, **parameters: Any) -> Mapping[str, Any]:
        """What the call would do; what is to be warned of is told.

        Raises:
            BusError: xend refuses it.
        """
        try:
            planned: Mapping[str, Any] = self.client.call(method, dry_run=True, **parameters)
        except BusError as error:
            self._warn(error.fields)
            raise
        self._warn(planned)
        return planned

    def preview(self, method: str, **parameters: Any) -> Mapping[str, Any]:
        """Print the steps that the call would take."""
        planned = self.plan(method, **parameters)
        self.show(planned, "".join(f"{step}\n" for step in planned["steps"]))
        return planned

    def _parse(self, words: list[bytes]) -> list[str]:
        """Take the options; returns the arguments."""
        # An option without a letter gets a control character, which nobody types.
        known = self.command.options
        letters = {option.letter or chr(place + 1): option for place, option in enumerate(known)}
        options = Options(
            [b"", *words],
            "".join(letter for letter, option in letters.items() if option.letter and not option.value),
            "".join(letter for letter, option in letters.items() if option.value),
            {option.name: letter for letter, option in letters.items() if option.name},
            self._complain,
        )
        for letter, value in options:
            if letter != UNKNOWN:
                self._values.setdefault(letters[letter].key, []).append(os.fsdecode(value))
        if self.given("help"):
            raise HelpWanted
        return [os.fsdecode(argument) for argument in options.arguments]

    def _complain(self, text: bytes) -> None:
        raise self.usage(os.fsdecode(text).removeprefix(": "))

    def _check_number(self) -> None:
        number, command = len(self.arguments), self.command
        if number < command.least:
            raise self.usage(f"needs {command.arguments}")
        if number > command.most:
            raise self.usage(f"{self.arguments[command.most]!r} is too much")
