"""The boot loader that finds a domain's kernel on its own disk: options of xl.cfg(5)."""

from collections.abc import Sequence

import attrs

from xend.config.settings import Settings

__all__ = ["BootLoader", "boot_loader_of"]


@attrs.frozen(kw_only=True)
class BootLoader:
    """A program of dom0.

    Attributes:
        program: its path, or its name.
        args: arguments of its own.
        user: whom it runs as; None: a user of xend's choice, who has nothing.
    """

    program: str
    args: Sequence[str] = ()
    user: str | None = None


def boot_loader_of(settings: Settings) -> BootLoader | None:
    """From bootloader, bootloader_args and bootloader_user; None: there is none.  Raises: ConfigError."""
    program, args, user = settings.text("bootloader"), _args(settings), settings.text("bootloader_user")
    if not program:
        return None
    if "/" in program and not program.startswith("/"):
        raise settings.error("bootloader", "expected a name, or an absolute path")
    return BootLoader(program=program, args=args, user=user or None)


def _args(settings: Settings) -> Sequence[str]:
    """A list, or words in one text, as xl has it."""
    value = settings.value("bootloader_args")
    if value is None:
        return ()
    if value.items is not None:
        return tuple(word for word, _ in settings.words("bootloader_args"))
    return tuple((settings.text("bootloader_args") or "").split())
