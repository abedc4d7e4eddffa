"""The machine of a measurement."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path


def describe() -> dict[str, object]:
    """Return the facts on which figures depend: processor, memory, kernel, Python, nft, and the current load."""
    return {
        "processor": _field(Path("/proc/cpuinfo"), "model name"),
        "processors": os.cpu_count() or 1,
        "memory": _field(Path("/proc/meminfo"), "MemTotal"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "nft": _version("nft"),
        "load": round(os.getloadavg()[0], 2),
    }


def line(machine: dict[str, object]) -> str:
    """Return the description in one line."""
    return (
        f"{machine['processors']} x {machine['processor']}, {machine['memory']}, Linux {machine['kernel']}, "
        f"Python {machine['python']}, {machine['nft']}, load {machine['load']}"
    )


def program(name: str) -> str | None:
    """Return the path of a program, also in sbin, which an ordinary PATH may lack."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin")))


def _version(name: str) -> str:
    path = program(name)
    if path is None:
        return f"no {name}"
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.split("(")[0].strip()


def _field(file: Path, name: str) -> str:
    for found in file.read_text().splitlines():
        key, _, value = found.partition(":")
        if key.strip() == name:
            return " ".join(value.split())
    return f"no {name}"
