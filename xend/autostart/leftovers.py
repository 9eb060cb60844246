"""Files beside configurations that are none: what people, editors and package managers leave there."""

import re

__all__ = ["is_leftover"]

_LEFTOVER = re.compile(
    r"""\..*                                               # hidden, .x.swp and .#x among them
      | README([._-].*)?                                  # in any case
      | .*~ | \#.*\#                                      # Emacs, vi, nano and others
      | .*\.(bak|orig|rej|save|swp|swo)                   # copies, what patch(1) leaves, nano's and vim's
      | .*\.dpkg-[a-z]+ | .*\.ucf-[a-z]+                  # Debian's
      | .*\.rpm(save|new|orig)                            # RPM's
      | .*\.pac(new|save|orig)(\.[0-9]+)? | .*\.apk-new   # Arch's, Alpine's
      | .*,v                                              # RCS's""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def is_leftover(name: str) -> bool:
    """Whether a file of this name is no configuration, whatever stands in it."""
    return _LEFTOVER.fullmatch(name) is not None
