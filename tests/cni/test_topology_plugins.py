"""Mode cni in a Topology: the file of the list, what is read from where, and the traits that follow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netlab import load, resolve
from netlab.errors import InputError
from netlab.modes import cni
from netlab.objects.reduced import reduced

LIST: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "net",
    "plugins": [{"type": "bridge", "isGateway": True, "ipam": {"type": "host-local"}}],
}
_TEXT = """apiVersion: netlab/v1alpha1
kind: Topology
metadata: {{name: t}}
spec:
  networks:
  - {{name: default, mode: {mode}, conflist: {file}{more}}}
"""


def topology(folder: Path, data: Any = LIST, file: str = "net.conflist", mode: str = "cni", more: str = "") -> str:
    (folder / "net.conflist").write_text(data if isinstance(data, str) else json.dumps(data))
    path = folder / "t.yaml"
    path.write_text(_TEXT.format(mode=mode, file=file, more=more))
    return str(path)


def problems(path: str) -> list[str]:
    with pytest.raises(InputError) as error:
        load([path])
    return [str(problem) for problem in error.value.problems]


def test_the_content_of_the_file_is_part_of_the_document(tmp_path: Path) -> None:
    """So a lab's record has it, whole."""
    objects, _ = load([topology(tmp_path, {**LIST, "x": {"deep": [1, {"secret": None}]}})])
    (document,) = reduced(objects.documents)

    assert document.data["spec"]["networks"][0]["conflist"] == {**LIST, "x": {"deep": [1, {"secret": None}]}}
    assert resolve(objects).networks[0].conflist is not None


@pytest.mark.parametrize(
    ("data", "file", "message"),
    [
        (LIST, "/etc/passwd", "must be a path relative to the Topology's file"),
        (LIST, "missing.conflist", "No such file"),
        ("root:x:0:0", "net.conflist", "is not JSON: line 1: Expecting value"),
        ({**LIST, "name": "a/b"}, "net.conflist", "conflist.name: must be a name"),
        ({**LIST, "plugins": [{"type": "calico"}]}, "net.conflist", "netlab does not know how plugin calico joins"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, data: Any, file: str, message: str) -> None:
    """It has the file and the line of the field."""
    found = problems(topology(tmp_path, data, file))

    assert message in found[0]
    assert "t.yaml:6" in found[0]


def test_a_file_outside_of_the_folder_is_not_read(tmp_path: Path) -> None:
    """Not by a link either; the message has nothing of its content."""
    (tmp_path / "secret").write_text("x:password")
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / ".git").mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    for file in ("../secret", "link"):
        (found, *_) = problems(topology(folder, file=file))
        assert "is outside of" in found
        assert "password" not in found


def test_only_mode_cni_has_a_list(tmp_path: Path) -> None:
    """And that mode needs one."""

    assert "needs mode cni" in problems(topology(tmp_path, mode="bridge"))[0]
    assert "conflist: Required value" in problems(topology(tmp_path, file="null"))[0]


def test_the_lists_range_is_the_default_of_pod_cidrs(tmp_path: Path) -> None:
    """A written range has precedence."""
    own = {**LIST, "plugins": [{"type": "bridge", "ipam": {"type": "host-local", "subnet": "10.9.0.0/16"}}]}
    (network,) = resolve(load([topology(tmp_path, own)])[0]).networks

    assert ["10.9.0.0/16"] == [*map(str, network.pod_cidrs)]


@pytest.mark.parametrize(
    ("facts", "reaches", "transport"),
    [
        ((True, False, True, True), "all", "routes"),
        ((False, True, True, True), "all", "none"),
        ((False, False, True, True), "node", "none"),
        ((True, False, True, False), "node", "none"),
        ((True, True, False, True), "network", "none"),
    ],
)
def test_what_a_pod_reaches_follows_from_the_list(
    facts: tuple[bool, bool, bool, bool], reaches: str, transport: str
) -> None:
    """Range, masquerade, gateway and default route."""
    takes, masquerades, gateway, route = facts
    mode = cni.of_plugins(
        "bridge",
        takes_range=takes,
        masquerades=masquerades,
        gateway=gateway,
        default_route=route,
        publishes=False,
    )

    assert (reaches, transport) == (mode.attachment.reaches, mode.transport.name)
    assert mode.attachment.enforced


def test_a_plugin_of_the_underlay_is_not_enforced() -> None:
    """Its packets pass no hook of the node."""
    for plugin in ("macvlan", "ipvlan", "vlan", "host-device"):
        attachment = cni.attachment_of(plugin)
        assert attachment is not None
        mode = cni.of_plugins(
            attachment, takes_range=True, masquerades=False, gateway=True, default_route=True, publishes=True
        )
        assert (mode.attachment.enforced, mode.attachment.published) == (False, False)
