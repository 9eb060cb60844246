"""docs/dom0.md, done as it says: every command, every file, every message."""
