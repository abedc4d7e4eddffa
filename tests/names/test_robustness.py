"""What may happen to a lab while its programs run: records that are damaged, reused ids, full logs, odd hosts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path

import dns_objects
import pytest
from names.bench import Names
from waiting import eventually

pytestmark = pytest.mark.kernel

Build = Callable[[str], Names]
REPOSITORY = Path(__file__).parents[2]
WEB = """
---
apiVersion: v1
kind: Service
metadata: {name: local, namespace: shop}
spec: {selector: {app: web}, type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: shop}
spec:
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: front, port: {number: 80}}}}]}}]
"""


def programs_of(names: Names) -> dict[str, int]:
    """Return the process of each program of a lab, by its folder."""
    files = Path(f"/run/netlab/{names.name}/programs").glob("*/process")
    return {file.parent.name: int(file.read_text().split()[0]) for file in files}


def gone(pids: list[int]) -> bool:
    """Wait until processes are gone."""
    return bool(eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids)))


def mounts_of(name: str) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"netlab.{name}." in line]


def of_host() -> dict[str, str]:
    """Return what the host has: every file of /etc with its times, and all that its network namespace holds."""
    etc = hashlib.sha256()
    for path in sorted(Path("/etc").rglob("*")):
        status = path.lstat()
        etc.update(f"{path} {status.st_mode} {status.st_ino} {status.st_size} {status.st_mtime_ns}\n".encode())
    commands = ["ip link", "ip address", "ip route show table all", "ip -6 route show table all", "ip rule"]
    commands += ["nft list ruleset", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "hostname"]
    commands += ["cat /proc/sys/net/ipv4/ping_group_range", "cat /proc/sys/net/ipv4/ip_forward"]
    return {
        "etc": etc.hexdigest(),
        **{one: subprocess.run(one.split(), capture_output=True, text=True, check=False).stdout for one in commands},
    }


@pytest.mark.ingress
def test_the_host_is_as_before(lab_of: Build) -> None:
    """Its files of /etc, its network namespace, its settings; while programs run and after ``down``."""
    before = of_host()
    names = lab_of(dns_objects.text() + WEB)
    assert 1 == len(names.getent("front"))
    names.apply(WEB.replace("path: /,", "path: /other,"))
    during, found = of_host(), programs_of(names)
    names.program("down", names.name)

    assert {"dns", "health", "nginx"} == {one.partition(".")[0] for one in found}
    assert before == during
    assert before == of_host()
    assert gone([*found.values()])
    assert ([], False) == (mounts_of(names.name), Path(f"/run/netlab/{names.name}").exists())


@pytest.mark.ingress
def test_programs_without_their_files_end_with_the_lab(lab_of: Build) -> None:
    """Their network namespaces lead to them."""
    names = lab_of(dns_objects.text() + WEB)
    names.getent("front")
    found = programs_of(names)
    shutil.rmtree(f"/run/netlab/{names.name}/programs")
    names.program("down", names.name)

    assert len(found) >= 4
    assert gone([*found.values()])


def test_a_damaged_record_while_programs_run(lab_of: Build) -> None:
    """Commands say what is wrong. ``down`` ends the programs."""
    names = lab_of(dns_objects.text())
    names.getent("front")
    (server,) = programs_of(names).values()
    Path(f"/run/netlab/{names.name}/record.json").write_text('{"cut')
    refused = names.call("exec", "shop/client", "--", "true")
    names.program("down", names.name)

    assert 0 != refused.returncode
    assert "Traceback" not in refused.stderr
    assert gone([server])


NOTES = ("", "x", "1 2", "99999999999999999999 1 x", "-1 1 x", "1 1 x", "{own} 1 x", "\0\0\0", "{own} {own} x")


def test_the_note_of_a_process_that_is_not_the_programs(lab_of: Build) -> None:
    """As after a crash of the host: another process has the id. It gets no signal, and the server starts."""
    names = lab_of(dns_objects.text())
    own = subprocess.Popen(["sleep", "300"])
    try:
        names.getent("front")
        for text in NOTES:
            (folder, server), *_ = programs_of(names).items()
            os.kill(server, signal.SIGKILL)
            note = Path(f"/run/netlab/{names.name}/programs/{folder}/process")
            note.write_text(text.replace("{own}", str(own.pid)))

            assert 1 == len(names.getent("front")), text
            assert None is own.poll(), text
            assert server not in programs_of(names).values(), text
    finally:
        own.kill()
        own.wait()


def test_a_damaged_file_of_names_is_made_again(lab_of: Build) -> None:
    names = lab_of(dns_objects.text())
    names.getent("front")
    file = Path(f"/run/netlab/{names.name}/programs/names")
    for data in (b"", b"\0", b"[]", b"{}", b"null", b"1", file.read_bytes()[:100], b'{"version":2,"stamp":1}'):
        file.write_bytes(data)
        done = names.call("exec", "shop/client", "--", "getent", "hosts", "front")

        assert (0, "") == (done.returncode, done.stderr), data


def test_no_other_user_reaches_a_labs_folder(lab_of: Build) -> None:
    """So no other user can put a link or a file there."""
    names = lab_of(dns_objects.text())
    names.getent("front")
    (folder,) = programs_of(names)
    place = Path(f"/run/netlab/{names.name}/programs/{folder}")
    private = [place.parents[depth] for depth in range(3)]

    assert [(0o40700, 0)] * 3 == [(one.lstat().st_mode, one.lstat().st_uid) for one in private]
    for target in (place / "x", place.parent / "x", place.parents[1] / "x"):
        done = subprocess.run(["ln", "-s", "/etc/passwd", str(target)], check=False, user=65534, stderr=-3)
        assert 0 != done.returncode


def test_a_program_cannot_change_its_folder(lab_of: Build) -> None:
    """It sees it and no other, and can write its output only."""
    names = lab_of(dns_objects.text())
    names.getent("front")
    ((folder, server),) = programs_of(names).items()
    # As user nobody, in the mounts of the program.
    enter = ["nsenter", f"--mount=/proc/{server}/ns/mnt", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = subprocess.run(
        [*enter, "sh", "-c", "ls /run/netlab; touch /run/netlab/x; ln -s /etc/passwd /run/netlab/y"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert {"output", "process", "snapshot.json"} == set(done.stdout.split())
    assert 2 == done.stderr.count("denied")
    assert {"output", "process", "snapshot.json"} == {
        one.name for one in Path(f"/run/netlab/{names.name}/programs/{folder}").iterdir()
    }


@pytest.mark.ingress
def test_a_log_that_is_full_does_not_end_nginx(lab_of: Build) -> None:
    """A file that a program writes has 64 MB at most; nginx answers without its log."""
    names = lab_of(dns_objects.text() + WEB)
    (folder,) = Path(f"/run/netlab/{names.name}/programs").glob("nginx.*")
    pid = programs_of(names)[folder.name]
    for log in ("access.log", "error.log"):
        os.truncate(folder / log, 64 << 20)
    (controller,) = json.loads(names.ok("get", "services", "-n", "ingress-nginx", "-o", "json"))["items"]
    address = controller["spec"]["clusterIP"]
    statuses = [
        names.run("shop/client", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{address}/")
        for _ in range(3)
    ]

    # Nothing listens in the pods of the Service.
    assert ["502"] * 3 == statuses
    assert pid == programs_of(names)[folder.name]
    assert [64 << 20] * 2 == [(folder / log).stat().st_size for log in ("access.log", "error.log")]


def test_programs_beside_changes(lab_of: Build) -> None:
    """Each finds its names, whatever happens at the same time."""
    names = lab_of(dns_objects.text())
    faults: list[str] = []

    def change() -> None:
        for number in range(3):
            text = f"apiVersion: v1\nkind: Service\nmetadata: {{name: s{number}}}\nspec: {{ports: [{{port: 80}}]}}\n"
            done = names.call("apply", "-f", names.write(text))
            faults.extend([done.stderr] if done.returncode or "warning" in done.stderr.lower() else [])

    def ask() -> None:
        for _ in range(4):
            done = names.call("exec", "shop/client", "--", "getent", "hosts", "front")
            # A command says that it waits for a change if that takes some seconds.
            said = [line for line in done.stderr.splitlines() if not line.startswith("waiting for another command on")]
            faults.extend(said or ["no name"] if done.returncode or said else [])

    threads = [threading.Thread(target=one) for one in (change, ask, ask)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert [] == faults


@pytest.mark.ingress
@pytest.mark.parametrize("options", ["", "noexec,"])
def test_netlab_below_tmp(options: str, tmp_path: Path) -> None:
    """In a /tmp from which programs may or may not be run; programs of a lab have a /tmp of their own."""
    (tmp_path / "lab.yaml").write_text(dns_objects.text() + WEB)
    python = f"{sys.executable} -m netlab"
    script = f"""
    set -e
    mount -t tmpfs own /run
    cp -r {REPOSITORY}/netlab {tmp_path}/lab.yaml /mnt/
    mount -t tmpfs -o {options}size=64m own /tmp
    mkdir /tmp/copy && cp -r /mnt/netlab /tmp/copy && cp /mnt/lab.yaml /tmp/copy/
    cd /tmp/copy
    # The nginx of the extra is in PYTHONPATH.
    export PYTHONPATH=/tmp/copy:{sysconfig.get_paths()["purelib"]}:$PYTHONPATH
    {python} up -f lab.yaml --lab below-{os.getpid():x}
    {python} exec shop/client -- getent hosts front
    ls /run/netlab/*/programs
    {python} down below-{os.getpid():x}
    ls -A /run
    """
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"mount -t tmpfs own /mnt;{script}"], capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stderr
    # Two Services of the input have no pods.
    assert [] == [line for line in done.stderr.splitlines() if "arning" in line and ": spec.selector: " not in line]
    assert "front.shop.svc.cluster.local" in done.stdout
    assert all(f"\n{kind}." in done.stdout for kind in ("dns", "health", "nginx"))
