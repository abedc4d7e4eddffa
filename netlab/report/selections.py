"""What a policy selects, and which policies select a pod, as results.

The document of a policy (``-o json``, ``-o yaml``) is::

    {"apiVersion": "netlab/v1alpha1", "kind": "PolicySelection", "lab": NAME, "policy": "shop/db", "file": "db.yaml",
     "line": 1, "podSelector": "app=db", "pods": ["shop/db-0"], "why": "",
     "policyTypes": ["ingress"],
     "rules": [{"direction": "ingress", "path": "spec.ingress[0]", "line": 8, "ports": ["5432/TCP"],
                "peers": [{"path": "spec.ingress[0].from[0]", "line": 9, "podSelector": "app=web",
                           "namespaceSelector": null, "ipBlock": null, "namespaces": ["shop"],
                           "pods": ["shop/web-0"], "others": []}]}]}

A selector is null if the peer does not have it, and "" if it selects everything. A rule without peers has one peer
without selectors, which matches everything. ``ipBlock`` is ``{"cidr": …, "except": […]}``. ``others`` are nodes and
outside hosts. ``why`` says why a policy has no effect.

That of a pod, or of all pods of a workload, is::

    {"apiVersion": "netlab/v1alpha1", "kind": "PodSelection", "lab": NAME, "name": "shop/web-0", "pods": ["shop/web-0"],
     "policies": [{"policy": "shop/web", "file": "web.yaml", "line": 1, "podSelector": "app=web",
                   "ingress": ["shop/web-0"], "egress": []}],
     "clusterPolicies": [{"policy": "ClusterNetworkPolicy closed", "file": "admin.yaml", "line": 1, "tier": "Admin",
                          "priority": 10, "ingress": ["shop/web-0"], "egress": []}],
     "notIsolated": {"ingress": [], "egress": ["shop/web-0"]},
     "unread": ["CiliumNetworkPolicy shop/l7 (l7.yaml:1)"]}

If a policy and a pod have the name, the document is ``{"apiVersion": "v1", "kind": "List", "items": […]}`` with both.

``clusterPolicies`` are in the order in which they decide; ``notIsolated`` is about NetworkPolicies. That of a
cluster-wide policy (kind ClusterPolicySelection) has ``policy``, ``file``, ``line``, ``tier``, ``priority``,
``subject`` and ``pods``, and ``rules`` with ``direction``, ``path``, ``line``, ``name``, ``action``, ``ports`` and
``peers``. Each peer has ``path``, ``line``, ``text`` and the endpoints ``matches``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netlab.quantity import few, quantity
from netlab.report.documents import API_VERSION
from netlab.report.formats import Page

if TYPE_CHECKING:
    from netlab.objects.policies import NetworkPolicy
    from netlab.objects.selectors import LabelSelector
    from netlab.policy.selections import PodSelection, PolicySelection, SelectedPeers, SelectedRule, Selection

# The most names in a line.
_FEW = 6


class SelectionReport:
    """The selections of all that have a name; ``table`` and ``document`` are those of their types."""

    def __init__(self, lab: str, found: Sequence[Selection]) -> None:
        self._lab = lab
        self._found = found

    def table(self, page: Page) -> Iterator[str]:
        """Yield what a policy selects and matches, or the policies that select a pod, with file and line."""
        from netlab.policy.selections import PodSelection, PolicySelection
        from netlab.report import cluster_selections

        for number, found in enumerate(self._found):
            if number:
                yield ""
            if isinstance(found, PolicySelection):
                yield from _policy_lines(found)
            elif isinstance(found, PodSelection):
                yield from _pod_lines(found)
            else:
                yield from cluster_selections.policy_lines(found)

    def document(self) -> dict[str, Any]:
        """Return the PolicySelection, ClusterPolicySelection or PodSelection document, or a List of several."""
        items = [self._item(found) for found in self._found]
        return items[0] if len(items) == 1 else {"apiVersion": "v1", "kind": "List", "items": items}

    def _item(self, found: Selection) -> dict[str, Any]:
        from netlab.policy.selections import PodSelection, PolicySelection
        from netlab.report import cluster_selections

        head = {"apiVersion": API_VERSION, "kind": type(found).__name__, "lab": self._lab}
        if isinstance(found, PolicySelection):
            return {**head, **_policy_data(found)}
        if isinstance(found, PodSelection):
            return {**head, **_pod_data(found)}
        return {**head, **cluster_selections.policy_data(found)}


def _policy_lines(found: PolicySelection) -> Iterator[str]:
    policy = found.policy
    selector = str(policy.pod_selector)
    what = "every pod of its namespace" if selector == "<all>" else selector
    yield f"NetworkPolicy {policy.meta.key}{_place(policy)} selects {what}: {_names([pod.ref for pod in found.pods])}"
    if found.why:
        yield f"  {found.why}"
    for direction, word in (("ingress", "from"), ("egress", "to")):
        if direction not in policy.policy_types:
            yield f"  {direction}: the policy does not isolate its pods"
            continue
        rules = [rule for rule in found.rules if rule.direction == direction]
        if not rules:
            yield f"  {direction}: no rules, so the policy allows nothing"
        for rule in rules:
            yield f"  {rule.rule.path}{_place(policy, rule.rule.path)}: {rule.ports} {word}"
            yield from (f"    {_peer_line(policy, rule, peer)}" for peer in rule.peers)


def _peer_line(policy: NetworkPolicy, rule: SelectedRule, found: SelectedPeers) -> str:
    from netlab.policy.pod_peers import peers_of

    place = "" if found.number < 0 else _place(policy, rule.path(found))
    if found.peer is None:
        return f"everything{place}"
    names = [*(pod.ref for pod in found.pods), *(one.ref for one in found.others)]
    if found.peer.ip_block is not None:
        block = found.peer.ip_block
        holes = f" except {', '.join(map(str, block.excepts))}" if block.excepts else ""
        inside = f": among them {_names(names)}" if names else ""
        return f"{block.cidr}{holes}{place}{inside}"
    return f"{peers_of(found.peer, policy.meta.namespace)}{place}: {_names(names)}"


def _pod_lines(found: PodSelection) -> Iterator[str]:
    from netlab.report import cluster_selections
    from netlab.report.columns import columns

    many = f" ({quantity(len(found.pods), 'pod')})" if found.name not in {pod.ref for pod in found.pods} else ""
    if found.policies:
        rows = []
        for one in found.policies:
            cells = [_part(len(of), len(found.pods)) for of in (one.ingress, one.egress)]
            policy = one.policy
            rows.append((policy.meta.key, str(policy.pod_selector), *cells, policy.source.place() or "-"))
        yield f"{found.name}{many} is selected by {quantity(len(found.policies), 'NetworkPolicy', 'NetworkPolicies')}:"
        yield from columns(("POLICY", "POD-SELECTOR", "INGRESS", "EGRESS", "PLACE"), rows)
    else:
        yield f"{found.name}{many}: no NetworkPolicy selects it"
    yield from cluster_selections.pod_lines(found.cluster_policies, len(found.pods))
    for direction in ("ingress", "egress"):
        free = [pod.ref for pod in found.free(direction)]
        if free and found.policies:
            yield f"no policy isolates {_names(free)} for {direction}"
    for unread in found.unread:
        yield f"may be selected by {unread}, which netlab does not read"
    hidden = [pod.ref for pod in found.pods if not pod.selectable]
    if hidden:
        yield f"policies do not select host-network pods and pods without a network: {_names(hidden)}"


def _part(number: int, of: int) -> str:
    if not number:
        return "-"
    return "yes" if number == of else f"{number} of {of}"


def _place(policy: NetworkPolicy, path: str = "") -> str:
    place = policy.source.place(path)
    return f" ({place})" if place else ""


def _names(names: Sequence[str]) -> str:
    if not names:
        return "nothing"
    return few(names, _FEW)


def _text(selector: LabelSelector | None) -> str | None:
    if selector is None:
        return None
    text = str(selector)
    return "" if text == "<all>" else text


def _policy_data(found: PolicySelection) -> dict[str, Any]:
    policy = found.policy
    rules = []
    for rule in found.rules:
        peers = []
        for one in rule.peers:
            path, peer = rule.path(one), one.peer
            block = peer.ip_block if peer is not None else None
            peers.append(
                {
                    "path": path,
                    "line": policy.source.line(path),
                    "podSelector": _text(peer.pod_selector) if peer is not None else None,
                    "namespaceSelector": _text(peer.namespace_selector) if peer is not None else None,
                    "ipBlock": block and {"cidr": str(block.cidr), "except": [str(hole) for hole in block.excepts]},
                    "namespaces": list(one.namespaces),
                    "pods": [pod.ref for pod in one.pods],
                    "others": [other.ref for other in one.others],
                }
            )
        line = policy.source.line(rule.rule.path)
        ports = rule.ports.words()
        rules.append(
            {"direction": rule.direction, "path": rule.rule.path, "line": line, "ports": ports, "peers": peers}
        )
    return {
        **_data(policy),
        "pods": [pod.ref for pod in found.pods],
        "why": found.why,
        "policyTypes": sorted(policy.policy_types, reverse=True),
        "rules": rules,
    }


def _data(policy: NetworkPolicy) -> dict[str, Any]:
    selector = _text(policy.pod_selector)
    place = {"file": policy.source.file, "line": policy.source.line()}
    return {"policy": policy.meta.key, **place, "podSelector": selector}


def _pod_data(found: PodSelection) -> dict[str, Any]:
    from netlab.report import cluster_selections

    return {
        "name": found.name,
        "pods": [pod.ref for pod in found.pods],
        "policies": [
            {
                **_data(one.policy),
                "ingress": [pod.ref for pod in one.ingress],
                "egress": [pod.ref for pod in one.egress],
            }
            for one in found.policies
        ],
        "clusterPolicies": cluster_selections.pod_data(found.cluster_policies),
        "notIsolated": {
            "ingress": [pod.ref for pod in found.free("ingress")],
            "egress": [pod.ref for pod in found.free("egress")],
        },
        "unread": [str(policy) for policy in found.unread],
    }
