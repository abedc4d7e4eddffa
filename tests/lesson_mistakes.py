"""A typical wrong solution of each lesson: what is written in place of which part of the solution."""

from __future__ import annotations

from typing import NamedTuple


class Mistake(NamedTuple):
    """A wrong solution: in ``file`` of the solution, ``new`` stands for ``old``.

    ``pairs`` is how many pairs are then as asked, ``first`` the first that is not, in words. ``decided`` are parts of
    the explanation and of the rule.
    """

    file: str
    old: str
    new: str
    pairs: str
    first: str
    decided: tuple[str, ...]


MISTAKES = {
    # The other pod has no network either.
    "none": Mistake(
        "pods.yaml",
        "labels: {app: vault}}",
        "labels: {app: vault}, annotations: {netlab/network: none}}",
        "4 of 6",
        "lab/client must reach lab/vault on 80/TCP, but it does not.",
        ("why   lab/vault has a loopback interface only",),
    ),
    # A label for the policy, and still the node's network.
    "host": Mistake(
        "agent.yaml",
        "labels: {app: agent}}\nspec: {",
        "labels: {app: agent, protected: always}}\nspec: {hostNetwork: true, ",
        "2 of 5",
        "lab/client must not reach lab/agent on 9100/TCP, but it does.",
        ("to    lab/agent, 100.64.0.1, on node-a, labels app=agent,protected=always",),
    ),
    # One of two pods is moved.
    "bridge": Mistake(
        "pods.yaml",
        "metadata: {name: cache, namespace: lab, labels: {app: cache}}\nspec: {nodeName: node-a",
        "metadata: {name: cache, namespace: lab, labels: {app: cache}}\nspec: {nodeName: node-b",
        "3 of 5",
        "lab/web must reach lab/cache on 6379/TCP, but it does not.",
        ("why   bridge networks of node-a and node-b are not joined",),
    ),
    # Another port of the node.
    "published-ports": Mistake(
        "web.yaml",
        "hostPort: 8080",
        "hostPort: 80",
        "2 of 4",
        "host:stranger must not reach node:node-a on 8080/TCP, but it does.",
        ("to    node:node-a, 100.64.0.1", "why   no policy selects either side"),
    ),
    # Pods reach one another, and outside hosts reach them too.
    "overlay": Mistake(
        "network.yaml",
        "mode: overlay",
        "mode: routed",
        "3 of 5",
        "host:client must not reach lab/web on 80/TCP, but it does.",
        ("No NetworkPolicy selects it for ingress, so everything is allowed.",),
    ),
    # A range that is smaller, and still holds both hosts.
    "routed": Mistake(
        "policy.yaml",
        "192.0.2.10/32",
        "192.0.2.0/27",
        "4 of 5",
        "host:stranger must not reach lab/web on 80/TCP, but it does.",
        ("spec.ingress[0].from[0]", "in chain inet netlab ingress_class", "lab/web from 192.0.2.0/27 by lab/web"),
    ),
    # Egress is closed too.
    "default-deny": Mistake(
        "policy.yaml",
        "[Ingress]",
        "[Ingress, Egress]",
        "9 of 12",
        "shop/api must reach other/visitor on 80/TCP, but it does not.",
        ("it has no egress rules", "in chain inet netlab deny_eg", "shop/api selected by shop/default-deny"),
    ),
    # Both pods get the label.
    "labels": Mistake(
        "pods.yaml",
        "{app: batch}",
        "{app: batch, role: frontend}",
        "3 of 4",
        "shop/batch must not reach shop/db on 5432/TCP, but it does.",
        ("allowed by NetworkPolicy shop/db spec.ingress[0].from[0]", "shop/db from shop/batch, shop/web by shop/db"),
    ),
    # The namespace is forgotten, so the policy's own one is meant.
    "and-or": Mistake(
        "policy.yaml",
        "    - namespaceSelector: {matchLabels: {team: ops}}\n      pod",
        "    - pod",
        "2 of 4",
        "monitoring/prometheus must reach shop/db on 5432/TCP, but it does not.",
        ("does not match: from[0]: namespace shop, found monitoring", "in chain inet netlab deny_in"),
    ),
    # A rule that allows everything.
    "both-sides": Mistake(
        "policy.yaml",
        "- to: [{podSelector: {matchLabels: {app: db}}}]\n    ports: [{port: 5432}]",
        "- {}",
        "5 of 6",
        "shop/web must not reach shop/api on 22/TCP, but it does.",
        ("allowed by NetworkPolicy shop/web spec.egress[1]", "spec.egress[1]"),
    ),
    # Without a protocol TCP is meant, and DNS asks by UDP first.
    "dns": Mistake(
        "policy.yaml",
        "{port: 53, protocol: UDP}, {port: 53, protocol: TCP}",
        "{port: 53}",
        "5 of 7",
        "shop/web must reach service:kube-system/kube-dns on 53/UDP, but it does not.",
        ("does not match: port: 53/TCP, asked 53/UDP", "in chain inet netlab deny_eg"),
    ),
    # Every port of the pod is open.
    "service-port": Mistake(
        "policy.yaml",
        "    ports: [{port: 8080}]\n",
        "",
        "4 of 6",
        "shop/client must not reach shop/web on 9090/TCP, but it does.",
        ("spec.ingress[0].from[0]", "shop/web from shop/client by shop/web of @in_l3"),
    ),
    # The other family, and no longer the first one.
    "dual-stack": Mistake(
        "policy.yaml",
        "    - ipBlock: {cidr: 192.0.2.10/32}\n",
        "",
        "5 of 6",
        "shop/web must reach host:partner on 443/TCP over IPv4, but it does not.",
        ("to[0]: ipBlock 2001:db8::10/128, found 192.0.2.10", "in chain inet netlab deny_eg"),
    ),
    # All pods of the namespace, as the ipBlock had them.
    "two-cnis": Mistake(
        "policy.yaml",
        "{podSelector: {matchLabels: {app: web}}}",
        "{podSelector: {}}",
        "4 of 6",
        "shop/batch must not reach shop/db on 5432/TCP, but it does.",
        ("allowed by NetworkPolicy shop/db spec.ingress[0].from[0]",),
    ),
}
"""By the name of the lesson."""
