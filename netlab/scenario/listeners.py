"""The echo program in endpoints, for as long as a scenario asks them."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from netlab.cluster.types import Endpoint
from netlab.dataplane import names
from netlab.errors import HostError
from netlab.kernel import libc, privilege
from netlab.kernel.child import Child
from netlab.lab.lab import Lab
from netlab.programs import echo


@contextlib.contextmanager
def listening(lab: Lab, places: Iterable[tuple[Endpoint, int]]) -> Iterator[None]:
    """Have the echo program answer HTTP on ports of endpoints during a block, where nothing listens yet.

    One process answers for all endpoints: a socket stays in the namespace in which it was opened.

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
                child = Child(partial(_serve, found))
        yield
    finally:
        if child is not None:
            child.end()


def _listener(endpoint: Endpoint, port: int, stack: contextlib.ExitStack) -> list[echo.Listener]:
    """Listen on a port in this namespace; return nothing where another program does."""
    try:
        return [(echo.HTTP, stack.enter_context(echo.listening(echo.HTTP, port)), endpoint.name)]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return []
        raise HostError(f"cannot listen on port {port} of {endpoint.ref}: {error.strerror}") from error


def _serve(listeners: Sequence[echo.Listener]) -> bytes:
    libc.give_up_privilege(not privilege.rootless())
    # The kernel forgets it where a process changes its user.
    libc.end_with_parent()
    echo.serve(listeners)
    return b""
