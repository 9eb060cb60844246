"""What the bus's methods do (docs/bus.md, "Calls"): one module a noun."""
