"""Other people's programs that drive xl or xm, as Debian has them, against ours and a simulated host."""
