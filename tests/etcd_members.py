"""A real etcd of one or more members, as plain processes on one address with free ports and a folder of their own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sizes import HANGS

READY_SECONDS = 0.3 * HANGS


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports: list[int] = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Member:
    """A member of an etcd; it can be ended and started again with its data."""

    def __init__(self, name: str, folder: Path, url: str, words: Sequence[str], prefix: Sequence[str] = ()) -> None:
        self.name, self.url, self.port = name, url, int(url.rpartition(":")[2])
        self._log = folder / f"{name}.log"
        self._words = [*prefix, "etcd", f"--name={name}", f"--data-dir={folder / name}", *words]
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def start(self) -> None:
        self._starts += 1
        with open(self._log, "ab") as output:
            self._process = subprocess.Popen(self._words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def ready(self) -> None:
        """Wait until it serves clients."""
        until = time.monotonic() + READY_SECONDS
        while self._log.read_bytes().count(b"ready to serve client requests") < self._starts:
            assert self._process is not None
            ended = self._process.poll() is not None or time.monotonic() > until
            assert not ended, self._log.read_text()[-3000:]
            time.sleep(0.02)

    def restart(self) -> None:
        self.kill()
        self.start()
        self.ready()

    def kill(self) -> None:
        """End it without a word (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it as a service manager does."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self.kill()

    def signal(self, number: int) -> None:
        """Send it a signal, as to stop it and to let it go on."""
        if self._process is not None:
            self._process.send_signal(number)


@contextmanager
def etcd(
    folder: Path,
    members: int = 1,
    more: Sequence[str] = (),
    scheme: str = "http",
    address: str = "127.0.0.1",
    prefix: Sequence[str] = (),
) -> Iterator[list[Member]]:
    """Start etcd, wait until it serves, and end it.

    ``more`` has further options. ``prefix`` is a command that runs the program elsewhere, as in another namespace; it
    becomes the program.
    """
    # All at once, or a port could be chosen for a client and for a peer.
    found_ports = free_ports(2 * members)
    ports, peers = found_ports[:members], found_ports[members:]
    names = [f"member{number}" for number in range(members)]
    cluster = ",".join(f"{name}=http://{address}:{peer}" for name, peer in zip(names, peers, strict=True))
    with ExitStack() as stack:
        found = []
        for name, port, peer in zip(names, ports, peers, strict=True):
            url = f"{scheme}://{address}:{port}"
            words = [
                "--unsafe-no-fsync",
                f"--listen-client-urls={url}",
                f"--advertise-client-urls={url}",
                f"--listen-peer-urls=http://{address}:{peer}",
                f"--initial-advertise-peer-urls=http://{address}:{peer}",
                f"--initial-cluster={cluster}",
                *more,
            ]
            member = Member(name, folder, url, words, prefix)
            stack.callback(member.kill)
            member.start()
            found.append(member)
        for member in found:
            member.ready()
        yield found


def certificates(folder: Path, address: str = "127.0.0.1") -> None:
    """Make a CA, and certificates of it for the server and the client."""
    subject = ("-subj", "/CN=ca", "-keyout", folder / "ca.key", "-out", folder / "ca.crt")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject)
    for name, extension in (("server", f"subjectAltName=IP:{address}"), ("client", "extendedKeyUsage=clientAuth")):
        key, request, options = folder / f"{name}.key", folder / f"{name}.csr", folder / f"{name}.ext"
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        options.write_text(extension)
        signer = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "1")
        openssl("x509", "-req", "-in", request, *signer, "-extfile", options, "-out", folder / f"{name}.crt")


def missing() -> list[str]:
    """Return the programs that are not here."""
    return [name for name in ("etcd", "openssl") if shutil.which(name) is None]


@pytest.fixture(scope="session")
def member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    """An etcd of one member for all tests."""
    if lacking := missing():
        pytest.skip(f"needs {', '.join(lacking)}")
    with etcd(tmp_path_factory.mktemp("etcd")) as members:
        yield members[0]
