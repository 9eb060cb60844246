"""USB devices of the host, as Linux's sysfs shows them."""
