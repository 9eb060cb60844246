"""What every daemon of this distribution does alike: starting, detaching, its files."""
