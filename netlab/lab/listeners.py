"""The echo program in endpoints, while a scenario asks them; ``Lab.listening`` runs it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from netlab.cluster.types import Endpoint
from netlab.dataplane import names
from netlab.errors import HostError
from netlab.kernel import libc, privilege
from netlab.kernel.child import Child
from netlab.kernel.program_process import give_up_privilege
from netlab.programs import echo

if TYPE_CHECKING:
    from netlab.lab.lab import Lab


@contextlib.contextmanager
def listening(lab: Lab, places: Iterable[tuple[Endpoint, int]]) -> Iterator[None]:
    """Run the echo program on ports of endpoints during a block, for HTTP. Ports in use are left alone.

    One process answers for all endpoints, as a socket stays in the namespace in which it was opened.

    Raises:
      HostError, NotFound: when it cannot listen.
    """
    child: Child | None = None
    try:
        with contextlib.ExitStack() as stack:
            found: list[echo.Listener] = []
            with lab.held(shared=True):
                for endpoint, port in places:
                    with lab.machine.inside(names.endpoint_namespace(lab.name, endpoint)):
                        found += _listener(endpoint, port, stack)
            if found:
                child = _child(found)
        yield
    finally:
        if child is not None:
            child.end()


class Listening:
    """Programs that accept connections on ports of endpoints, as further endpoints are added, until ``end``."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._children: list[Child] = []
        self._known: dict[tuple[str, int], object] = {}

    def also(self, places: Iterable[tuple[Endpoint, int]]) -> None:
        """Listen on further ports. A pod that ended and began again under its name is another pod.

        Raises:
          HostError, NotFound: when it cannot listen.
        """
        now = {(endpoint.ref, port): endpoint for endpoint, port in places}
        new = [(endpoint, port) for (ref, port), endpoint in now.items() if (ref, port) not in self._known]
        # What is not asked any more, as its pod is gone, is new when it comes again.
        self._known = dict(now)
        if not new:
            return
        with contextlib.ExitStack() as stack:
            found: list[echo.Listener] = []
            for endpoint, port in new:
                with self._lab.machine.inside(names.endpoint_namespace(self._lab.name, endpoint)):
                    found += _listener(endpoint, port, stack)
            if found:
                self._children.append(_child(found))

    def end(self) -> None:
        """End all programs."""
        for child in self._children:
            child.end()


def _listener(endpoint: Endpoint, port: int, stack: contextlib.ExitStack) -> list[echo.Listener]:
    """Listen on a port in the present namespace; return nothing if the port is in use."""
    try:
        return [(echo.HTTP, stack.enter_context(echo.listening(echo.HTTP, port)), endpoint.name)]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return []
        raise HostError(f"cannot listen on port {port} of {endpoint.ref}: {error.strerror}") from error


def _child(listeners: Sequence[echo.Listener]) -> Child:
    """Return a process that serves.

    It keeps no other descriptor: another thread may start a program now, and read its output to the end.
    """
    return Child(partial(_serve, listeners, os.getpid()), [listener.fileno() for _, listener, _ in listeners])


def _serve(listeners: Sequence[echo.Listener], parent: int) -> bytes:
    give_up_privilege(not privilege.rootless())
    # The kernel drops this setting when a process changes its user.
    libc.end_with_parent(pid=parent)
    echo.serve(listeners)
    return b""
