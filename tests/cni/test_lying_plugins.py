"""Plugins whose results are wrong: ``up`` fails in one line, and nothing is left."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netlab.errors import HostError
from netlab.kernel.linux import Linux
from netlab.lab.lab import Lab
from netlab.objects import load

pytestmark = pytest.mark.kernel

_SCRIPT = """#!{python} -S
import json, os, sys
config = json.load(sys.stdin)
if os.environ["CNI_COMMAND"] == "ADD":
    print(json.dumps({{"cniVersion": "1.0.0", "ips": [{{"address": config["gives"]}}]}}))
"""
_LAB = """
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  networks:
  - {{name: default, mode: cni, conflist: pods.conflist, podCIDRs: [10.60.0.0/16], wiring: {{attachment: bridge}}}}
  nodes: [{{name: node-a}}, {{name: node-b}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: a}}
spec: {{nodeName: node-a, containers: [{{name: m, image: x}}]}}
"""


@pytest.mark.parametrize(
    ("gives", "ipam", "message"),
    [
        ("10.60.0.9/24", {}, "10.60.0.9, and no interface of the pod has it"),
        ("10.61.0.9/24", {}, "10.61.0.9, which is not in 10.60.0.0/16"),
        (
            "10.60.1.9/24",
            {"ipam": {"type": "host-local"}},
            "10.60.1.9, which is not in 10.60.0.0/24",
        ),
    ],
)
def test_a_pod_has_the_addresses_of_the_result(
    gives: str,
    ipam: dict[str, object],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unique: Callable[[str], str],
) -> None:
    """They are in its node's range, where routes lead to it, and an interface has them."""
    folder = tmp_path / "bin"
    folder.mkdir(mode=0o755)
    for name in ("liar", "host-local"):
        script = folder / name
        script.write_text(_SCRIPT.format(python=sys.executable))
        script.chmod(0o755)
    monkeypatch.setenv("CNI_PATH", str(folder))
    monkeypatch.setattr("netlab.lab.plugin_links._SETTLES", 0.0)
    plugins = [{"type": "liar", "gives": gives, **ipam}]
    (tmp_path / "pods.conflist").write_text(json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}))
    file = tmp_path / "lab.yaml"
    lab = unique("liar")
    file.write_text(_LAB.format(name=lab))
    objects, _ = load([str(file)])
    with pytest.raises(HostError) as error:
        Lab.up(objects, machine=Linux())

    assert message in str(error.value)
    assert not list(Path("/run/netns").glob(f"netlab.{lab}.*"))
