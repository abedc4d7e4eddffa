"""How much one command reads, so that no input costs more memory and time than an honest one of its size."""

from __future__ import annotations

from dataclasses import dataclass

# An export of 10,000 pods is some 100 MB.
MOST_BYTES = 256 << 20
MOST_FILES = 20_000
MOST_ENTRIES = 500_000
MAX_DEPTH = 200
# More pods than one host carries; a slip of the keyboard should not keep it busy for minutes.
MOST_PODS = 100_000
# Building more than these has to be asked for.
MANY_PODS = 5_000
# Beyond these, one problem is reported for each object that has any.
MOST_PROBLEMS = 5_000
MOST_PRINTED = 1_000
MOST_OF_AN_OBJECT = 100

# What the parts of an input take in memory at most, with what is read out of them, as measured with CPython 3.11.
FIELD = 110
LIST = 150
MAPPING = 420
# In a mapping of many fields no name is had from elsewhere.
NARROW = 50
WIDE_FIELD = 250
DOCUMENT = 2_400
# Small inputs may be dense; no manifest takes more than this times its size (exports: 5 to 10 times).
_LEAST_MEMORY = 380_000_000
_DENSITY = 19


class TooLargeError(Exception):
    """The input is beyond a bound; the text says which."""


@dataclass(slots=True)
class Budget:
    """What is left of the bounds of one input; shared by everything that is read for it."""

    bytes: int = MOST_BYTES
    files: int = MOST_FILES
    memory: int = _LEAST_MEMORY
    taken: int = 0

    def take_file(self, size: int) -> None:
        """Count a file of a size; raises TooLargeError where it is too large, or one too many."""
        self.files -= 1
        if self.files < 0:
            raise TooLargeError(f"too much to read: more than {MOST_FILES} files")
        self.take_more(size)

    def take_more(self, size: int) -> None:
        """Count bytes of a file that was taken; raises TooLargeError where they are too many."""
        self.bytes -= size
        if self.bytes < 0:
            raise TooLargeError(f"too much to read: more than {MOST_BYTES >> 20} MiB in all")
        beyond = (self.taken + size) * _DENSITY - max(self.taken * _DENSITY, _LEAST_MEMORY)
        self.memory += max(beyond, 0)
        self.taken += size

    def spend(self, memory: int) -> None:
        """Count memory; raises TooLargeError where too little is left."""
        self.memory -= memory
        if self.memory < 0:
            raise too_dense()


def too_dense() -> TooLargeError:
    return TooLargeError("too much to read: its fields, aliases expanded, would take too much memory")
