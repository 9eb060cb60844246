"""The kernel of a simulated domain: paravirtual, small, and as bad as its command line wants it."""
