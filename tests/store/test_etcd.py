"""What only etcd can do to a lab's record: restart, compact, lose members, refuse a user, be full."""

from __future__ import annotations

import base64
import contextlib
import http.server
import os
import signal
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from etcd_members import Member, certificates, etcd, free_ports
from store.test_contract import next_change

from netlab.errors import DamagedRecord, HostError, UsageError
from netlab.store.etcd import EtcdStore
from netlab.store.etcd_client import Refused, Unreachable, _Try, b64, below, plain
from netlab.store.etcd_lease import Lease
from netlab.store.etcd_settings import settings
from netlab.store.etcd_watch import Ended, Stream
from netlab.store.values import ABSENT, Changed, LockLost

pytestmark = pytest.mark.machines


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Member]:
    """An etcd of one member for one test, which may end it."""
    with etcd(tmp_path) as members:
        yield members[0]


def opened(*members: Member, patience: float = 10.0, lease: int = 2, **more: Any) -> EtcdStore:
    return EtcdStore(settings([one.url for one in members], patience=patience, lease=lease, **more))


def keys(store: EtcdStore, below_: str = "") -> list[str]:
    answer = store.client.call("kv/range", {**below(store.client.key(below_)), "keys_only": True})
    return [plain(kv["key"]).decode() for kv in answer.get("kvs", ())]


def _ends(stream: Stream) -> bool:
    with contextlib.suppress(Ended):
        for _ in range(10):
            stream.next(1)
        return False
    return True


def compact(store: EtcdStore) -> None:
    revision = store.client.call("kv/range", below("/none/"))["header"]["revision"]
    store.client.call("kv/compaction", {"revision": revision, "physical": True})


# --- not reached ----------------------------------------------------------------------------------------------------


def test_an_etcd_that_does_not_run_is_one_line() -> None:
    """With exit code 3, after the time that was given."""
    store = EtcdStore(settings([f"http://127.0.0.1:{port}" for port in free_ports(2)], patience=1))
    began = time.monotonic()
    for call in (lambda: store.load("one"), lambda: store.save("one", b""), lambda: store.lock("one").acquire()):
        with pytest.raises(Unreachable, match=r"etcd is not reached: http.*: Connection refused; ") as e:
            call()
        assert 3 == e.value.exit_code
        assert "\n" not in str(e.value)

    assert time.monotonic() - began < 6


def test_an_etcd_that_does_not_answer_is_one_line(own: Member) -> None:
    """A stopped process accepts connections all the same."""
    store = opened(own, patience=0.5)
    own.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="no answer in 5 seconds"):
            store.load("one")
        assert time.monotonic() - began < 8
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


# --- several members ------------------------------------------------------------------------------------------------


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


# --- watches --------------------------------------------------------------------------------------------------------


def test_a_watch_goes_on_after_a_restart(own: Member) -> None:
    """Changes of before, while it was away and after; nothing twice."""
    watcher, writer = opened(own), opened(own)
    seen = watcher.watch(pulse=0.1)
    first = writer.save("one", b"1")
    assert Changed("one", first) == next_change(seen)
    own.kill()
    assert next(seen) is None
    own.start()
    own.ready()
    second = writer.save("two", b"2")
    assert Changed("two", second) == next_change(seen, 20)
    writer.remove("one")

    assert Changed("one", ABSENT) == next_change(seen, 20)


def test_a_watch_goes_on_after_a_compaction(own: Member) -> None:
    """A stream from a revision that is gone ends; the watch reads all anew."""
    watcher, writer = opened(own), opened(own)
    seen = watcher.watch(pulse=0.1)
    writer.save("one", b"1")
    assert next_change(seen) is not None
    own.kill()
    assert next(seen) is None
    own.start()
    own.ready()
    writer.save("one", b"2")
    last = writer.save("one", b"3")
    compact(writer)

    assert Changed("one", last) == next_change(seen, 20)


def test_a_stream_from_a_compacted_revision_ends(own: Member) -> None:
    store = opened(own)
    for number in range(5):
        store.save("one", str(number).encode())
    compact(store)
    stream = Stream(store.client, "/netlab/", 1)

    assert _ends(stream)


def test_a_silent_stream_ends(own: Member) -> None:
    """A member that lost the others says nothing."""
    store = opened(own)
    stream = Stream(store.client, "/netlab/", 1, idle=0.3)

    assert _ends(stream)


def test_a_watch_gives_up_after_its_patience(own: Member) -> None:
    seen = opened(own).watch(pulse=0.1, patience=1)
    assert next(seen) is None
    own.kill()
    began = time.monotonic()

    with pytest.raises(Unreachable):
        list(seen)
    assert time.monotonic() - began < 10


def test_a_watch_that_is_closed_leaves_no_thread(own: Member) -> None:
    seen = opened(own).watch(pulse=0.1)
    next(seen)
    seen.close()  # type: ignore[attr-defined]
    until = time.monotonic() + 5
    while any(one.name == "netlab-watch" for one in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.02)

    assert [] == [one.name for one in threading.enumerate() if one.name == "netlab-watch"]


# --- locks ----------------------------------------------------------------------------------------------------------


def test_a_held_lock_outlives_its_lease(own: Member) -> None:
    """A thread keeps it alive."""
    lock = opened(own).lock("one")
    assert lock.acquire()
    time.sleep(3)

    assert lock.held
    assert not opened(own).lock("one").acquire(wait=False)
    lock.release()
    assert [] == keys(opened(own))


def test_a_lock_outlives_a_restart_of_etcd(own: Member) -> None:
    store = opened(own, lease=5)
    lock = store.lock("one")
    assert lock.acquire()
    own.restart()
    time.sleep(1)
    store.save("one", b"1", lock=lock)

    assert lock.held
    lock.release()


def test_a_lock_outlives_a_member_that_does_not_answer(tmp_path: Path) -> None:
    """Whichever member keeps its lease."""
    with etcd(tmp_path, members=3) as members:
        store = opened(*members, lease=6)
        lock = store.lock("one")
        assert lock.acquire()
        members[0].signal(signal.SIGSTOP)
        time.sleep(8)

        assert lock.held
        store.save("one", b"1", lock=lock)
        members[0].signal(signal.SIGCONT)
        lock.release()


def test_a_lost_lock_is_noticed(own: Member) -> None:
    """Its holder, which was not able to reach etcd, writes nothing; the next one does."""
    store = opened(own)
    lock = store.lock("one")
    assert lock.acquire()
    own.kill()
    time.sleep(2.5)
    assert not lock.held
    own.start()
    own.ready()
    with pytest.raises(LockLost):
        store.save("one", b"1", lock=lock)
    next_ = opened(own).lock("one")
    assert next_.acquire(limit=10)
    store.save("one", b"2", lock=next_)
    lock.release()

    assert next_.held
    next_.release()


def test_etcd_refuses_a_writer_that_does_not_know_that_its_lock_is_lost(own: Member) -> None:
    """The lock is a part of the transaction."""
    store = opened(own, lease=60)
    lock = store.lock("one")
    assert lock.acquire()
    store.client.call("kv/deleterange", below(store.client.key("locks", "")))
    assert lock.held
    with pytest.raises(LockLost):
        store.save("one", b"1", lock=lock)
    with pytest.raises(LockLost):
        store.save("one", b"1", ABSENT, lock)

    assert [] == store.labs()


# --- what is in etcd ------------------------------------------------------------------------------------------------


def test_only_the_last_record_and_its_parts_are_kept(own: Member) -> None:
    """Of a large record its parts, of a small one only a head, of none nothing; and no history."""
    store = opened(own)
    large = bytes(reversed(base64.b64encode(bytes(range(256)) * 9000)))
    store.save("one", b"1")
    store.save("one", os.urandom(3 << 20) + large)
    assert ["labs/one", *(f"parts/one/{n:03}" for n in range(4))] == [
        "/".join(part for part in key.removeprefix("/netlab/").split("/") if len(part) != 16) for key in keys(store)
    ]
    first = int(store.save("one", b"2"))
    for _ in range(40):
        store.save("one", b"3")
    assert ["/netlab/labs/one"] == keys(store)
    with pytest.raises(Refused, match="compacted"):
        store.client.call("kv/range", {"key": b64("/netlab/labs/one"), "revision": str(first)})
    store.remove("one")

    assert [] == keys(store)


def test_a_writer_that_is_killed_between_parts_leaves_nothing(own: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts belong to a lease until the transaction."""
    store = opened(own, lease=2)

    def killed(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(EtcdStore, "_decide", killed)
    monkeypatch.setattr(Lease, "revoke", lambda lease: lease._stop.set())
    with pytest.raises(SystemExit):
        store.save("one", os.urandom(3 << 20))
    assert 4 == len(keys(store))
    until = time.monotonic() + 10
    while keys(store) and time.monotonic() < until:
        time.sleep(0.1)

    assert [] == keys(store)


ID = b'"id":"0123456789abcdef"'
DAMAGED = (
    b"",
    b"\n",
    b"{}\n",
    b"[" * 100_000,
    b"\xff\xfe\n",
    b'{"format":2}\n',
    b'{"format":1,"id":"../../../../xyz!","size":1,"parts":0}\n',
    b'{"format":1,' + ID + b',"size":9,"parts":0}\nxyz',
    b'{"format":1,' + ID + b',"size":9,"parts":3}\n',
    b'{"format":1,' + ID + b',"size":99999999999,"parts":0}\n',
)


@pytest.mark.parametrize("value", DAMAGED)
def test_a_damaged_record_is_said(member: Member, value: bytes) -> None:
    """Of any writer."""
    store = opened(member, patience=0.3, prefix="/damaged/")
    store.client.call("kv/put", {"key": b64("/damaged/labs/one"), "value": b64(value)})

    with pytest.raises(DamagedRecord, match="/damaged/labs/one of etcd"):
        store.load("one")


def test_a_small_text_that_grows_is_damaged(member: Member) -> None:
    """No more than the stated size is decompressed."""
    store = opened(member, prefix="/bomb/")
    head = b'{"format":1,"id":"0123456789abcdef","size":10,"parts":0}\n'
    store.client.call("kv/put", {"key": b64("/bomb/labs/one"), "value": b64(head + zlib.compress(bytes(100 << 20)))})

    with pytest.raises(DamagedRecord):
        store.load("one")


def test_keys_of_others_are_left_alone(member: Member) -> None:
    """Also where they look like a lab's."""
    store = opened(member, prefix="/left/")
    for key in ("/left/labs/A", "/left/labs/a/b", "/left/other", "/left/labs/"):
        store.client.call("kv/put", {"key": b64(key), "value": b64("x")})
    store.save("a", b"1")
    assert ["a"] == store.labs()
    store.remove("a")

    assert 4 == len(keys(store))


def test_a_full_database_is_one_line(tmp_path: Path) -> None:
    """The old record stays, and is read."""
    with etcd(tmp_path, more=("--quota-backend-bytes=6000000",)) as members:
        store = opened(members[0])
        store.save("one", b"1")
        with pytest.raises(HostError, match="its database is full") as error:
            [store.save("one", os.urandom(3 << 20)) for _ in range(10)]
        assert 3 == error.value.exit_code
        assert store.load("one") is not None


def test_an_answer_that_is_lost_is_no_conflict(own: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request whose answer is lost is sent again, and finds its own effect."""
    store = opened(own)
    revision = store.save("one", b"1")
    real = store.client._post
    lost: list[int] = []

    def post(client: object, path: str, body: object) -> object:
        answer = real(client, path, body)  # type: ignore[arg-type]
        if path == "kv/txn" and not lost:
            lost.append(1)
            raise _Try("lost")
        return answer

    monkeypatch.setattr(store.client, "_post", post)
    found = store.save("one", b"2", revision)

    assert (b"2", found) == (getattr(store.load("one"), "data", None), getattr(store.load("one"), "revision", None))


def test_each_save_counts_once_while_etcd_is_killed(own: Member) -> None:
    """A writer adds to a number from the revision that it read; a save either happened or is said not to have."""
    store = opened(own, patience=20)
    store.save("one", b"0", ABSENT)
    done = threading.Event()

    def kill() -> None:
        for _ in range(4):
            time.sleep(0.2)
            own.restart()
        done.set()

    killer = threading.Thread(target=kill)
    killer.start()
    saved = 0
    while not done.is_set() or saved < 50:
        found = store.load("one")
        assert found is not None
        store.save("one", str(int(found.data) + 1).encode(), found.revision)
        saved += 1
    killer.join()

    assert str(saved).encode() == getattr(store.load("one"), "data", None)


def test_a_save_waits_for_no_dead_endpoint(own: Member) -> None:
    """After the first request, the endpoint that answers is known."""
    store = EtcdStore(settings([f"http://127.0.0.1:{free_ports(1)[0]}", own.url]))
    store.save("one", b"1")

    assert own.url == store.client.settings.endpoints[store.client._at]


# --- users and certificates -----------------------------------------------------------------------------------------


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
        assert time.monotonic() - began < 2
        with pytest.raises(HostError, match="etcd is not reached") as unknown:
            opened(members[0], ca=files["ca"], patience=0.5).load("one")
        plain_url = members[0].url.replace("https", "http")
        with pytest.raises(HostError) as plaintext:
            EtcdStore(settings([plain_url], patience=0.5)).load("one")

    for error in (untrusted, unknown, plaintext):
        print(error.value)
        assert 3 == error.value.exit_code
        assert "\n" not in str(error.value)
