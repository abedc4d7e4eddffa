"""Packets for the rules of invariants: examples of each class of pairs, in a lab with a host for each outside range."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from types import TracebackType

from netlab.cluster import Cluster, try_resolve
from netlab.cluster.flows import Flow, service_flow
from netlab.cluster.types import address_of
from netlab.cluster.unowned import special_purpose
from netlab.errors import InputError, in_order
from netlab.lab.lab import Lab
from netlab.machines.labs import temporary
from netlab.objects import Objects, input_of
from netlab.objects.invariants import InvariantRule
from netlab.objects.kind import NETLAB_VERSION
from netlab.objects.services import Service
from netlab.objects.types import Document, Source
from netlab.objects.versions import STORED
from netlab.policy.bitsets import members
from netlab.policy.evaluate import evaluate
from netlab.policy.rule_judge import RuleJudge, pair_of
from netlab.policy.tiers.tier import AskedPort
from netlab.scenario.compare import reason_of
from netlab.scenario.results import Failure

MOST_PACKETS = 20_000
"""The most examples of one rule that packets are sent for. Of more examples, every second, third, … one is taken."""
_TOPOLOGY = "Topology"

_Pair = tuple[str, str, AskedPort]
"""The names of a source and of a destination, and the port."""


class RulePackets:
    """A lab of the judge's cluster, in which packets are sent for rules; a context manager that builds and removes it.

    ``sent`` is the number of pairs that packets were sent for, ``left_out`` that of examples without packets: of a rule
    with too many, and of outside addresses that no host can have.

    Raises:
      InputError: if a host cannot have an outside address.
      HostError, KernelError: if this host cannot build the lab.
    """

    def __init__(self, judge: RuleJudge, objects: Objects, file: str) -> None:
        self.sent = 0
        self.left_out = 0
        self._judge = judge
        self._objects = objects
        self._file = file
        self._names: dict[str, str] = {}
        self._stack = contextlib.ExitStack()
        self._lab: Lab | None = None

    def __enter__(self) -> RulePackets:
        objects, cluster = self._with_hosts()
        self._lab = self._stack.enter_context(temporary(objects, cluster=cluster))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lab = None
        self._stack.close()

    def failures(self, rule: InvariantRule) -> list[Failure]:
        """Send packets for a rule; return the pairs whose measured verdict is not the expected one."""
        if self._lab is None:
            raise RuntimeError("the lab is not built")
        pairs = list(dict.fromkeys(self._pairs(rule)))
        step = -(-len(pairs) // MOST_PACKETS) or 1
        flows = [flow for pair in pairs[::step] if (flow := self._flow(self._lab.cluster, pair)) is not None]
        self.left_out += len(pairs) - len(flows)
        wrong: list[Failure] = []
        for measured in self._lab.probe(flows):
            self.sent += 1
            decision = evaluate(self._lab.cluster, measured.flow)
            if decision.verdict == "unknown":
                continue
            # The evaluator judged the rule for all pairs. So packets must have the verdict that it expects.
            if measured.verdict != decision.verdict:
                reason = reason_of(decision, measured)
                wrong.append(Failure(measured.flow, decision.verdict, measured.verdict, reason, self._file, rule.line))
        return wrong

    def _pairs(self, rule: InvariantRule) -> Iterator[_Pair]:
        """Yield an example of each class of sources, destinations and ports that a rule asks about."""
        sets = self._judge.sets
        for family in self._judge.cluster.families:
            for question in self._judge.questions(rule, family):
                among = sets.sources(question.to, family, question.sources)
                port = self._judge.asked_port(question, family)
                for kind in members(among):
                    some = question.sources.of[kind]
                    if question.to.service is not None:
                        yield some[0].ref, f"service:{question.to.service.meta.key}", port
                        continue
                    found = pair_of(some, question.to.members)
                    if found is not None:
                        yield found[0].ref, found[1].ref, port

    def _flow(self, cluster: Cluster, pair: _Pair) -> Flow | None:
        source_name, name, (family, protocol, port) = pair
        source = cluster.by_ref.get(self._names.get(source_name, source_name))
        if source is None:
            return None
        if name.startswith("service:"):
            service = self._service(cluster, name.removeprefix("service:"))
            return None if service is None else service_flow(source, service, protocol, port, family)
        end = cluster.by_ref.get(self._names.get(name, name))
        return None if end is None else Flow(source, end, family, protocol, port, address_of(end, family))

    def _service(self, cluster: Cluster, key: str) -> Service | None:
        return next((one for one in cluster.services if one.meta.key == key), None)

    def _with_hosts(self) -> tuple[Objects, Cluster]:
        """Return the objects and the cluster with a host for each class of outside addresses."""
        taken = {host.name for host in self._judge.cluster.hosts}
        hosts: list[dict[str, object]] = []
        for number, one in enumerate(self._judge.outside, start=1):
            if special_purpose(one.addresses[0]):
                continue
            name = f"outside-{number}"
            while name in taken:
                name += "-x"
            self._names[one.ref] = f"host:{name}"
            hosts.append({"name": name, "addresses": [str(one.addresses[0])]})
        # The names of outside addresses that no host has are no endpoints of the lab, so their pairs are left out.
        documents = with_topology_hosts(self._objects.documents, hosts)
        found = input_of(documents, server=STORED)
        cluster, more = try_resolve(found.objects, unknown=found.unknown)
        problems = [one for one in (*found.problems, *more) if one.severity == "error"]
        if problems:
            raise InputError(in_order(problems, (self._file,)))
        return found.objects, cluster


def with_topology_hosts(documents: Sequence[Document], hosts: Sequence[dict[str, object]]) -> list[Document]:
    """Return documents whose Topology has more outside hosts; without a Topology, one is added."""
    if not hosts:
        return list(documents)
    found = [one for one in documents if one.kind != _TOPOLOGY]
    topology = next((one for one in documents if one.kind == _TOPOLOGY), None)
    if topology is None:
        data: dict[str, object] = {"apiVersion": NETLAB_VERSION, "kind": _TOPOLOGY, "metadata": {"name": "default"}}
        topology = Document(data, Source("--packets"))
    spec = topology.data.get("spec") or {}
    more = {**spec, "hosts": [*(spec.get("hosts") or ()), *hosts]}
    return [Document({**topology.data, "spec": more}, topology.source, topology.duplicates), *found]
