"""Limits of what one command reads. They bound the memory and time that an input of strangers can take."""

from __future__ import annotations

from netlab.frozen import mutable

# An export of 10,000 pods is some 100 MB.
MOST_BYTES = 256 << 20
MOST_FILES = 20_000
MOST_ENTRIES = 500_000
MAX_DEPTH = 200
# More pods than one host can run. A typing error in `replicas` should not keep it busy for minutes.
MOST_PODS = 100_000
# `up` builds more pods than these only with an option.
MANY_PODS = 5_000
# With more problems than these, each object with problems reports one.
MOST_PROBLEMS = 5_000
MOST_PRINTED = 1_000
MOST_OF_AN_OBJECT = 100

# Bytes of memory that a part of an input takes at most, its decoded value included. Measured with CPython 3.11.
FIELD = 110
LIST = 150
MAPPING = 420
# A mapping with more fields than NARROW may have names that no other mapping shares, so a field takes more.
NARROW = 50
WIDE_FIELD = 250
DOCUMENT = 2_400
# The memory that any input may take, and per byte of larger ones. Exports take 5 to 10 bytes per byte.
_LEAST_MEMORY = 380_000_000
_DENSITY = 19


class TooLargeError(Exception):
    """The input exceeds a limit; the message says which one."""


@mutable
class Budget:
    """What is left of the limits of one input. All files that are read for the input share it.

    ``bytes`` and ``memory`` are in bytes; ``taken`` is the number of bytes read.
    """

    bytes: int = MOST_BYTES
    files: int = MOST_FILES
    memory: int = _LEAST_MEMORY
    taken: int = 0

    def take_file(self, size: int) -> None:
        """Count a file of a size in bytes; raise TooLargeError if there are too many bytes or files."""
        self.files -= 1
        if self.files < 0:
            raise TooLargeError(f"too much to read: more than {MOST_FILES} files")
        self.take_more(size)

    def take_more(self, size: int) -> None:
        """Count further bytes of a counted file; raise TooLargeError if there are too many."""
        self.bytes -= size
        if self.bytes < 0:
            raise TooLargeError(f"too much to read: more than {MOST_BYTES >> 20} MiB in all")
        beyond = (self.taken + size) * _DENSITY - max(self.taken * _DENSITY, _LEAST_MEMORY)
        self.memory += max(beyond, 0)
        self.taken += size

    def spend(self, memory: int) -> None:
        """Count memory in bytes; raise TooLargeError if too little is left."""
        self.memory -= memory
        if self.memory < 0:
            raise too_dense()


def too_dense() -> TooLargeError:
    """Return the error of an input whose fields take too much memory."""
    return TooLargeError("too much to read: its fields, aliases expanded, would take too much memory")
