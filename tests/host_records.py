"""The records of this host's labs, and of those that a test keeps in a folder of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from netlab.kernel.machine import Machine, this_host
from netlab.lab import namespace_list
from netlab.lab.record import Records
from netlab.lab.temporary_labs import hold_owner_lock

record = Records(this_host())


@contextlib.contextmanager
def namespaces(kernel: Machine, lab: str) -> Iterator[Callable[[Sequence[str]], None]]:
    """Yield a function that makes namespaces, each named after ``lab``; they are removed after the block.

    They are listed as those of a temporary lab. So if this process is killed, the next command of netlab removes them.
    """
    records, made = Records(kernel), list[str]()

    def create(names: Sequence[str]) -> None:
        made.extend(names)
        namespace_list.write(records.store, lab, kernel.boot_id(), made)
        kernel.create(names)

    with hold_owner_lock(records, lab):
        try:
            yield create
        finally:
            kernel.remove(made)
            records.remove(lab)
    records.tidy()
