"""Changes a lab by two values that are kept open, as two programs do; run inside of a machine of ``bed.py``.

It prints the labels that each value saw after each change, and the requests to etcd of the last change.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from netlab.lab.lab import Lab
from netlab.machines import labs
from netlab.objects.scenarios import LabelChange
from netlab.store.etcd_client import EtcdClient


def main(lab: str) -> None:
    labs.use_etcd(os.environ["NETLAB_ETCD"])
    one, other = labs.labs().open(lab), labs.labs().open(lab)
    seen = [_label(one, "p1"), _label(other, "p2"), _label(one, "p3")]
    asked: list[str] = []
    call = EtcdClient.call

    def counted(self: EtcdClient, path: str, *arguments: Any, **more: Any) -> dict[str, Any]:
        if path != "lease/keepalive":
            asked.append(path)
        return call(self, path, *arguments, **more)

    EtcdClient.call = counted  # type: ignore[method-assign]
    _label(one, "p1", "twice")
    print(json.dumps({"seen": seen, "asked": [path for path in asked if path != "kv/compaction"]}))


def _label(lab: Lab, pod: str, value: str = "once") -> dict[str, str]:
    """Label a pod, and return the labels that the lab then has."""
    lab.label([LabelChange("pod", f"default/{pod}", {"changed": value})])
    return {one.name: one.labels["changed"] for one in lab.cluster.pods if "changed" in one.labels}


main(sys.argv[1])
