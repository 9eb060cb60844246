"""The journal: what a store needs to go on after whatever ended it, in the files of one directory.

    log.N          segment N of the log: a header of 4096 bytes, frames (`_recorder`), then anything
    image.N        everything as it was at one place of the log, which its header tells
    spare.N        a file that becomes a segment; room.N: one that becomes an image
    *.new          a file that is being made

A store is recovered from the highest image and the log from its place on; where there is no image, from
segment 1 on and an empty store.  What an image has replaced becomes room for what comes (`reserve`), so that
a disk that others fill costs nothing, and all together stays within bounds (`budget`).  The page cache
outlives the process, and a store means nothing once the host was started anew, so nothing is ever synced.
"""
