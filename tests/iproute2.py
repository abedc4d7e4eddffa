"""The output of iproute2 as data: its text differs from version to version."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

Facts = list[dict[str, Any]]


def ip(*words: str, namespace: str | Path = "", program: str = "ip") -> Facts:
    """Run ``ip -j`` in the network namespace of this thread, or in another one: a name that is pinned, or a path."""
    within = ["nsenter", f"--net={Path('/run/netns', namespace)}"] if namespace else []
    done = subprocess.run([*within, program, "-j", *words], check=True, capture_output=True, text=True)
    # For an object that a filter leaves out, some versions print {}; for none of any kind, some print nothing.
    return [fact for fact in json.loads(done.stdout or "[]") if fact]


def columns(facts: Facts, *keys: str) -> list[tuple[Any, ...]]:
    """Return the values of these keys for each fact, sorted; a missing one is None."""
    return sorted((tuple(fact.get(key) for key in keys) for fact in facts), key=str)


def addresses(facts: Facts) -> list[str]:
    """Return the addresses that ``ip address`` listed, as ADDRESS/LENGTH."""
    return [f"{one['local']}/{one['prefixlen']}" for fact in facts for one in fact["addr_info"]]
