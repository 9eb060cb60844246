"""`make run`: a simulated host with xend in the foreground, below one directory, and a domain to try."""
