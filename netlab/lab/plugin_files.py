"""The files of pods whose links plugins make: one for each pod, in the lab's folder."""

from __future__ import annotations

import json
from hashlib import blake2b
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from netlab.cni.conflist import conflist
from netlab.cni.types import Result
from netlab.errors import HostError
from netlab.frozen import frozen
from netlab.kernel.machine import Machine, Unsafe
from netlab.objects.types import Address

_FOLDER = "plugins"
_MOST_BYTES = 1 << 20
_TEXTS = ("ref", "node", "network", "netns", "conflist", "version", "capabilities", "result")


@frozen
class AttachedPod:
    """A pod's file: what its plugins were called with, and their result as JSON, "" while ADD is not finished.

    ``held``: a table drops the pod's packets. ``unchecked``: plugins whose CHECK fails at once after ADD.
    """

    ref: str
    node: str
    network: str
    netns: str
    conflist: str
    version: str
    ranges: tuple[str, ...]
    capabilities: str
    shared: bool
    result: str = ""
    held: bool = False
    unchecked: tuple[str, ...] = ()

    def same_call(self, other: AttachedPod) -> bool:
        """Return whether both call the same plugins in the same way; the version may be another."""
        return _call(self) == _call(other)

    @property
    def found(self) -> Result | None:
        return Result.read(json.loads(self.result)) if self.result else None

    @property
    def addresses(self) -> tuple[Address, ...]:
        found = self.found
        ips = (one.ip for one in found.of_container()) if found is not None else ()
        first: dict[int, Address] = {}
        for ip in ips:
            first.setdefault(ip.version, ip)
        return tuple(first[family] for family in sorted(first))


def _call(one: AttachedPod) -> tuple[object, ...]:
    return one.ref, one.node, one.network, one.netns, one.conflist, one.ranges, one.capabilities, one.shared


class PluginFiles:
    """The files of one lab; ``folder`` has them, and the plugins' own state."""

    def __init__(self, machine: Machine, lab: str) -> None:
        self._store, self._lab = machine.store, lab
        self.folder = machine.store.folder(lab) / _FOLDER

    def exist(self) -> bool:
        """Return whether plugins ever ran for the lab."""
        return self.folder.is_dir()

    def read(self) -> dict[str, AttachedPod]:
        """Return the pods that have a file, by reference; raises HostError where one cannot be read."""
        found = {}
        for file in sorted(self.folder.glob("*.json")):
            try:
                one = _decoded(json.loads(self._store.read(file, _MOST_BYTES)))
            except (OSError, Unsafe, ValueError, TypeError, KeyError, RecursionError) as error:
                raise HostError(f"{file} is damaged: {error}", f"remove the lab: netlab down {self._lab}") from error
            found[one.ref] = one
        return found

    def write(self, one: AttachedPod) -> None:
        """Write the file of a pod; raises HostError where that fails."""
        file = self._file(one.ref)
        try:
            self._store.write(file, json.dumps(_encoded(one)).encode())
        except OSError as error:
            raise HostError(f"cannot write {file}: {error.strerror}") from error

    def remove(self, ref: str) -> None:
        """Remove the file of a pod, if there is one."""
        self._file(ref).unlink(missing_ok=True)

    def _file(self, ref: str) -> Path:
        return self.folder / f"{digest(ref)}.json"


def digest(text: str) -> str:
    """Return a short name for a text."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _encoded(one: AttachedPod) -> dict[str, Any]:
    texts = {name: getattr(one, name) for name in _TEXTS}
    return {
        **texts,
        "ranges": list(one.ranges),
        "unchecked": list(one.unchecked),
        "shared": one.shared,
        "held": one.held,
    }


def _decoded(data: Any) -> AttachedPod:
    """Return the pod of a file; raises ValueError, TypeError or KeyError for another form."""
    texts = {name: data[name] for name in _TEXTS}
    ranges, unchecked = tuple(data["ranges"]), tuple(data["unchecked"])
    if not all(isinstance(text, str) for text in (*texts.values(), *ranges, *unchecked)):
        raise TypeError("a field is no text")
    shared, held = data["shared"] is True, data["held"] is True
    found = AttachedPod(**texts, ranges=ranges, unchecked=unchecked, shared=shared, held=held)
    conflist(json.loads(found.conflist))
    json.loads(found.capabilities)
    _ = found.found, [ip_network(text) for text in ranges]
    return found
