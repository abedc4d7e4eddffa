"""An etcd that does not run, does not answer, loses members, or asks for a user or a certificate."""

from __future__ import annotations

import http.server
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from etcd_members import Member, certificates, etcd, free_ports
from store.etcd_stores import opened
from store.test_contract import next_change

from netlab.errors import HostError, UsageError
from netlab.store.etcd import EtcdStore
from netlab.store.etcd_client import Unreachable, below
from netlab.store.etcd_settings import settings
from netlab.store.values import ABSENT, Changed

pytestmark = pytest.mark.machines


def test_an_etcd_that_does_not_run_is_one_line() -> None:
    """With exit code 3, after the time that was given."""
    store = EtcdStore(settings([f"http://127.0.0.1:{port}" for port in free_ports(2)], patience=1))
    began = time.monotonic()
    for call in (lambda: store.load("one"), lambda: store.save("one", b""), lambda: store.lock("one").acquire()):
        with pytest.raises(Unreachable, match=r"etcd is not reached: http.*: Connection refused; ") as e:
            call()
        assert 3 == e.value.exit_code
        assert "\n" not in str(e.value)

    # The default would be ten seconds for each call.
    assert time.monotonic() - began < 20


def test_an_etcd_that_does_not_answer_is_one_line(own: Member) -> None:
    """A stopped process accepts connections all the same."""
    store = opened(own, patience=0.5)
    own.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="no answer in 5 seconds"):
            store.load("one")
        # With the default there would be a second try, of five seconds more.
        assert time.monotonic() - began < 10
    finally:
        own.signal(signal.SIGCONT)


def test_a_request_outlives_a_restart(own: Member) -> None:
    """Within its patience."""
    store = opened(own)
    revision = store.save("one", b"1")
    own.kill()
    own.start()

    store.save("one", b"2", revision)
    assert b"2" == getattr(store.load("one"), "data", None)


def test_a_server_that_is_no_etcd_is_one_line() -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(Unreachable) as error:
            EtcdStore(settings([f"http://127.0.0.1:{server.server_port}"], patience=0.1)).load("one")
        server.shutdown()

    assert "\n" not in str(error.value)


def test_of_three_members_one_may_be_lost(tmp_path: Path) -> None:
    """Whichever it is: killed, or stopped so that it does not answer. Without two, nothing is written."""
    with etcd(tmp_path, members=3) as members:
        store = opened(*members)
        revision = store.save("one", b"0", ABSENT)
        for number, member in enumerate(members, 1):
            member.kill()
            revision = store.save("one", str(number).encode(), revision)
            assert str(number).encode() == getattr(store.load("one"), "data", None)
            member.restart()
        members[0].signal(signal.SIGSTOP)
        revision = store.save("one", b"stopped", revision)
        members[0].signal(signal.SIGCONT)
        members[0].kill()
        members[1].kill()
        with pytest.raises(HostError) as error:
            opened(*members, patience=1).save("one", b"none", revision)
        members[0].restart()
        members[1].restart()

        assert 3 == error.value.exit_code
        # A member keeps what it was asked without the others, and does it when they are back.
        assert getattr(store.load("one"), "data", None) in (b"stopped", b"none")


def test_a_watch_moves_to_another_member(tmp_path: Path) -> None:
    """It tells what changed meanwhile."""
    with etcd(tmp_path, members=3) as members:
        watcher, writer = opened(*members), opened(*members[1:])
        seen = watcher.watch(pulse=0.2)
        assert next(seen) is None
        members[0].kill()
        revision = writer.save("one", b"1")

        assert Changed("one", revision) == next_change(seen, 20)


def test_a_user_needs_the_right_password(own: Member) -> None:
    """Tokens that etcd forgets when it restarts are renewed; a user without rights is told what it needs."""
    admin = opened(own)
    for name in ("root", "lab", "guest"):
        admin.client.call("auth/user/add", {"name": name, "password": f"{name}-pass"})
    for role, prefix in (("root", "/"), ("lab", "/netlab/")):
        admin.client.call("auth/role/add", {"name": role})
        permission = {"permType": "READWRITE", **below(prefix)}
        admin.client.call("auth/role/grant", {"name": role, "perm": permission})
        admin.client.call("auth/user/grant", {"user": role, "role": role})
    with pytest.raises(UsageError, match="authentication is not enabled"):
        opened(own, user="lab", password="lab-pass").load("one")  # noqa: S106
    admin.client.call("auth/enable", {})

    lab = opened(own, user="lab", password="lab-pass")  # noqa: S106
    lab.save("one", b"1")
    lock = lab.lock("one")
    assert lock.acquire()
    own.restart()
    lab.save("one", b"2", lock=lock)
    lock.release()
    assert b"2" == getattr(lab.load("one"), "data", None)
    seen = lab.watch(pulse=0.1)
    assert next_change(seen) is not None
    for user, password, said in (
        ("lab", "wrong-pass", "authentication failed, invalid user ID or password"),
        ("nobody", "lab-pass", "authentication failed, invalid user ID or password"),
        ("guest", "guest-pass", "permission denied; grant the user read and write"),
        ("", "", "give a user and a password"),
    ):
        with pytest.raises(HostError, match=said) as error:
            opened(own, user=user, password=password).load("one")
        assert 3 == error.value.exit_code
        assert "\n" not in str(error.value)
        assert not password or password not in f"{error.value}{error.value.__cause__}"


def test_certificates(tmp_path: Path) -> None:
    """The server is known by the CA, the client by its certificate; without either, one line says what is wrong."""
    certificates(tmp_path)
    names = {"ca": "ca.crt", "cert": "client.crt", "key": "client.key"}
    files: dict[str, Any] = {option: str(tmp_path / name) for option, name in names.items()}
    options = (
        f"--cert-file={tmp_path / 'server.crt'}",
        f"--key-file={tmp_path / 'server.key'}",
        f"--trusted-ca-file={tmp_path / 'ca.crt'}",
        "--client-cert-auth",
    )
    with etcd(tmp_path, more=options, scheme="https") as members:
        store = opened(members[0], **files)
        store.save("one", b"1")
        seen = store.watch(pulse=0.1)
        assert next_change(seen) is not None
        lock = store.lock("one")
        assert lock.acquire()
        lock.release()
        began = time.monotonic()
        with pytest.raises(HostError, match="its certificate is not trusted") as untrusted:
            opened(members[0]).load("one")
        # It is not tried again for ten seconds.
        assert time.monotonic() - began < 10
        with pytest.raises(HostError, match="etcd is not reached") as unknown:
            opened(members[0], ca=files["ca"], patience=0.5).load("one")
        plain_url = members[0].url.replace("https", "http")
        with pytest.raises(HostError) as plaintext:
            EtcdStore(settings([plain_url], patience=0.5)).load("one")

    for error in (untrusted, unknown, plaintext):
        print(error.value)
        assert 3 == error.value.exit_code
        assert "\n" not in str(error.value)
