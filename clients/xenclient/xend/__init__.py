"""Clients of xend's bus (docs/bus.md): `blocking` and `aio`: the same names over one core without I/O."""
