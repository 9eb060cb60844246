"""Files beside configurations that are none: what people, editors and package managers leave there."""

import re

__all__ = ["is_leftover", "is_of_xen"]

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


#: What Xen's packages put beside the configurations of domains: settings of its programs, and samples.
_OF_XEN = re.compile(
    r"xl\.conf | oxenstored\.conf | xenstored\.conf | xencommons.* | xendomains | .*\.sxp | cpupools?"
    r"| (xl|xm)example.* | xend-.*",
    re.VERBOSE,
)


def is_of_xen(name: str) -> bool:
    """Whether a file of this name belongs to Xen itself, and describes no domain."""
    return _OF_XEN.fullmatch(name) is not None


def is_leftover(name: str) -> bool:
    """Whether a file of this name is no configuration, whatever stands in it."""
    return _LEFTOVER.fullmatch(name) is not None
