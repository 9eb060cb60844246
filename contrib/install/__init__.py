"""Puts the whole distribution where a system wants it: `python -m contrib.install`, from the source tree.

Needs nothing but Python's standard library, and setuptools where no wheel is given; no network.
"""


class InstallError(Exception):
    """It cannot be installed; the text is one line that says what to do."""
