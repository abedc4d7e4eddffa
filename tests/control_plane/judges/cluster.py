"""The cluster that judges ask: a lab behind a control plane, which `netlab control-plane up` starts."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
OVERLAY, ROUTED = HERE / "cluster.yaml", HERE / "routed.yaml"
OUTSIDE = "client"
"""The machine of both that is outside of the cluster."""
_numbers = itertools.count(1)


class Cluster(NamedTuple):
    """A cluster that runs: the name of its lab, and its kubeconfig."""

    lab: str
    kubeconfig: Path


@contextlib.contextmanager
def cluster(folder: Path, objects: Path | None = None, topology: Path = OVERLAY) -> Iterator[Cluster]:
    """Start a cluster, yield it, and remove all of it.

    Args:
      folder: where the kubeconfig and the output of programs go.
      objects: more objects that it has from the start.
      topology: its nodes.

    Raises:
      CalledProcessError: when it does not start.
    """
    name, kubeconfig = f"judges-{os.getpid():x}-{next(_numbers)}", folder / "kubeconfig"
    more = ["-f", str(objects)] if objects else []
    up = ["up", "-f", str(topology), *more, "--lab", name, "--kubeconfig", str(kubeconfig), "--host-programs=all"]
    try:
        _netlab(folder, "control-plane", *up)
        yield Cluster(name, kubeconfig)
    finally:
        log = Path(f"/run/netlab/{name}/programs/agent.host")
        if (log / "output").exists():
            (folder / "nodes.log").write_bytes((log / "output").read_bytes()[-1_000_000:])
        _netlab(folder, "control-plane", "down", "--lab", name)


def _netlab(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "netlab", *words], cwd=folder, check=True, timeout=180)
