"""Boot loaders: programs of dom0, pygrub above all, that find a guest's kernel on the guest's own disk.

contract   how such a program is called, and what its answer means (guests.md 4.1)
find       where the program lies
outcome    takes what it left, of which nothing is believed
cell       the process around it: own user, own view of the files, limits
linux      what of that is Linux's alone
run        starts that process, gives it a terminal, waits for it

The disk is the guest's, and so what the program reads of it, what it answers and what it prints are from an
attacker.  xend itself reads only the small answer of the cell, and copies of bounded size.
"""
