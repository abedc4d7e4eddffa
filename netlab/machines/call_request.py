"""``Request``: what a call asks for, as its target reads it. The arguments are a stranger's, so each is checked."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from netlab.errors import UsageError
from netlab.frozen import frozen
from netlab.lab.at_endpoints import Place
from netlab.lab.lab import Lab
from netlab.store.etcd_settings import EtcdSettings


@frozen
class Request:
    """What a call asks for.

    Args:
      what: the name of the target.
      lab: the lab.
      arguments: the target's arguments.
      machine: the name of this machine.
      policy: which programs this machine runs: ``nobody``, ``any`` or ``none``.
      settings: how etcd is reached.
    """

    what: str
    lab: str
    arguments: Mapping[str, Any]
    machine: str
    policy: str
    settings: EtcdSettings

    def text(self, name: str) -> str:
        """Return an argument that is a text; raises UsageError."""
        return self._text(name, self.arguments.get(name))

    def texts(self, name: str) -> list[str]:
        """Return an argument that is a list of texts; raises UsageError."""
        return [self._text(name, one) for one in self.items(name)]

    def items(self, name: str) -> list[Any]:
        """Return an argument that is a list; raises UsageError."""
        value = self.arguments.get(name)
        if not isinstance(value, list):
            raise UsageError(f"a call of {self.what}: {name} is no list")
        return value

    def number(self, name: str, most: float) -> float:
        """Return an argument that is a number from 0 to ``most``; raises UsageError."""
        value = self.arguments.get(name)
        if type(value) not in (int, float) or not 0 <= float(value or 0) <= most:
            raise UsageError(f"a call of {self.what}: {name} is no number from 0 to {most:g}")
        return float(value or 0)

    def opened(self) -> Lab:
        """Return this machine's part of the lab; raises UsageError where it has none."""
        return Lab.open(self.lab)

    def place(self, lab: Lab, ref: str) -> Place:
        """Return where an endpoint of this machine is; raises UsageError where this machine has it not."""
        place = lab.locate(ref)
        if not lab.here(place.namespace):
            raise UsageError(f"{ref} is not on this machine")
        return place

    def _text(self, name: str, value: object) -> str:
        if not isinstance(value, str) or "\0" in value:
            raise UsageError(f"a call of {self.what}: {name} is no text")
        return value


def write(data: bytes) -> None:
    """Write all of some data to the output of a call."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def write_json(value: object) -> None:
    """Write a value as JSON to the output of a call."""
    write(json.dumps(value, separators=(",", ":")).encode())


def read_input(most: int) -> bytes:
    """Return the whole input of a call; raises UsageError where it has more bytes than ``most``."""
    parts, size = [], 0
    while part := os.read(0, 1 << 16):
        parts.append(part)
        size += len(part)
        if size > most:
            raise UsageError(f"an input of more than {most:,} bytes")
    return b"".join(parts)
