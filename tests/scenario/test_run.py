"""Scenarios run in fake labs with given verdicts, and on the real kernel."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from scenario_files import scenarios_of

from netlab.cluster import Cluster, resolve
from netlab.cluster.find import pod_of
from netlab.cluster.flows import Flow
from netlab.errors import HostError, KernelError
from netlab.lab.lab import Lab
from netlab.objects import Document, Objects, apply, decode, delete, relabel
from netlab.objects.scenarios import LabelChange, ObjectRef, Scenario
from netlab.policy.evaluate import evaluate
from netlab.probe import Measurement
from netlab.report.scenarios import failure_line
from netlab.scenario.run import run

Write = Callable[[str], Scenario]
STEPS = """\
  - name: open
    expect:
    - {from: shop/web, to: shop/db, verdict: allow}
    - oracle: true
  - name: closed
    apply: [deny.yaml]
    expect:
    - {from: "*/*", to: "shop/*", verdict: deny}
    - oracle: true
  - name: open again
    label: [{pod: shop/db, labels: {app: null, role: db}}]
    delete: [{kind: NetworkPolicy, namespace: shop, name: deny-all}]
    expect:
    - {from: shop/web, to: shop/db, verdict: allow}
    - {from: shop/db, to: shop/web, protocol: ICMP, verdict: allow}
"""


class AnyAnswer(Lab):
    """A lab without a kernel: packets say what the evaluator says, but for the pairs that it was printed of."""

    def __init__(self, objects: Objects, answers: dict[str, tuple[str, str]], refuse: str = "") -> None:
        self._documents = objects.documents
        self._answers = answers
        self._refuse = refuse
        self.asked: list[str] = []

    @property
    def cluster(self) -> Cluster:
        return resolve(decode(self._documents)[0])

    def apply(self, documents: Sequence[Document]) -> None:  # type: ignore[override]
        if self._refuse:
            raise KernelError.of(self._refuse, 12)
        self._documents = tuple(apply(self._documents, documents))

    def delete(self, refs: Sequence[ObjectRef]) -> None:  # type: ignore[override]
        self._documents = tuple(delete(self._documents, refs))

    def label(self, changes: Sequence[LabelChange]) -> None:  # type: ignore[override]
        for change in changes:
            self._documents = tuple(relabel(self._documents, change, lambda ref: pod_of(self.cluster, ref)))

    def probe(self, flows: Iterable[Flow], progress: object = None) -> Iterator[Measurement]:  # type: ignore[override]
        for flow in flows:
            pair = f"{flow.source.ref} {flow.target}"
            self.asked.append(f"{pair} {flow.port}/{flow.protocol}")
            verdict, reason = self._answers.get(pair, (evaluate(self.cluster, flow).verdict, "as it should be"))
            yield Measurement(flow, verdict, reason)  # type: ignore[arg-type]


def play(of: Scenario, answers: dict[str, tuple[str, str]] | None = None, refuse: str = ""):
    """Run a scenario in a lab without a kernel; return the result and the lab."""
    labs: list[AnyAnswer] = []

    @contextlib.contextmanager
    def make(objects: Objects) -> Iterator[Lab]:
        labs.append(AnyAnswer(objects, answers or {}, refuse))
        yield labs[-1]

    return run(of, make), labs[-1]


def test_steps_are_carried_out_in_order(scenario: Write) -> None:
    """What a step applies, labels and deletes is in force for its expectations and those after it."""
    result, _ = play(scenario(STEPS))

    assert "passed" == result.outcome
    assert ["open", "closed", "open again"] == [step.name for step in result.steps]
    assert [(2, 3), (2, 4), (2, 2)] == [(step.expectations, step.pairs) for step in result.steps]


def test_a_flow_is_asked_once_a_step(scenario: Write) -> None:
    """However many expectations it is in."""
    _, lab = play(scenario(STEPS))

    assert ["shop/web shop/db 5432/TCP", "shop/db shop/web 80/TCP"] == lab.asked[:2]
    assert 6 == len(lab.asked)


def test_a_wrong_verdict_fails_where_it_is_expected(scenario: Write) -> None:
    """The failure has the pair, both verdicts, and the line of the expectation; later steps run all the same."""
    result, _ = play(scenario(STEPS), {"shop/web shop/db": ("allow", "answered")})
    closed = result.steps[1]

    assert "failed" == result.outcome
    assert [0, 2, 0] == [len(step.failures) for step in result.steps]
    assert [14, 15] == [failure.line for failure in closed.failures]
    assert {("shop/web", "deny", "allow")} == {(f.flow.source.ref, f.expected, f.measured) for f in closed.failures}
    assert closed.failures[0].reason.startswith("answered; by the policies it is deny: ingress of shop/db")


def test_an_expectation_may_be_some(scenario: Write) -> None:
    """It holds if the verdicts of the destination's backends differ, and not if all are the same."""
    steps = "  - expect: [{from: shop/web, to: shop/db, verdict: some}]\n"
    flaky, _ = play(scenario(steps), {"shop/web shop/db": ("some", "one of two")})
    steady, _ = play(scenario(steps), {"shop/web shop/db": ("allow", "answered")})
    (failure,) = steady.steps[0].failures

    assert "passed" == flaky.outcome
    assert ("some", "allow") == (failure.expected, failure.measured)


def test_an_expectation_of_another_verdict_fails_where_backends_differ(scenario: Write) -> None:
    """`some` is neither `allow` nor `deny`."""
    steps = "".join(f"  - expect: [{{from: shop/web, to: shop/db, verdict: {v}}}]\n" for v in ("allow", "deny"))
    result, _ = play(scenario(steps), {"shop/web shop/db": ("some", "one of two")})

    assert ["some", "some"] == [failure.measured for step in result.steps for failure in step.failures]


def test_the_oracle_fails_where_packets_and_evaluator_differ(scenario: Write) -> None:
    """Whichever of the two is wrong."""
    result, _ = play(scenario("  - expect: [{oracle: true}]\n"), {"shop/db shop/web": ("deny", "never arrived")})
    (failure,) = result.steps[0].failures

    assert ("allow", "deny", 7) == (failure.expected, failure.measured, failure.line)


def test_what_is_unknown_is_no_oracle(scenario: Write, tmp_path: Path) -> None:
    """The oracle passes it by and counts it; where a verdict is stated, what was measured decides."""
    (tmp_path / "cilium.yaml").write_text(
        "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p, namespace: shop},"
        " spec: {endpointSelector: {matchLabels: {app: db}}, ingressDeny: [{}]}}"
    )
    steps = """\
  - name: nothing is unknown
    expect: [{oracle: true}]
  - apply: [cilium.yaml]
    expect:
    - oracle: true
    - {from: shop/web, to: shop/db, verdict: allow}
    - {from: shop/db, to: shop/web, verdict: deny}
"""
    pairs = {"shop/web shop/db": ("allow", "answered"), "shop/db shop/web": ("deny", "never arrived")}
    measured = {"shop/web shop/db": ("allow", "answered"), "shop/db shop/web": ("allow", "answered")}
    scenario(STEPS)
    written, problems = scenarios_of([_with_steps(tmp_path, steps)])

    assert ["unread-policy"] == [problem.rule for problem in problems]
    assert [0, 1] == [step.unknown for step in play(written[0], measured)[0].steps]
    assert ["shop/db"] == [f.flow.source.ref for f in play(written[0], measured)[0].steps[1].failures]
    assert ["allow", "allow"] == [f.expected for step in play(written[0], pairs)[0].steps for f in step.failures]
    ignored, problems = scenarios_of([_with_steps(tmp_path, steps)], ignore=["CiliumNetworkPolicy"])
    assert [] == problems
    assert [0, 0] == [step.unknown for step in play(ignored[0], measured)[0].steps]


def _with_steps(folder: Path, steps: str) -> str:
    file = folder / "lesson.yaml"
    head = "apiVersion: netlab/v1alpha1\nkind: Scenario\nmetadata: {name: lesson}\n"
    file.write_text(f"{head}spec:\n  resources: [pods.yaml]\n  steps:\n{steps}")
    return str(file)


@pytest.mark.parametrize("verdict", ["allow", "deny"])
def test_inconclusive_is_a_failure_whatever_is_expected(scenario: Write, verdict: str) -> None:
    """A verdict that is not known is not the one that was expected."""
    steps = f"  - expect: [{{from: shop/web, to: shop/db, verdict: {verdict}}}]\n"
    result, _ = play(scenario(steps), {"shop/web shop/db": ("inconclusive", "control lost")})
    (failure,) = result.steps[0].failures

    assert ("inconclusive", "control lost") == (failure.measured, failure.reason)


def test_what_the_kernel_refuses_ends_the_scenario(scenario: Write) -> None:
    """It is an error of the scenario, with the steps so far, and no wrong verdict."""
    result, _ = play(scenario(STEPS), refuse="nft in netlab.x.node.node-1")

    assert ("error", 3) == (result.outcome, result.exit_code)
    assert "nft in netlab.x.node.node-1: Cannot allocate memory" == result.error
    assert (["open"], ("open", "closed", "open again")) == ([s.name for s in result.steps], result.planned)


def test_a_lab_that_cannot_be_built_is_an_error(scenario: Write) -> None:
    """The way out is in the error."""

    @contextlib.contextmanager
    def make(objects: Objects) -> Iterator[Lab]:
        raise HostError("no nft program on this host", "install it")
        yield

    result = run(scenario(STEPS), make)

    assert ("error", "no nft program on this host; install it", ()) == (result.outcome, result.error, result.steps)


@pytest.mark.kernel
def test_a_scenario_runs_on_the_kernel(scenario: Write) -> None:
    """In a lab of its own, of which nothing is left afterwards."""
    printed: list[str] = []
    # Other tests of this process may have labs of their own.
    before = own_labs()
    result = run(scenario(STEPS), on_step=lambda step: printed.append(step.name))

    assert ("passed", "") == (result.outcome, result.error)
    assert ["open", "closed", "open again"] == printed
    assert before == own_labs()


def own_labs() -> set[str]:
    """Return the labs whose names have the id of this process."""
    return {name for name in Lab.names() if f"-{os.getpid():x}-" in name}


@pytest.mark.kernel
def test_a_wrong_expectation_fails_on_the_kernel(scenario: Write, tmp_path: Path) -> None:
    """Packets decide what is measured."""
    result = run(scenario("  - expect: [{from: shop/web, to: shop/db, port: 80, verdict: deny}]\n"))
    (failure,) = result.steps[0].failures

    assert ("deny", "allow") == (failure.expected, failure.measured)
    assert str(tmp_path / "lesson.yaml") == failure.file


PROGRAMS = """\
  - name: answers
    expect:
    - {from: shop/web, to: "http://10.244.0.2:5432/cart", status: 200, body: '"path": "/cart"'}
    - {from: "node:node-1", to: "http://10.244.0.2:5432/hostname", status: 200, body: db}
    - {from: shop/web, run: [id, -u], stdout: ""}
    - {from: shop/web, run: [hostname], stdout: "web"}
    - {from: shop/web, run: [sh, -c, "env | grep SECRET"], exit: 1, stdout: ""}
    - {from: shop/web, run: [grep, -E, "NoNewPrivs:.1|CapBnd", /proc/self/status], stdout: "NoNewPrivs:\\t1"}
    - {from: shop/web, run: [sleep, "30"], timeout: 1}
    - {from: shop/web, run: [no-such-program]}
  - name: nothing is left listening
    expect:
    - {from: shop/web, run: [cat, /proc/net/tcp6], stdout: "local_address"}
    - {from: shop/db, run: [sh, -c, "! grep ' 0A ' /proc/net/tcp6"]}
"""


@pytest.mark.kernel
def test_programs_run_in_the_lab(scenario: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The echo program answers while it is asked; a program has no privilege and a bounded time."""
    for name in ("SUDO_UID", "SUDO_GID", "PKEXEC_UID", "DOAS_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SECRET", "of the caller")
    result = run(scenario(PROGRAMS))
    first, second = result.steps
    said = {failure.line: (failure.expected, failure.measured) for failure in first.failures}

    assert "" == result.error
    assert {
        11: ("exit 0 and no output", 'exit 0 and "65534\\n"'),
        15: ("exit 0", "no end within 1 s"),
        16: ("exit 0", "not run"),
    } == said
    assert () == second.failures


INGRESS = """\
  - name: a Service and an Ingress
    apply:
    - apiVersion: netlab/v1alpha1
      kind: Topology
      metadata: {name: entry}
      spec:
        nodes: [{name: node-a}, {name: node-b}]
        hosts: [{name: client, addresses: [192.0.2.10], hostnames: [client.example.com]}]
    - apiVersion: v1
      kind: Service
      metadata: {name: db, namespace: shop}
      spec:
        type: LoadBalancer
        clusterIP: 10.96.0.77
        selector: {app: db}
        ports: [{name: pg, port: 80, targetPort: 5432, nodePort: 30080}]
      status: {loadBalancer: {ingress: [{ip: 198.18.0.77}]}}
    - apiVersion: networking.k8s.io/v1
      kind: Ingress
      metadata: {name: shop, namespace: shop}
      spec:
        rules:
        - host: shop.example
          http:
            paths: [{path: /cart, pathType: Prefix, backend: {service: {name: db, port: {name: pg}}}}]
    expect:
    - {from: shop/web, lookup: db, addresses: [10.96.0.77]}
    - {from: shop/web, lookup: client.example.com, addresses: [192.0.2.10]}
    - {from: shop/web, lookup: nosuch.shop, addresses: []}
    - {from: shop/web, run: [getent, hosts, db.shop], stdout: 10.96.0.77}
    - {from: shop/web, to: "http://db/hostname", status: 200, body: db}
    - {from: "host:client", to: "http://198.18.0.77/hostname", status: 200, body: db}
    - {from: "host:client", to: "http://100.64.0.1:30080/hostname", status: 200, body: db}
    - {from: "*/web", to: "http://shop.example/cart", status: 200, body: '"path": "/cart"'}
    - {from: "host:client", to: "http://shop.example/other", status: 404}
    - {from: "host:client", to: "service:shop/db", verdict: deny}
    - {from: "host:client", to: 198.18.0.77, port: 80, verdict: allow}
  - name: a policy that denies
    apply: [deny.yaml]
    expect:
    - {from: shop/web, to: "http://db", verdict: deny, timeout: 1}
    - {from: shop/web, to: "service:shop/*", port: pg, verdict: deny}
"""


@pytest.mark.kernel
@pytest.mark.ingress
def test_names_and_requests_are_answered_in_the_lab(scenario: Write) -> None:
    """By DNS, through the addresses of a Service, through nginx; and not if policy denies it."""
    result = run(scenario(INGRESS))

    assert "" == result.error
    assert [] == [failure_line(failure) for step in result.steps for failure in step.failures]
    assert [11, 2] == [step.expectations for step in result.steps]
