"""The steps of what is done to a domain like the example: their names, in their order.

Written down, as worlds are dear and every worker collects every test; `test_steps.py` has them compared.
"""

CREATE = [
    "check what it needs",
    "create an empty domain",
    "set memory aside for it",
    "write its nodes",
    "give it its memory and kernel",
    "introduce it to the store",
    "connect its console",
    "vbd 0x0: write its nodes",
    "vbd 0x0: wait for its backend",
    "vbd 0x0: run its script",
    "vif 0: write its nodes",
    "vif 0: wait for its backend",
    "vif 0: run its script",
    "start it",
]
#: What an old life ends with, in a restart too.
_END = [
    "pause it",
    "vbd 0x0: close its backend",
    "vbd 0x0: run its script",
    "vbd 0x0: remove its nodes",
    "vif 0: close its backend",
    "vif 0: run its script",
    "vif 0: remove its nodes",
    "end its console",
    "remove its nodes",
    "destroy it",
    "wait until it is gone",
]
DESTROY = [*_END, "forget it"]
#: Of a domain.restart whose next life begins at once.
RESTART = [*_END, *CREATE]
#: Of a domain.restart whose next life has to wait.
RESTART_LATER = [*_END, "note that it waits for its next life"]
NEXT_LIFE = CREATE
#: Of a domain.save: until the file is in its place nothing has happened to its domain.
SAVE_UNTIL_PLACED = ["begin its file", "suspend it and write its memory"]
PLACE = "put the file in its place"
SAVE = [*SAVE_UNTIL_PLACED, PLACE, *DESTROY]
CHECKPOINT = [*SAVE_UNTIL_PLACED, "let it go on", PLACE]
RESTORE = ["restore its memory" if step == "give it its memory and kernel" else step for step in CREATE]
#: Of a file that was saved as the host stopped.
RESTORE_ONCE = [*RESTORE[:-1], "put its file away", RESTORE[-1], "remove its file"]
SUSPEND = ["have its guest suspend itself", "note that it stays suspended"]
RESUME = ["let it go on"]
