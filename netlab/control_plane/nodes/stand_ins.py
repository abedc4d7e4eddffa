"""What is in force in place of a policy that the lab refuses: the pods that it selects are isolated.

kubectl shows the policy, so a user believes that its pods are protected. Nothing may reach them that the policy would
stop.
"""

from __future__ import annotations

from typing import Any

from netlab.objects import Document
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.kind import get
from netlab.objects.policies import NetworkPolicy

_KEPT = ("tier", "priority", "subject")
_EVERYWHERE: dict[str, Any] = {"namespaces": {}}
_DENIED = {
    "ingress": [{"action": "Deny", "from": [_EVERYWHERE]}],
    "egress": [{"action": "Deny", "to": [_EVERYWHERE, {"networks": ["0.0.0.0/0", "::/0"]}]}],
}


def stand_in(policy: Document) -> Document | None:
    """Return a policy that isolates what a policy selects, None for an object that is none.

    A NetworkPolicy isolates its pods in the directions of its ``policyTypes``. A policy of the cluster denies its pods
    everything that its API can name.
    """
    spec, kind = policy.data.get("spec"), get(policy.kind)
    if not isinstance(spec, dict) or kind is None or kind.type not in (NetworkPolicy, ClusterPolicy):
        return None
    instead = (
        _isolated(spec)
        if kind.type is NetworkPolicy
        else {**{key: spec[key] for key in _KEPT if key in spec}, **_DENIED}
    )
    return Document({**policy.data, "spec": instead}, policy.source)


def _isolated(spec: dict[str, Any]) -> dict[str, Any]:
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return {"podSelector": spec.get("podSelector") or {}, "policyTypes": types}
