"""What changes something: an operation, a flat list of named steps with an undo each.

Progress, --dry-run, deadlines, cancellation, an error that names the step, and recovery after a crash all
come from the same list.  `kind` is one row of the table of kinds (`xend.kinds`), `facts` what an operation
of a kind knows, `steps` what it consists of, `locks` what it holds, `running` one that runs, `record` what
of it is on disk meanwhile, `recovery` makes it again from there, `known` has those that can be asked for, and
`registry` starts all of them.
"""
