"""Decoding of cluster-wide policies, with the checks of their CRDs.

As in the API server, the CEL rules are checked only if the schema finds no error that stops them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from netlab.errors import Problem
from netlab.frozen import NamedTuple
from netlab.objects import names
from netlab.objects.addresses import go_prefix
from netlab.objects.cluster_policies import (
    CLUSTER_POLICIES,
    ClusterPeer,
    ClusterPolicy,
    ClusterRule,
    ClusterTier,
    PodsPeer,
)
from netlab.objects.cluster_policy_fields import ClusterPolicyRoot, EgressPeerShape, PeerShape, PodsShape, SelectorShape
from netlab.objects.fields import Fields, forbidden, invalid
from netlab.objects.kind import Column
from netlab.objects.label_selectors import label_selector
from netlab.objects.meta import object_meta, open_document
from netlab.objects.openapi import Array, String, blocks_rules
from netlab.objects.policies import PolicyPort
from netlab.objects.selectors import LabelSelector
from netlab.objects.shapes import Field
from netlab.objects.types import Document, Prefix
from netlab.verdicts import Action

API_GROUP = CLUSTER_POLICIES
_WRONG_CIDR = "Invalid CIDR format provided"
_NOT_CHECKED = (
    "some validation rules were not checked because the object was invalid;"
    " correct the existing errors to complete validation"
)
_EVERY_ADDRESS = ClusterPeer(networks=(IPv4Network("0.0.0.0/0"), IPv6Network("::/0")))
_EVERY_POD = ClusterPeer(pods=PodsPeer())


COLUMNS = (
    Column("SUBJECT", lambda one: str(one.subject), wide=True),
    Column("INGRESS", lambda one: str(len(one.ingress)), wide=True),
    Column("EGRESS", lambda one: str(len(one.egress)), wide=True),
    Column("WRITTEN", lambda one: one.source.place() or one.source.file, wide=True),
)
"""The columns of ``netlab get -o wide`` for each kind: the subject, the number of rules, and the place."""


class Port(NamedTuple):
    """One item of ``protocols`` or ``ports``. ``port`` is None for an item that matches nothing.

    ``unknown``: no implementation knows what the item means. ``named``: it names a container port.
    """

    port: PolicyPort | None
    unknown: bool = False
    named: bool = False


class Variant(NamedTuple):
    """What differs between the kinds.

    - ``root``: the declaration of the fields.
    - ``tier``: the tier of all its policies, None if the policy states it.
    - ``actions``: the actions by their names.
    - ``port``: decodes one item of ``protocols`` or ``ports``.
    - ``canonical``: a network with host bits is an error.
    - ``no_names``: the message about an egress rule with named ports and peers that have none.
    - ``check``: reports what is wrong with the name of an object.
    """

    root: type[ClusterPolicyRoot]
    tier: ClusterTier | None
    actions: Mapping[str, Action]
    port: Callable[[Decoder, Fields], Port]
    canonical: bool
    no_names: str
    check: Callable[[Decoder, Fields, str], None] = lambda decoder, root, name: None


class Decoder:
    """Decodes one document. Errors of CEL rules wait until the schema is known to be right."""

    def __init__(self, document: Document, variant: Variant) -> None:
        self.root = open_document(document, strict=True)
        self.report = self.root.report
        self.variant = variant
        self._document = document
        self._rule_errors: list[tuple[str, str, str]] = []
        # The number of problems, and the paths above the errors among them.
        self._above: tuple[int, Set[str]] = 0, frozenset()

    def break_rule(self, path: str, value: str | None, message: str, *, at: str | None = None) -> None:
        """Report that a value at a path breaks a CEL rule; None stands for an object, whose value is not printed."""
        text = f"Invalid value: {message}" if value is None else invalid(value, message)
        self._rule_errors.append((path, at or path, text))

    def decode(self) -> tuple[ClusterPolicy, list[Problem]]:
        """Return the policy and the problems. The policy must not be used if a problem is an error."""
        shape: Any = self.variant.root
        shape.check(self.root)
        blocked = any(blocks_rules(problem.message) for problem in self.report.problems)
        meta = object_meta(self.root, metadata=shape.metadata)
        spec = shape.spec.read(self.root)
        fields: Any = shape.spec.shape
        policy = ClusterPolicy(
            meta,
            self._document.kind,
            self.variant.tier or ("Baseline" if fields.tier.read(spec) == "Baseline" else "Admin"),
            (fields.priority.read(spec) or 0) if "priority" in fields.fields else 0,
            self._subject(fields.subject.read(spec)),
            self._rules(spec, fields.ingress),
            self._rules(spec, fields.egress),
            self._document.source,
            str(self._document.data.get("apiVersion", "")).rpartition("/")[2],
        )
        self.variant.check(self, self.root, meta.name)
        wrong = {problem.path for problem in self.report.problems}
        broken = [one for one in self._rule_errors if one[0] not in wrong]
        for path, at, message in broken if not blocked else ():
            self.report.error(path, message, at=at)
        if broken and blocked:
            self.report.error("", _NOT_CHECKED)
        return policy, self.report.problems

    def _subject(self, fields: Fields) -> PodsPeer:
        return self._pods(fields) or PodsPeer()

    def _pods(self, fields: Fields) -> PodsPeer | None:
        namespaces = PeerShape.namespaces.find(fields)
        if namespaces is not None:
            return PodsPeer(self._selector(namespaces))
        pods = PeerShape.pods.find(fields)
        if pods is None:
            return None
        where = PodsShape.namespaces.find(pods)
        self._warn_of_null(pods, PodsShape.namespaces, "every namespace")
        return PodsPeer(None if where is None else self._selector(where), self._selector(PodsShape.pods.read(pods)))

    def _selector(self, fields: Fields) -> LabelSelector:
        # The schema has reported it.
        if fields.path in self._above_errors():
            return LabelSelector()
        found = label_selector(self._without_nulls(fields))
        if found == LabelSelector():
            for field in (SelectorShape.match_labels, SelectorShape.match_expressions):
                self._warn_of_null(fields, field, "every label")
        return found

    def _above_errors(self) -> Set[str]:
        """Return the paths of all values with an error somewhere inside, as selectors are many."""
        count = len(self.report.problems)
        if count != self._above[0]:
            errors = [problem.path for problem in self.report.problems if problem.severity == "error"]
            self._above = count, {path[: end.start()] for path in errors for end in re.finditer(r"[.\[]", path)}
        return self._above[1]

    def _without_nulls(self, fields: Fields) -> Fields:
        """Return a selector without labels that are null: the API server drops them."""
        labels = fields.data.get(SelectorShape.match_labels.name)
        dropped = [key for key, value in labels.items() if value is None] if isinstance(labels, dict) else []
        if not dropped:
            return fields
        for key in dropped:
            self._warn_of(f"{SelectorShape.match_labels.at(fields)}.{key}", "every value, and no label")
        left = {key: value for key, value in labels.items() if value is not None}  # type: ignore[union-attr]
        return Fields(self.report, {**fields.data, SelectorShape.match_labels.name: left}, fields.path)

    def _warn_of_null(self, fields: Fields, field: Field[Any], meaning: str) -> None:
        if field.null(fields):
            self._warn_of(field.at(fields), meaning)

    def _warn_of(self, path: str, meaning: str) -> None:
        # A required field that is null has an error.
        if any(problem.path == path for problem in self.report.problems):
            return
        message = f"null means {meaning}: give it a value, or leave it out if that is intended"
        self.report.warn(path, message, "null-means-all")

    def _rules(self, spec: Fields, direction: Array) -> tuple[ClusterRule, ...]:
        found = (self._rule(fields, direction) for fields in direction.read(spec))
        return tuple(rule for rule in found if rule is not None)

    def _rule(self, fields: Fields, direction: Array) -> ClusterRule | None:
        """Return what a rule means, None if it matches nothing."""
        shape: Any = direction.shape
        written = shape.action.read(fields)
        action = self.variant.actions.get(written, "deny")
        peers = tuple(self._peer(one, written, shape.peers.shape) for one in shape.peers.read(fields))
        self._warn_of_null(fields, shape.ports, "every port of every protocol")
        ports = [self.variant.port(self, one) for one in shape.ports.read(fields)]
        if any(one.named for one in ports) and any(peer.pods is None for peer in peers):
            self.break_rule(fields.path, None, self.variant.no_names)
        name, line = shape.name.read(fields), self.report.source.line(fields.path)
        if any(one.unknown for one in ports):
            if action == "allow":
                return None
            every = _EVERY_POD if direction.name == "ingress" else _EVERY_ADDRESS
            return ClusterRule("deny", (every,), (), name, fields.path, line)
        left = tuple(one.port for one in ports if one.port is not None)
        if ports and not left:
            return None
        return ClusterRule(action, peers, left, name, fields.path, line)

    def _peer(self, fields: Fields, action: str, shape: Any) -> ClusterPeer:
        pods = self._pods(fields)
        if pods is not None:
            return ClusterPeer(pods)
        nodes = EgressPeerShape.nodes.find(fields)
        if nodes is not None:
            return ClusterPeer(nodes=self._selector(nodes))
        hosts: tuple[str, ...] = ()
        if "domainNames" in shape.fields:
            hosts = tuple(name for _, name in shape.domain_names.read(fields))
            if hosts and self.variant.actions.get(action) not in ("allow", None):
                allow = next(word for word, meaning in self.variant.actions.items() if meaning == "allow")
                shape.domain_names.error(fields, forbidden(f"may only be used with the action {allow}"))
        networks = [self._network(*one) for one in EgressPeerShape.networks.read(fields)]
        return ClusterPeer(None, tuple(one for one in networks if one is not None), None, hosts)

    def _network(self, path: str, text: str) -> Prefix | None:
        prefix = go_prefix(text, host_bits=not self.variant.canonical)
        if prefix is None:
            self.break_rule(path, text, _WRONG_CIDR)
        return prefix


def named_port(fields: Fields, field: String) -> Port | None:
    """Return the port of a field that names a container port, None if the field is absent."""
    if not field.has(fields):
        return None
    written = field.read(fields)
    if field.missing(fields):
        # An implementation reads it as an item without a port.
        field.error(fields, invalid(written, "must be the name of a container port"))
    messages = names.port_name(written) if written else ()
    if messages:
        text = f"no container port can have this name, so it matches nothing: {messages[0]}"
        fields.report.warn(field.at(fields), text, "port-name-never-matches")
    return Port(None if messages else PolicyPort(port=written), named=True)
