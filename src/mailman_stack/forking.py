"""Memory that a process and those it forks go on sharing.

A page is copied when it is written, and CPython writes to whatever it looks at: each reference to
an object is counted in the object. Those of an immortal object are not (PEP 683).
"""

import ctypes
import gc
import sys

IMMORTAL = sys.getrefcount(None)
"""What the interpreter answers for every immortal object."""


def share() -> None:
    """Make every object that there is immortal, just before a fork.

    None of them is ever freed again: connections and locks must have been closed by now. Nothing in
    Python or its C API says this of an object that is there already, so it is written where CPython
    keeps the count: in the first bytes of each.

    Garbage is not looked for before: it is small, and shared. From here on it is, by whoever has
    loaded all that with the collector off.
    """
    found = gc.get_objects()
    while found:
        for each in found:
            ctypes.c_uint32.from_address(id(each)).value = IMMORTAL
        # Strings, numbers and code are known only to what refers to them.
        found = [each for each in gc.get_referents(*found) if sys.getrefcount(each) != IMMORTAL]
    gc.freeze()  # a collection would write to each object it looks at
    gc.enable()
