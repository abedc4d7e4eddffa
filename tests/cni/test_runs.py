"""A runtime of plugins, with a plugin that is a script: commands, errors, limits, and what it may touch."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel_marks import TESTS

from netlab.cni.conflist import conflist
from netlab.errors import HostError
from netlab.kernel import plugins
from netlab.kernel.linux import Linux
from netlab.lab import plugin_runs
from netlab.lab.plugin_runs import Container, PluginRunner, version_of

pytestmark = pytest.mark.kernel

# What it is asked is printed on standard error, and kept in its state.
_SCRIPT = """#!{python} -S
import json, os, sys, time
config = json.load(sys.stdin)
command = os.environ["CNI_COMMAND"]
if os.path.isdir("/var/lib/cni"):
    with open("/var/lib/cni/calls", "a") as file:
        file.write(json.dumps([command, config, dict(os.environ)]) + "\\n")
def fail(code, text):
    print(json.dumps({{"cniVersion": "1.0.0", "code": code, "msg": text}}))
    sys.exit(1)
{body}
if command == "VERSION":
    print(json.dumps({{"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0", "1.1.0"]}}))
elif command == "ADD":
    print(json.dumps({{"cniVersion": config["cniVersion"], "ips": [{{"address": "10.0.0.2/24"}}]}}))
"""
POD = Container("abc", "shop/web", "netlab.none.pod.x", {})
Make = Callable[..., PluginRunner]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Return the runs of a list whose plugins are all this script."""
    kernel = Linux()
    state = tmp_path / "lab" / "state" / "default"

    def runs(body: str = "", count: int = 1, version: str = "1.1.0", **fields: Any) -> PluginRunner:
        folder = tmp_path / "bin"
        folder.mkdir(mode=0o755, exist_ok=True)
        for index in range(count):
            script = folder / f"fake{index}"
            script.write_text(_SCRIPT.format(python=sys.executable, body=body))
            script.chmod(0o755)
        monkeypatch.setenv("CNI_PATH", str(folder))
        data = {"cniVersion": version, "name": "net", "plugins": [{"type": f"fake{i}"} for i in range(count)], **fields}
        return PluginRunner(kernel, conflist(data), version, "netlab.none.node.x", state, ())

    runs.state = state  # type: ignore[attr-defined]
    yield runs
    kernel.close()


def calls(make: Make) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
    lines = (make.state / "calls").read_text().splitlines()  # type: ignore[attr-defined]
    return [tuple(json.loads(line)) for line in lines]


def test_plugins_are_run_in_order_and_deleted_in_reverse(make: Make) -> None:
    """Each gets the result before it; DEL and CHECK get that of ADD."""
    runs = make(count=2)
    result = runs.add(POD)
    assert {} == runs.check(POD, result)
    assert [] == runs.delete(POD, result)

    found = [(command, config["type"], "prevResult" in config) for command, config, _ in calls(make)]
    assert found == [
        *(("ADD", "fake0", False), ("ADD", "fake1", True)),
        *(("CHECK", "fake0", True), ("CHECK", "fake1", True)),
        *(("DEL", "fake1", True), ("DEL", "fake0", True)),
    ]


def test_a_plugin_has_a_small_environment(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the caller's, which may be secret."""
    runs = make()
    monkeypatch.setenv("SECRET", "x")
    runs.add(POD)
    ((_, _, environment),) = calls(make)

    environment.pop("LC_CTYPE", None)  # Python's own
    assert {"LC_ALL", "PATH", "CNI_COMMAND", "CNI_CONTAINERID", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"} == {*environment}
    assert "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web" in environment["CNI_ARGS"]


def test_gc_and_status_are_of_1_1_0(make: Make) -> None:
    """GC gets the attachments that are left."""
    make(version="1.0.0").ask_status()
    assert [] == make(version="1.0.0").collect([POD])
    runs = make()
    runs.ask_status()
    assert [] == runs.collect([POD])

    found = [(command, config.get("cni.dev/valid-attachments")) for command, config, _ in calls(make)]
    assert found == [("STATUS", None), ("GC", [{"containerID": "abc", "ifname": "eth0"}])]


def test_flags_of_the_list_turn_check_and_gc_off(make: Make) -> None:
    """``disableCheck`` and ``disableGC``."""
    runs = make(disableCheck=True, disableGC=True)
    result = runs.add(POD)
    assert ({}, []) == (runs.check(POD, result), runs.collect([POD]))

    assert ["ADD"] == [command for command, _, _ in calls(make)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("fail(11, 'try\\nlater')", "CNI plugin fake0: ADD of pod shop/web: try later (CNI error 11)"),
        ("print('{'); sys.exit(0)", "the result of ADD for pod shop/web"),
        ("print('{}'); sys.exit(3)", "it ended with status 3"),
        ("sys.stderr.write('panic: x\\nat y\\n'); sys.exit(2)", "it ended with status 2: panic: x"),
        ("print('x' * 3000000); sys.exit(0)", "the result of ADD for pod shop/web"),
        ("print('[' * 100000); sys.exit(0)", "the result of ADD for pod shop/web"),
        ("time.sleep(60)", "it did not end in 0.5 seconds and was killed"),
    ],
)
def test_a_plugin_that_fails_is_one_clear_line(
    body: str, message: str, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its output and its time are bounded."""
    if "sleep" in body:
        monkeypatch.setattr(plugin_runs, "SECONDS", 0.5)
    with pytest.raises(HostError) as error:
        make(body).add(POD)

    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_delete_that_fails_does_not_stop_the_others(make: Make) -> None:
    """All plugins are asked, and the failures returned."""
    failed = make("fail(5, 'disk')", count=2).delete(POD, None)

    assert [f"CNI plugin fake{i}: DEL of pod shop/web: disk (CNI error 5)" for i in (1, 0)] == failed


def test_a_plugin_writes_nowhere_but_in_the_labs_state(make: Make, tmp_path: Path) -> None:
    """All of the host is read-only to it, and it sees no files of /run and /tmp."""
    target = TESTS / "written"
    body = f"""
found = []
for path in ({str(target)!r}, "/etc/written", "/proc/sys/kernel/domainname", "/usr/lib/written"):
    try:
        open(path, "w").close()
        found.append(path)
    except OSError:
        pass
found += [path for path in ({str(tmp_path / "secret")!r}, "/run/netlab", "/var/lib/dpkg") if os.path.exists(path)]
if command == "ADD" and found:
    fail(100, ", ".join(found))
open("/run/mine", "w").close()
open("/proc/sys/net/ipv4/ip_forward", "w").write("1")
"""
    (tmp_path / "secret").write_text("")
    make(body).add(POD)

    assert not target.exists()
    assert not Path("/run/mine").exists()


def test_what_a_plugin_starts_ends_with_it(make: Make) -> None:
    """Also what left its session, and what a plugin that is killed has started."""
    body = """
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.write(write, b"x")
    os.execv("/bin/sleep", ["netlab-left", "300"])
os.read(read, 1)
"""
    make(body).add(POD)

    assert not _running("netlab-left")


def _running(name: str) -> bool:
    found = (Path("/proc", one, "cmdline") for one in os.listdir("/proc") if one.isdecimal())
    for file in found:
        try:
            if name.encode() in file.read_bytes():
                return True
        except OSError:
            continue
    return False


def test_a_plugin_sees_no_process_of_the_host(make: Make) -> None:
    """So it can neither signal one nor enter its namespaces."""
    body = """
pids = sorted(int(one) for one in os.listdir("/proc") if one.isdecimal())
if pids != [1, os.getpid()]:
    fail(100, f"{pids}")
"""
    make(body).add(POD)


def test_the_versions_that_all_plugins_know_decide(make: Make) -> None:
    """VERSION is asked where the list has several."""
    list_ = make(cniVersions=["0.3.1", "1.0.0"], version="0.4.0")._conflist

    assert "1.0.0" == version_of(Linux(), list_)


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_plugin_that_another_user_can_write_is_not_run(make: Make, mode: int, tmp_path: Path) -> None:
    """Nor one in a folder that another user can write."""
    make()
    (tmp_path / "bin" / "fake0").chmod(mode)
    with pytest.raises(HostError, match="can be written by another user"):
        plugins.find("fake0")
    (tmp_path / "bin" / "fake0").chmod(0o755)
    (tmp_path / "bin").chmod(mode)
    with pytest.raises(HostError, match=r"no CNI plugin .fake0. in .*can be written by another user"):
        plugins.find("fake0")


def test_a_plugin_of_another_user_is_not_run(make: Make, tmp_path: Path) -> None:
    """As root, root must own it."""
    make()
    os.chown(tmp_path / "bin" / "fake0", 65534, 65534)
    with pytest.raises(HostError, match="can be written by another user"):
        plugins.find("fake0")
