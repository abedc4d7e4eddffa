"""The list of a lab's network namespaces, in a file beside the record, so that ``down`` does not need the record.

The list is written before a record that names more namespaces. It has the same form in all versions of netlab: the boot
in the first line, then a name in each line.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable

from netlab.frozen import frozen_with_cache
from netlab.kernel.machine import LIST, RECORD, Store, Unsafe
from netlab.store.values import MOST

# Bytes; no lab comes near.
MOST_OF_LIST = 64 << 20
# A file that does not begin with a boot is no list. Otherwise the lab would seem to be of an earlier boot.
_BOOT = re.compile(r"([0-9a-f-]{36})?")


@frozen_with_cache
class NamespaceList:
    """The namespaces of a lab, and the boot in which they were made; ``known`` is false where no file has them."""

    names: tuple[str, ...] = ()
    boot: str = ""
    known: bool = False


def prefix(lab: str) -> str:
    """Return the prefix of the names of a lab's namespaces."""
    return f"netlab.{lab}."


def write(store: Store, lab: str, boot: str, names: Iterable[str]) -> None:
    """Write a lab's list if it differs; raises OSError, HostError."""
    file = store.folder(lab) / LIST
    data = "".join(f"{line}\n" for line in (boot, *names)).encode()
    with contextlib.suppress(OSError, Unsafe):
        if store.read(file, MOST_OF_LIST) == data:
            return
    store.write(file, data)


def read(store: Store, lab: str) -> NamespaceList:
    """Return a lab's namespaces by its list, or by its record where the list cannot be read.

    A file that another user could have written does not count, nor does a name without the lab's prefix.
    """
    for source in (_from_list, _from_record):
        with contextlib.suppress(OSError, Unsafe, ValueError, TypeError, KeyError, RecursionError):
            boot, names = source(store, lab)
            start = prefix(lab)
            return NamespaceList(tuple(n for n in names if n.startswith(start) and "/" not in n), boot, known=True)
    return NamespaceList()


def _from_list(store: Store, lab: str) -> tuple[str, list[str]]:
    boot, *names = store.read(store.folder(lab) / LIST, MOST_OF_LIST).decode().splitlines()
    if not _BOOT.fullmatch(boot):
        raise ValueError("boot")
    return boot, names


def _from_record(store: Store, lab: str) -> tuple[str, list[str]]:
    data = json.loads(store.read(store.folder(lab) / RECORD, MOST))
    names = data["namespaces"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError("namespaces")
    return str(data.get("boot", "")), names
