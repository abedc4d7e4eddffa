"""Two labs with control planes on one host, at the same time."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path

import pytest
from control_plane.lab_plane import Plane, lacking
from waiting import eventually

pytestmark = pytest.mark.kernel(needs=["openssl"])
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "c", "image": "agnhost", "args": ["netexec"]}],
    },
}


def _answers(plane: Plane) -> bool:
    """Return whether the program of the pod runs and answers."""
    ask = ("exec", "-n", "shop", "web", "--", "/agnhost", "connect", "127.0.0.1:8080", "--timeout=1s")
    return plane.kubectl(*ask, check=False) == ""


def test_two_labs_with_long_names_do_not_meet(tmp_path: Path) -> None:
    """Both begin at the same time; a user of one is none of the other, and the end of one leaves the other."""
    if missing := lacking():
        pytest.skip(f"needs {', '.join(missing)}")
    planes = []
    for letter in "ab":
        (tmp_path / letter).mkdir()
        planes.append(Plane(tmp_path / letter, f"two-{os.getpid():x}-".ljust(62, "x") + letter))
    first, second = planes
    try:
        begun = [one.starting(POD) for one in planes]
        assert [0, 0] == [one.wait(110) for one in begun]
        for one in planes:
            eventually(partial(_answers, one))
        server = first.kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
        said = second.kubectl("--server", server, "--insecure-skip-tls-verify", "get", "pods", "-A", check=False)
        assert "certificate" in said or "Unauthorized" in said or "must be logged in" in said
        first.netlab("down", first.name)
        assert "web" in second.kubectl("get", "pods", "-n", "shop")
    finally:
        for one in planes:
            one.netlab("down", one.name, check=False)
    for one in planes:
        assert not Path(f"/run/netlab/{one.name}").exists()
        assert not one.kubeconfig.exists()
        assert [] == list(Path("/run/netns").glob(f"netlab.{one.name}.*"))
    left = subprocess.run(["pgrep", "-f", first.name[:-1]], capture_output=True, text=True).stdout.split()
    assert [] == [pid for pid in left if int(pid) != os.getpid()]
