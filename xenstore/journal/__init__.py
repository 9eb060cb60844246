"""The journal: what a store needs to go on after whatever ended it, in the files of one directory.

    log.N          segment N of the log: a header of 4096 bytes, frames (`_recorder`), then zeros
    image.N        everything as it was before segment N
    *.new          a file that is being made

A store is recovered from the highest image and the segments from its number on; where there is no image, from
segment 1 on and an empty store.  The page cache outlives the process, and a store means nothing once the
host was started anew, so nothing is ever synced to a disk.
"""
