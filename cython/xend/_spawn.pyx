# cython: language_level=3
"""Starts a program that is the reaper of all it starts (PR_SET_CHILD_SUBREAPER, Linux 3.4).

Only the program itself can ask for that, between fork and exec, where Python's subprocess offers no more than a
function of Python's; for that it would have to copy the page tables of all of xend's memory each time.
"""

import os

from cpython.exc cimport PyErr_SetFromErrnoWithFilenameObject
from libc.stdlib cimport free, malloc

cdef extern from "_spawn.h":
    int xend_spawn(char **argv, char **environment, int input, int output)


cdef char **pointers(list words) except NULL:
    cdef char **array = <char **>malloc((len(words) + 1) * sizeof(char *))
    if array == NULL:
        raise MemoryError
    for place, word in enumerate(words):
        array[place] = word
    array[len(words)] = NULL
    return array


def spawn(list argv, list environment, int output):
    """Starts argv[0] with this environment (b"NAME=value") in a session of its own; returns its process id.

    Its working directory is /, its input is empty, and its output and errors go to the descriptor `output`; it
    has no other descriptor.  On Linux what it starts has it as its parent once the own one has ended.

    Raises:
        OSError: it cannot be run.
    """
    cdef char **words = NULL
    cdef char **variables = NULL
    cdef int pid
    source = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        words, variables = pointers(argv), pointers(environment)
        pid = xend_spawn(words, variables, source, output)
        if pid < 0:
            PyErr_SetFromErrnoWithFilenameObject(OSError, os.fsdecode(argv[0]))
        return pid
    finally:
        free(words)
        free(variables)
        os.close(source)
