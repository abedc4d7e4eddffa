"""Scenario: its steps, and the files that it names."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from netlab.errors import InputError
from netlab.objects import load
from netlab.objects.scenarios import Expectation, LabelChange, ObjectRef, Scenario

HEAD = "apiVersion: netlab/v1alpha1\nkind: Scenario\nmetadata: {name: s}\n"
PODS = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}\n"
DENY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: shop}\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write files into a directory that becomes the current one."""
    monkeypatch.chdir(tmp_path)

    (tmp_path / ".git").mkdir()

    def written(**files: str) -> None:
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return written


def scenario(spec: str) -> str:
    """Return a scenario whose spec is the text, which begins in line 5."""
    return f"{HEAD}spec:\n{textwrap.indent(textwrap.dedent(spec), '  ')}"


def errors(*paths: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(paths)
    return [str(p) for p in caught.value.problems]


def test_a_scenario_is_decoded(write: Callable[..., None]) -> None:
    """Paths are relative to its own file. Objects may be inline."""
    write(
        scenarios__s=scenario("""\
            description: A hole.
            resources: [../pods.yaml]
            steps:
            - name: deny
              apply:
              - deny.yaml
              - apiVersion: v1
                kind: Namespace
                metadata: {name: shop}
              label:
              - {pod: shop/web, labels: {tier: null, app: x}}
              - {namespace: shop, labels: {team: a}}
              delete: [{kind: NetworkPolicy, namespace: shop, name: deny}]
              expect:
              - {from: "*/*", to: shop/web, port: 5432, verdict: deny, protocol: UDP, family: 4}
              - {from: shop/web, to: host:client, protocol: ICMP, verdict: allow}
              - oracle: true
            - expect: []
              delete: [{kind: Pod, name: web, namespace: shop}]
            """),
        scenarios__deny=DENY,
        pods=PODS,
    )
    (found,) = load(["scenarios/s.yaml"])[0].scenarios
    deny, other = found.steps

    assert ("s", "A hole.") == (found.meta.name, found.description)
    assert [("Pod", "pods.yaml", 1)] == [(d.kind, d.source.file, d.source.line()) for d in found.resources]
    assert [("NetworkPolicy", "scenarios/deny.yaml", 1), ("Namespace", "scenarios/s.yaml", 11)] == [
        (d.kind, d.source.file, d.source.line()) for d in deny.apply
    ]
    assert 13 == deny.apply[1].source.line("metadata.name")
    assert (
        LabelChange("pod", "shop/web", {"tier": None, "app": "x"}, "spec.steps[0].label[0]"),
        LabelChange("namespace", "shop", {"team": "a"}, "spec.steps[0].label[1]"),
    ) == deny.label
    assert (ObjectRef("NetworkPolicy", "deny", "shop", "spec.steps[0].delete[0]"),) == deny.delete
    assert (
        Expectation("*/*", "shop/web", 5432, "UDP", "deny", 4, path="spec.steps[0].expect[0]", line=19),
        Expectation("shop/web", "host:client", None, "ICMP", "allow", path="spec.steps[0].expect[1]", line=20),
        Expectation(oracle=True, path="spec.steps[0].expect[2]", line=21),
    ) == deny.expect
    assert ("deny", "step 2", "spec.steps[1]") == (deny.name, other.name, other.path)


def test_inline_lists_are_unpacked(write: Callable[..., None]) -> None:
    """They have lines of the scenario's file."""
    write(
        s=scenario("""\
            steps:
            - apply:
              - apiVersion: v1
                kind: List
                items:
                - {apiVersion: v1, kind: Pod, metadata: {name: a}}
                - {apiVersion: v1, kind: Pod, metadata: {name: b}}
            """)
    )
    (found,) = load(["s.yaml"])[0].scenarios

    assert [("a", 10), ("b", 11)] == [(d.data["metadata"]["name"], d.source.line()) for d in found.steps[0].apply]


EXPECT = "spec.steps[0].expect[0]"
WRONG = [
    ("no steps", "description: x", "spec.steps: Required value: a scenario has at least one step"),
    (
        "empty step",
        "steps: [{name: a}]",
        "spec.steps[0]: Required value: a step has at least one of"
        " apply, rollout, label, delete, kill, stop, start and expect",
    ),
    (
        "unknown field",
        "step: []\nsteps: [{expect: [{oracle: true}]}]",
        'spec.step: unknown field "step"; did you mean "steps"?',
    ),
    (
        "unknown field of a step",
        "steps: [{expects: [], expect: [{oracle: true}]}]",
        'spec.steps[0].expects: unknown field "expects"; did you mean "expect"?',
    ),
    ("no from", "steps: [{expect: [{to: a/b, verdict: deny}]}]", f"{EXPECT}.from: Required value"),
    ("no to", "steps: [{expect: [{from: a/b, verdict: deny}]}]", f"{EXPECT}.to: Required value"),
    ("no verdict", "steps: [{expect: [{from: a/b, to: a/c}]}]", f"{EXPECT}.verdict: Required value"),
    (
        "verdict",
        "steps: [{expect: [{from: a/b, to: a/c, verdict: drop}]}]",
        f'{EXPECT}.verdict: Unsupported value: "drop": supported values: "allow", "deny", "some"',
    ),
    (
        "protocol",
        "steps: [{expect: [{from: a/b, to: a/c, verdict: deny, protocol: tcp}]}]",
        f'{EXPECT}.protocol: Unsupported value: "tcp": supported values: "TCP", "UDP", "SCTP", "ICMP"',
    ),
    (
        "port",
        "steps: [{expect: [{from: a/b, to: a/c, verdict: deny, port: 0}]}]",
        f"{EXPECT}.port: Invalid value: 0: must be between 1 and 65535, inclusive",
    ),
    (
        "ICMP port",
        "steps: [{expect: [{from: a/b, to: a/c, verdict: deny, protocol: ICMP, port: 8}]}]",
        f"{EXPECT}.port: Forbidden: may not be specified when `protocol` is ICMP",
    ),
    (
        "family",
        "steps: [{expect: [{from: a/b, to: a/c, verdict: deny, family: 5}]}]",
        f'{EXPECT}.family: Unsupported value: 5: supported values: "4", "6"',
    ),
    (
        "oracle with a verdict",
        "steps: [{expect: [{oracle: true, verdict: deny}]}]",
        f"{EXPECT}.verdict: Forbidden: may not be specified when `oracle` is true: it asks every pair",
    ),
    (
        "label of nothing",
        "steps: [{label: [{labels: {a: b}}]}]",
        "spec.steps[0].label[0]: Required value: names either a pod or a namespace",
    ),
    (
        "label of both",
        "steps: [{label: [{pod: a/b, namespace: a, labels: {a: b}}]}]",
        "spec.steps[0].label[0]: Required value: names either a pod or a namespace",
    ),
    (
        "no labels",
        "steps: [{label: [{namespace: a}]}]",
        "spec.steps[0].label[0].labels: Required value: at least one label, null to remove it",
    ),
    (
        "label value",
        "steps: [{label: [{namespace: a, labels: {b: 1}}]}]",
        "spec.steps[0].label[0].labels.b: Invalid value: 1: must be a string; put it in quotes",
    ),
    ("delete without a name", "steps: [{delete: [{kind: Pod}]}]", "spec.steps[0].delete[0].name: Required value"),
    (
        "apply no list",
        "steps: [{apply: x.yaml}]",
        'spec.steps[0].apply: Invalid value: "x.yaml": must be a list of files or objects',
    ),
    (
        "apply a number",
        "steps: [{apply: [1]}]",
        "spec.steps[0].apply[0]: Invalid value: 1: must be a file's name or an object",
    ),
    (
        "missing resource",
        "resources: [no.yaml]\nsteps: [{expect: [{oracle: true}]}]",
        'spec.resources[0]: no such file: "no.yaml"',
    ),
    ("missing manifest", "steps: [{apply: [m/no.yaml]}]", 'spec.steps[0].apply[0]: no such file: "m/no.yaml"'),
    (
        "itself",
        "resources: [s.yaml]\nsteps: [{expect: [{oracle: true}]}]",
        "spec.resources[0]: the scenario includes itself; only objects can be included",
    ),
    (
        "itself by its directory",
        "resources: [.]\nsteps: [{expect: [{oracle: true}]}]",
        "spec.resources[0]: the scenario includes itself; only objects can be included",
    ),
    (
        "label of a namespace that is not there",
        "steps: [{label: [{namespace: a, labels: {a: b}}]}]",
        "spec.steps[0].label[0]: namespace a does not exist",
    ),
    (
        "delete of what is not there",
        "steps: [{delete: [{kind: Pod, name: a}]}]",
        "spec.steps[0].delete[0]: Pod default/a does not exist",
    ),
]


@pytest.mark.parametrize(("spec", "message"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_errors_of_a_scenario_are_found_before_it_runs(write: Callable[..., None], spec: str, message: str) -> None:
    """Each problem has its path and its line."""
    write(s=scenario(spec))
    (found,) = errors("s.yaml")
    where, rest = found.split(": ", 1)

    assert f"Scenario s: {message}" == rest
    assert int(where.removeprefix("s.yaml:")) >= 4


def test_a_scenario_cannot_include_another(write: Callable[..., None]) -> None:
    """Scenarios are run and never applied."""
    write(
        s=scenario("resources: [other.yaml]\nsteps: [{expect: [{oracle: true}]}]"),
        other=scenario("steps: [{expect: [{oracle: true}]}]"),
    )

    assert [
        's.yaml:5: Scenario s: spec.resources[0]: "other.yaml" holds a Scenario; only objects can be included'
    ] == errors("s.yaml")


def test_all_problems_of_all_files_are_reported_at_once(write: Callable[..., None]) -> None:
    """Those of the scenario, its resources, its manifests and its inline objects, each with file and line."""
    write(
        s=scenario("""\
            resources: [pods.yaml]
            steps:
            - apply:
              - deny.yaml
              - apiVersion: v1
                kind: Pod
                metadata: {name: b, labels: {a: 1}}
              expect:
              - {from: a/b, to: a/c}
            """),
        pods="apiVersion: v1\nkind: Pod\nmetadata:\n  namespace: shop\n",
        deny=f"{DENY}spec:\n  policyType: []\n",
    )

    assert [
        "s.yaml:11: Pod default/b: metadata.labels.a: Invalid value: 1: must be a string; put it in quotes",
        "s.yaml:13: Scenario s: spec.steps[0].expect[0].verdict: Required value",
        "pods.yaml:3: Pod: metadata.name: Required value: name or generateName is required",
        'deny.yaml:5: NetworkPolicy shop/deny: spec.policyType: unknown field "policyType"; '
        'did you mean "policyTypes"?',
    ] == errors("s.yaml")


def test_a_step_can_change_objects_of_an_earlier_step(write: Callable[..., None]) -> None:
    """References are checked at their step, not at the beginning."""
    write(
        s=scenario("""\
            resources: [pods.yaml]
            steps:
            - apply: [{apiVersion: v1, kind: Pod, metadata: {name: a}}]
              label: [{pod: default/a, labels: {x: "1"}}]
              delete: [{kind: Pod, name: a}]
            - label: [{namespace: new, labels: {x: "1"}}]
            - delete: [{kind: Namespace, name: shop}]
            - delete: [{kind: Pod, namespace: shop, name: web}]
            """),
        pods=PODS,
    )

    assert [
        "s.yaml:10: Scenario s: spec.steps[1].label[0]: namespace new does not exist",
        "s.yaml:12: Scenario s: spec.steps[3].delete[0]: Pod shop/web does not exist",
    ] == errors("s.yaml")


def test_a_step_cannot_add_a_second_topology(write: Callable[..., None]) -> None:
    """A lab has one Topology. A step may replace it."""
    topology = "{{apiVersion: netlab/v1alpha1, kind: Topology, metadata: {{name: {0}}}}}"
    write(
        s=scenario(
            f"resources: [t.yaml]\nsteps:\n- apply: [{topology.format('a')}]\n- apply: [{topology.format('b')}]"
        ),
        t=topology.format("a"),
    )
    (found,) = errors("s.yaml")

    assert "s.yaml:8: Topology b: a second Topology: the first is at s.yaml:7" == found


def test_a_scenario_keeps_its_source(write: Callable[..., None]) -> None:
    """Reports name the line of an expectation."""
    write(s=scenario("steps:\n- expect:\n  - oracle: true\n"))
    (found,) = load(["s.yaml"])[0].scenarios

    assert isinstance(found, Scenario)
    assert ("s.yaml", 7) == (found.source.file, found.source.line("spec.steps[0].expect[0]"))
