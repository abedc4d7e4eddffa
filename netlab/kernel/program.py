"""A program that a lab runs inside a namespace, as a value. ``program_process`` says what the program sees."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field

from netlab.frozen import frozen

OWN_FOLDER = "/run/netlab"
"""Where a program sees its own folder."""
LARGEST_FILE = 64 << 20
"""Bytes: the largest file that a program may write by default."""


@frozen
class Program:
    """A program to run inside a namespace.

    - ``namespace``: the name of the network namespace, "" for the host's own.
    - ``argv``: the program, or its path, and its arguments; for a ``module``, the arguments alone.
    - ``module``: a module of netlab whose function ``main`` is the program, in place of a program of the host. It is
      imported while the process is still root, as the interpreter may be in root's home directory.
    - ``listens``: ("tcp" or "udp", port): the program is ready when it listens on all of them.
    - ``hostname``: the hostname that the program sees.
    - ``needs``: modules of other packages that the module imports.
    - ``environment``: further variables.
    - ``logs``: files of its folder that it writes; netlab makes them.
    - ``folders``: directories of its folder in which it writes; netlab makes them.
    - ``largest_file``: the most bytes of a file that it may write.
    - ``privileged``: a module of netlab that changes labs: it keeps the user and the mounts of its caller.
    """

    namespace: str
    argv: tuple[str, ...] = ()
    module: str = ""
    listens: tuple[tuple[str, int], ...] = ()
    hostname: str = ""
    needs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    logs: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    largest_file: int = LARGEST_FILE
    privileged: bool = False

    @property
    def digest(self) -> str:
        """A text that differs for different programs."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:32]
