"""Kubeconfigs, as text.

Source: kubeconfig (v1) of kubernetes.io. The certificates are in the file itself, so it works wherever it is copied.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from netlab.kernel.loopback import ADDRESS


def text(files: Mapping[str, bytes], user: str, lab: str, port: int) -> str:
    """Return the kubeconfig of a user for the control plane of a lab.

    ``files`` are those of ``certificates``; ``user`` is the name of the user's certificate. JSON is YAML too.
    """
    name = f"netlab-{lab}"
    value = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": f"https://{ADDRESS}:{port}",
                    "certificate-authority-data": _encoded(files["ca.crt"]),
                },
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": _encoded(files[f"{user}.crt"]),
                    "client-key-data": _encoded(files[f"{user}.key"]),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    return f"{json.dumps(value, indent=2)}\n"


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
