"""Facts that netlab assumed, as the input does not have them."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "assumed-by-netlab",
    "info",
    "facts that netlab assumed",
    what="The input lacks a fact, or has an address that does not fit the lab. netlab made up labels of nodes,"
    " changed an address, left a host port unpublished, or left out what a profile does not support.",
    why="Verdicts may depend on it, if policies have such addresses or ports.",
    fix="add the objects or the fields that the message names",
    objects="",
    fires="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {nodeSelector: {disk: ssd}}
""",
    clean="""\
apiVersion: v1
kind: Node
metadata: {name: one, labels: {disk: ssd}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {nodeSelector: {disk: ssd}}
""",
    checks=(
        "labels-of-made-up-nodes",
        "address-moved",
        "port-unpublished",
        "family-left-out",
        "profile-replaced",
        "profile-overridden",
    ),
)
