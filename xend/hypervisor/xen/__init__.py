"""The driver of the real Xen: hypercalls of our own in the daemon, Xen's libraries in helper processes only.

`driver.Xen` is the whole of it; each of the other modules is one subject of the hypervisor's interface.
"""
