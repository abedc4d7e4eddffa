"""The cluster that judges ask: a lab behind a control plane, which `netlab control-plane up` starts."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOPOLOGY = HERE / "cluster.yaml"
_numbers = itertools.count(1)


@contextlib.contextmanager
def cluster(folder: Path, objects: Path | None = None) -> Iterator[Path]:
    """Start the cluster, yield its kubeconfig, and remove all of it.

    Args:
      folder: where the kubeconfig and the output of programs go.
      objects: more objects that it has from the start.

    Raises:
      CalledProcessError: when it does not start.
    """
    name, kubeconfig = f"judges-{os.getpid():x}-{next(_numbers)}", folder / "kubeconfig"
    more = ["-f", str(objects)] if objects else []
    up = ["up", "-f", str(TOPOLOGY), *more, "--lab", name, "--kubeconfig", str(kubeconfig), "--host-programs=all"]
    try:
        _netlab(folder, "control-plane", *up)
        yield kubeconfig
    finally:
        log = Path(f"/run/netlab/{name}/programs/agent.host")
        if (log / "output").exists():
            (folder / "nodes.log").write_bytes((log / "output").read_bytes()[-1_000_000:])
        _netlab(folder, "control-plane", "down", "--lab", name)


def _netlab(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "netlab", *words], cwd=folder, check=True, timeout=180)
