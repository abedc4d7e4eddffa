"""The echo program in endpoints, for as long as a scenario asks them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from netlab.cluster.types import Endpoint
from netlab.dataplane import names
from netlab.errors import HostError
from netlab.kernel.daemons import Program
from netlab.lab.lab import Lab
from netlab.lab.programs import folder

_USED = "Address already in use"


@contextlib.contextmanager
def listening(lab: Lab, places: Iterable[tuple[Endpoint, int]]) -> Iterator[None]:
    """Have the echo program answer HTTP on ports of endpoints during a block, where nothing listens yet.

    Raises:
      HostError, KernelError: when it cannot be started.
    """
    started: list[Path] = []
    try:
        with lab.held():
            for endpoint, port in {(one.ref, port): (one, port) for one, port in places}.values():
                namespace = names.endpoint_namespace(lab.name, endpoint)
                where = folder(lab.machine, lab.name, f"echo-{port}", namespace)
                program = Program(
                    namespace,
                    ("--http", str(port), "--name", endpoint.name),
                    module="netlab.programs.echo",
                    listens=(("tcp", port),),
                    hostname=endpoint.name,
                    needs=("yaml",),
                )
                started.append(where)
                try:
                    lab.machine.start(program, where)
                except HostError as error:
                    if _USED not in str(error):
                        raise
        yield
    finally:
        with lab.held():
            for where in started:
                lab.machine.stop(where)
