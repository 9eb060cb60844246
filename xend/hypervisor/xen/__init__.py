"""The driver of the real Xen."""
