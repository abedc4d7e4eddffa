"""What containers run, as their specifications say."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from netlab.control_plane.nodes.container_spec import Container, containers_of, is_agnhost


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metadata = {"name": "a", "namespace": "shop", "uid": "u", "labels": {"app": "web"}}
    return {"metadata": metadata, "spec": {"nodeName": "n1", "containers": [*containers], **spec}}


def of(one: dict[str, Any], allowed: str = "none") -> Container:
    return containers_of(one, ["10.0.0.1", "fd00::1"], ["192.168.0.1"], allowed)[0]


@pytest.mark.parametrize(
    ("image", "is_it"),
    [
        ("agnhost", True),
        ("registry.k8s.io/e2e-test-images/agnhost:2.56", True),
        ("localhost:5000/agnhost@sha256:00", True),
        ("nginx", False),
        ("agnhost/nginx", False),
        ("my-agnhost:1", False),
        ("", False),
    ],
)
def test_an_image_of_agnhost_is_known_by_its_last_part(image, is_it):
    """Of any registry and version."""
    assert is_it == is_agnhost(image)


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        ({"image": "agnhost"}, ("/agnhost", "pause")),
        ({"image": "agnhost", "args": ["netexec"]}, ("/agnhost", "netexec")),
        ({"image": "other", "command": ["/agnhost", "porter"], "args": ["--json-response"]},
         ("/agnhost", "porter", "--json-response")),
        ({"image": "agnhost", "command": ["sh", "-c", "true"]}, ()),
        ({"image": "nginx", "command": ["sleep", "1"]}, ()),
        ({"image": "nginx"}, ()),
    ],
)  # fmt: skip
def test_only_the_stand_in_runs_by_default(container, argv):
    """All others are pauses."""
    assert argv == of(pod({"name": "c", **container})).argv


@pytest.mark.parametrize(
    ("allowed", "asks", "runs"),
    [("none", True, False), ("asked", True, True), ("asked", False, False), ("all", False, True)],
)
def test_a_program_of_the_host_runs_where_pod_and_user_want_it(allowed, asks, runs):
    """The annotation alone is not enough. An image's own program is not known."""
    one = pod({"name": "c", "image": "x", "command": ["sleep"], "args": ["1"]}, initContainers=[{"name": "i"}])
    if asks:
        one["metadata"]["annotations"] = {"netlab/run": "host"}
    first, container = containers_of(one, [], [], allowed)

    assert (("sleep", "1") if runs else ()) == container.argv
    assert () == first.argv


def test_variables_have_values_fields_and_one_another():
    """A reference to an unknown one stays, and so does one that is escaped."""
    fields = {"metadata.name": "NAME", "status.podIP": "IP", "status.hostIP": "HOST", "metadata.labels['app']": "APP"}
    env: list[dict[str, Any]] = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for path, name in fields.items()
    ]
    env += [{"name": "ALL", "value": "$(NAME) $(NONE) $$(NAME)"}, {"name": "EMPTY"}]
    found = of(pod({"name": "c", "image": "agnhost", "args": ["$(ALL)", "$(IP)"], "env": env}))

    assert {"NAME": "a", "IP": "10.0.0.1", "HOST": "192.168.0.1", "APP": "web"}.items() <= found.environment.items()
    assert ("a $(NONE) $(NAME)", "") == (found.environment["ALL"], found.environment["EMPTY"])
    assert ("/agnhost", "a $(NONE) $(NAME)", "10.0.0.1") == found.argv


@pytest.mark.parametrize(
    ("value", "args"),
    [
        ("x" * 60_000, ["$(A)$(A)"]),
        ("x" * 60_000, ["$(A)"] * 100_000),
        ("x" * 60_000, [{"name": f"B{at}", "value": "$(A)"} for at in range(100_000)]),
    ],
)
def test_references_that_grow_without_end_stop_the_container(value, args):
    """A small object could else fill the memory of the program that is all nodes."""
    env = [{"name": "A", "value": value}, *(one for one in args if isinstance(one, dict))]
    args = [one for one in args if isinstance(one, str)]
    tracemalloc.start()
    found = of(pod({"name": "c", "image": "agnhost", "args": args, "env": env}))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "arguments and variables are too long" == found.problem
    assert most < 50 << 20


@pytest.mark.parametrize(
    ("policy", "init", "restarts", "waits"),
    [
        ("Always", {}, "OnFailure", True),
        ("OnFailure", {}, "OnFailure", True),
        ("Never", {}, "Never", True),
        ("Never", {"restartPolicy": "Always"}, "Always", False),
    ],
)
def test_an_init_container_ends_unless_it_is_a_sidecar(policy, init, restarts, waits):
    """The pod's policy says whether it is tried again."""
    found = of(pod({"name": "c"}, initContainers=[{"name": "i", **init}], restartPolicy=policy))

    assert (restarts, waits) == (found.restarts, found.first)
