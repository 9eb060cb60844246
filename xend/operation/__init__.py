"""What changes something: an operation, a flat list of named steps with an undo each.

Progress, --dry-run, deadlines, cancellation, an error that names the step, and recovery after a crash all
come from the same list: `steps` is what an operation consists of, `record` what of it is on disk while it
runs, `running` one that runs, `known` those that can be asked for, `registry` starts and recovers them.
"""
