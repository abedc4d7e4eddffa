"""The programs of a control plane on this host: where they are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from netlab.errors import HostError

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
VARIABLE = "KUBEBUILDER_ASSETS"
_HOW = (
    f"name a folder with them in {VARIABLE} or by --assets (sudo keeps no variables and has a PATH of its own):"
    " etcd is the package etcd-server of Debian and Ubuntu, all others are in a server release of Kubernetes"
)


def find(folder: str = "") -> Mapping[str, str]:
    """Return the path of each program: of a folder, else of the folder in KUBEBUILDER_ASSETS, else on PATH.

    They run without privilege, so a program of any user may be one.

    Raises:
      HostError: when one is missing.
    """
    places = [folder, os.environ.get(VARIABLE, ""), os.environ.get("PATH", ""), "/usr/local/bin:/usr/bin:/bin"]
    path = ":".join(filter(None, places))
    found = {name: shutil.which(name, path=path) for name in NAMES}
    missing = [name for name, place in found.items() if place is None]
    if missing:
        raise HostError(f"this host has no {', '.join(missing)}", _HOW)
    return {name: os.path.abspath(place) for name, place in found.items() if place is not None}
