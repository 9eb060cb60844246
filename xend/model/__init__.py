"""The device model of a domain: one process of qemu, which serves those of its devices that no kernel does.

Facts: docs/reference/guests.md, sections 1 and 3.
"""
