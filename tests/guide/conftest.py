"""What the guide installs: the distribution, as it is."""

from tests.install.conftest import wheel_file

__all__ = ["wheel_file"]
