"""A typical wrong solution of each lesson: what is written in place of which part of the solution."""

from __future__ import annotations

from typing import NamedTuple


class Mistake(NamedTuple):
    """A wrong solution: in ``file`` of the solution, ``new`` stands for ``old``.

    ``pairs`` is how many pairs are then as asked, ``first`` the first that is not, in words. ``decided`` is what the
    explanation or the rule says about it.
    """

    file: str
    old: str
    new: str
    pairs: str
    first: str
    decided: str


MISTAKES = {
    # Both pods have no network now.
    "none": Mistake(
        "pods.yaml",
        "labels: {app: vault}}",
        "labels: {app: vault}, annotations: {netlab/network: none}}",
        "4 of 6",
        "lab/client must reach lab/vault on 80/TCP, but it does not.",
        "lab/vault has a loopback interface only",
    ),
    # A label in place of a namespace of its own.
    "host": Mistake(
        "agent.yaml",
        "labels: {app: agent}}\nspec: {",
        "labels: {app: agent, protected: always}}\nspec: {hostNetwork: true, ",
        "",
        "",
        "",
    ),
    "bridge": Mistake(
        "pods.yaml",
        "metadata: {name: cache, namespace: lab, labels: {app: cache}}\nspec: {nodeName: node-a",
        "metadata: {name: cache, namespace: lab, labels: {app: cache}}\nspec: {nodeName: node-b",
        "",
        "",
        "",
    ),
    "published-ports": Mistake("web.yaml", "hostPort: 8080", "hostPort: 80", "", "", ""),
    "overlay": Mistake("network.yaml", "mode: overlay", "mode: routed", "", "", ""),
    "routed": Mistake("policy.yaml", "192.0.2.10/32", "192.0.2.0/27", "", "", ""),
    "default-deny": Mistake("policy.yaml", "[Ingress]", "[Ingress, Egress]", "", "", ""),
    "labels": Mistake("pods.yaml", "{app: batch}", "{app: batch, role: frontend}", "", "", ""),
    "and-or": Mistake(
        "policy.yaml", "    - namespaceSelector: {matchLabels: {team: ops}}\n      pod", "    - pod", "", "", ""
    ),
    "both-sides": Mistake(
        "policy.yaml",
        "- to: [{podSelector: {matchLabels: {app: db}}}]\n    ports: [{port: 5432}]",
        "- {}",
        "",
        "",
        "",
    ),
    "dns": Mistake("policy.yaml", "{port: 53, protocol: UDP}, {port: 53, protocol: TCP}", "{port: 53}", "", "", ""),
    "service-port": Mistake("policy.yaml", "    ports: [{port: 8080}]\n", "", "", "", ""),
    "dual-stack": Mistake("policy.yaml", "    - ipBlock: {cidr: 192.0.2.10/32}\n", "", "", "", ""),
    "two-cnis": Mistake("policy.yaml", "{podSelector: {matchLabels: {app: web}}}", "{podSelector: {}}", "", "", ""),
}
