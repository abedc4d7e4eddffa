"""Where API servers of different versions judge one object differently: ``Topology.spec.kubernetesVersion``.

A version is the number after ``1.``. Decoders report what only some servers refuse as a warning with the versions that
refuse it (``Problem.servers``). ``judged`` makes it an error for these versions, and drops it for others.

Source: kubernetes pkg/features (``StrictIPCIDRValidation`` and ``RelaxedServiceNameValidation``: on since 1.36);
k8s.io/apimachinery, pkg/util/validation of 0.34 and 0.35 (lengths in bytes), and of 0.35 and 0.36 (warnings).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from netlab.errors import Problem
from netlab.objects.types import Document
from netlab.patterns import pattern

OLDEST, NEWEST = 21, 37
"""The versions that netlab knows. 1.21 is the first that serves every kind in the version that netlab reads."""
STRICT_ADDRESSES = 36
"""The first version that refuses leading zeros, bits beyond a prefix, and IPv4-mapped addresses in new objects."""
RELAXED_SERVICE_NAMES = 36
"""The first version in which the name of a Service may begin with a digit."""
STORED = -1
"""The version of a server that refuses nothing that only some servers refuse: it has accepted the objects before."""
FIELD = "kubernetesVersion"
_BYTES = 35
_IN_BYTES = re.compile(r"(must be no more than [0-9]+) bytes$")
_FUTURE = "will be considered invalid in a future Kubernetes release"
PATTERN = r"^1\.[1-9][0-9]$"
_VERSION = pattern(r"1\.([1-9][0-9])")


def text(version: int) -> str:
    return f"1.{version}"


def parse(written: str) -> int | None:
    """Return the version that a text names, as ``1.37`` names 37; None if netlab does not know it."""
    match = _VERSION.fullmatch(written)
    return int(match[1]) if match is not None and OLDEST <= int(match[1]) <= NEWEST else None


RULE = f"must be a version of Kubernetes from {text(OLDEST)} to {text(NEWEST)}, such as {text(NEWEST)}"


def of(documents: Iterable[Document]) -> int:
    """Return the version that a Topology among the documents names, the newest if none does."""
    for document in documents:
        if document.kind == "Topology":
            spec = document.data.get("spec")
            written = spec.get(FIELD) if isinstance(spec, dict) else None
            if isinstance(written, str) and (found := parse(written)) is not None:
                return found
    return NEWEST


def judged(problems: Iterable[Problem], version: int) -> list[Problem]:
    """Return the problems that an object has for servers of a version, with their messages."""
    found = []
    for one in problems:
        if one.servers is None:
            found.append(_worded(one, version))
        elif one.servers[0] <= version <= one.servers[1]:
            severity = one.severity if one.rule else "error"
            found.append(_worded(replace(one, severity=severity, servers=None), version))
    return found


def _worded(one: Problem, version: int) -> Problem:
    message = one.message
    if version < _BYTES and message.endswith(" bytes"):
        message = _IN_BYTES.sub(r"\1 characters", message)
    elif version >= STRICT_ADDRESSES and _FUTURE in message:
        message = message.replace(_FUTURE, "is invalid")
    return one if message == one.message else replace(one, message=message)
