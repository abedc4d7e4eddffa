"""A program that a lab runs inside a namespace, as a value. ``program_process`` says what the program sees."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field

from netlab.frozen import frozen

OWN_FOLDER = "/run/netlab"
"""Where a program sees its own folder."""


@frozen
class Program:
    """A program to run inside a namespace.

    - ``namespace``: the name of the network namespace.
    - ``argv``: the program, or its path, and its arguments; for a ``module``, the arguments alone.
    - ``module``: a module of netlab whose function ``main`` is the program, in place of a program of the host. It is
      imported while the process is still root, as the interpreter may be in root's home directory.
    - ``listens``: ("tcp" or "udp", port): the program is ready when it listens on all of them.
    - ``hostname``: the hostname that the program sees.
    - ``needs``: modules of other packages that the module imports.
    - ``environment``: further variables.
    - ``logs``: files of its folder that it writes; netlab makes them.
    """

    namespace: str
    argv: tuple[str, ...] = ()
    module: str = ""
    listens: tuple[tuple[str, int], ...] = ()
    hostname: str = ""
    needs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    logs: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A text that differs for different programs."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:32]
