"""What a sub-command was called with, and its connection to xend."""

from __future__ import annotations

from xenclient.cli.xl.failure import Failure, usage_error
from xenclient.cli.xl.printing import clean, write, write_json
from xenclient.cli.xl.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenclient.xend.blocking import Client

    #: Of each option that was given its values, by the option's key.
    Given = Mapping[str, list[str]]


class Call:
    """A sub-command with what it was given.

    Attributes:
        name: the sub-command's.
        arguments: what is no option.
        settings: the global options.
        json: --json was given.
        dry_run: --dry-run was given, or -N before the sub-command.
    """

    def __init__(
        self, name: str, usage: str, options: Given, arguments: list[str], settings: Settings
    ) -> None:
        self.name = name
        self.arguments = arguments
        self.settings = settings
        self._usage = usage
        self._options = options
        self._client: Client | None = None
        self.json = self.given("json")
        self.dry_run = self.given("dry-run") or settings.dry_run

    def given(self, key: str) -> bool:
        """Whether the option, by its long name or else its letter, was given."""
        return key in self._options

    def value(self, key: str) -> str | None:
        """What the option was given last, or None."""
        return self._options[key][-1] if key in self._options else None

    def values(self, key: str) -> list[str]:
        """All that the option was given."""
        return self._options.get(key, [])

    def usage_error(self, text: str) -> Failure:
        """The error of options or arguments that are wrong."""
        return usage_error(self.name, self._usage, text)

    @property
    def client(self) -> Client:
        """The connection to xend; the first use makes it. Raises: ConnectError."""
        if self._client is None:
            self._client = self.new_client()
        return self._client

    def new_client(self) -> Client:
        """A second connection, for a call while another one waits. Raises: ConnectError."""
        from xenclient.xend.blocking import Client

        return Client()

    def show(self, value: object, text: str | bytes) -> None:
        """Print the value as JSON if --json was given, else the text."""
        if self.json:
            write_json(value)
        else:
            write(clean(text) if isinstance(text, str) else text)
