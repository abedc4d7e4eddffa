"""A kernel that is kept in memory: it does with values what ``netlab.kernel.linux`` does with namespaces.

It answers what a caller did to it; it proves nothing about packets. It refuses what the real one refuses: a second
link of a name, an address on a link that is not there, a veth whose other end has no namespace.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import replace

from netlab.errors import KernelError
from netlab.kernel.state import Change, Item, Link, Namespace, Sysctl

_LOOPBACK = Link("lo", "loopback", mtu=65536, up=False)


class FakeKernel:
    """Namespaces in a dictionary; ``spaces`` maps names to items and ``rulesets`` to the scripts run, in order."""

    def __init__(self) -> None:
        self.spaces: dict[str, set[Item]] = {}
        self.rulesets: dict[str, list[str]] = {}

    def create(self, names: Sequence[str]) -> None:
        for name in names:
            if name in self.spaces:
                raise KernelError.of(f"network namespace {name}", errno.EEXIST)
            self.spaces[name] = {_LOOPBACK}
            self.rulesets[name] = []

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            for item in list(self.spaces.get(name, ())):
                if isinstance(item, Link):
                    self._drop(name, item.name)
            self.spaces.pop(name, None)
            self.rulesets.pop(name, None)

    def exists(self, name: str) -> bool:
        return name in self.spaces

    def read(self, name: str, sysctls: Iterable[str] = ()) -> Namespace:
        wanted = set(sysctls)
        items = {i for i in self._space(name) if not isinstance(i, Sysctl) or i.name in wanted}
        return Namespace(name, frozenset(items))

    def apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.verb == "delete":
                self._delete(change.namespace, change.item)
        for kind in (Sysctl, Link):
            for change in changes:
                if change.verb == "add" and isinstance(change.item, kind):
                    self._add(change.namespace, change.item)
        for change in changes:
            if change.verb == "add" and not isinstance(change.item, (Sysctl, Link)):
                self._add(change.namespace, change.item)

    def nft(self, name: str, script: str) -> None:
        self._space(name)
        self.rulesets[name].append(script)

    def holds(self, name: str, script: str) -> bool:
        self._space(name)
        return self.rulesets[name][-1:] == [script]

    def settle(self, names: Sequence[str]) -> None:
        for name in names:
            self._space(name)

    def close(self) -> None:
        pass

    def _space(self, name: str) -> set[Item]:
        if name not in self.spaces:
            raise KernelError.of(f"network namespace {name}", errno.ENOENT)
        return self.spaces[name]

    def _add(self, name: str, item: Item) -> None:
        space = self._space(name)
        if isinstance(item, Link):
            if item.peer is not None and item.peer[0] not in self.spaces:
                raise KernelError.of(f"{name}: link add {item.name}", errno.EINVAL)
            known = next((i for i in space if isinstance(i, Link) and i.name == item.name), None)
            if known is not None:
                space.discard(known)
                item = replace(item, peer=item.peer or known.peer)
        elif isinstance(item, Sysctl):
            space -= {i for i in space if isinstance(i, Sysctl) and i.name == item.name}
        elif not any(isinstance(i, Link) and i.name == item.dev for i in space):
            raise KernelError.of(f"{name}: {item}", errno.ENODEV)
        space.add(item)

    def _delete(self, name: str, item: Item) -> None:
        if isinstance(item, Link):
            self._drop(name, item.name)
        else:
            self._space(name).discard(item)

    def _drop(self, name: str, link: str) -> None:
        """Remove a link with everything on it, and with its other end."""
        space = self.spaces.get(name, set())
        found = next((i for i in space if isinstance(i, Link) and i.name == link), None)
        if found is None:
            return
        space -= {i for i in space if i is found or (not isinstance(i, (Link, Sysctl)) and i.dev == link)}
        if found.peer is not None:
            self._drop(*found.peer)
