"""The stand-in for agnhost: what it prints, answers and ends with is what upstream's does."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from netlab.programs.agnhost import flags, http, sctp, sockets
from netlab.programs.agnhost.main import main
from netlab.programs.agnhost.text_server import answer

REPOSITORY = Path(__file__).parents[2]
RUN = "import sys; from netlab.programs.agnhost.main import main; sys.exit(main(sys.argv))"
HOST = socket.gethostname()


needs_tls = pytest.mark.skipif(
    not (shutil.which("openssl") and shutil.which("curl")), reason="needs the programs openssl and curl"
)


def free(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET6, kind) as one:
        one.bind(("", 0))
        return int(one.getsockname()[1])


def start(*words: str, **variables: str) -> subprocess.Popen[str]:
    """Start the stand-in, as a shell in a pod does."""
    return subprocess.Popen(
        [sys.executable, "-S", "-c", RUN, *words],
        cwd=REPOSITORY,
        env={**variables, "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def listens(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    pytest.fail(f"nothing listens on {port}")


class Served:
    """A server of netexec."""

    def __init__(self, port: int, udp: int) -> None:
        self.port, self.udp = port, udp

    def get(self, path: str, data: bytes | None = None, **headers: str) -> tuple[int, str]:
        try:
            with urlopen(Request(f"http://127.0.0.1:{self.port}{path}", data, headers), timeout=10) as found:
                return found.status, found.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture(scope="module")
def netexec() -> Iterator[Served]:
    found = Served(free(), free(socket.SOCK_DGRAM))
    with start("netexec", f"--http-port={found.port}", "--udp-port", str(found.udp), NODE_NAME="n1") as program:
        try:
            listens(found.port)
            yield found
        finally:
            program.kill()


# --- connect ----------------------------------------------------------------------------------------------------------


def connect(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["/agnhost", "connect", *words])
    return code, capfd.readouterr().err


def test_connect_says_nothing_where_a_port_answers(netexec, capfd):
    """The exit code is 0, by TCP and by UDP."""
    assert (0, "") == connect(capfd, f"127.0.0.1:{netexec.port}", "--timeout=1s", "--protocol=tcp")
    assert (0, "") == connect(capfd, "--timeout", "1s", "--protocol", "udp", f"127.0.0.1:{netexec.udp}")


def test_connect_names_what_stops_it(capfd):
    """Judges look for the first word. A closed port, no port, no host, and arguments that are wrong."""
    port = free()

    assert (1, "REFUSED\n") == connect(capfd, f"127.0.0.1:{port}", "--timeout=1s")
    code, said = connect(capfd, f"127.0.0.1:{port}", "--timeout=1s", "--protocol=udp")
    assert (1, True) == (code, said.startswith("REFUSED: read udp 127.0.0.1:"))
    assert (1, "UNKNOWN: address 127.0.0.1: missing port in address\n") == connect(capfd, "127.0.0.1")
    assert (1, "DNS: address 65536: invalid port\n") == connect(capfd, "127.0.0.1:65536")
    assert (1, "Error: unknown flag: --colour\n") == connect(capfd, "127.0.0.1:1", "--colour=red")
    assert (1, "Error: accepts 1 arg(s), received 0\n") == connect(capfd)
    assert (1, "Unsupported protocol\nicmp\n") == connect(capfd, "127.0.0.1:1", "--protocol=icmp")


def test_connect_times_out_where_nobody_answers(capfd):
    """By TCP a queue that is full, by UDP a socket that reads nothing."""
    with socket.socket() as full, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        silent.bind(("127.0.0.1", 0))
        port = full.getsockname()[1]
        clients = [socket.socket() for _ in range(4)]
        try:
            for one in clients:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))

            assert (1, "TIMEOUT\n") == connect(capfd, f"127.0.0.1:{port}", "--timeout=200ms")
            code, said = connect(capfd, f"127.0.0.1:{silent.getsockname()[1]}", "--timeout=200ms", "--protocol=udp")
            assert 1 == code
            assert said.startswith("TIMEOUT: read udp 127.0.0.1:")
            assert said.endswith(": i/o timeout\n")
        finally:
            for one in clients:
                one.close()


def test_connect_asks_an_address_of_ipv6(capfd):
    """In brackets."""
    assert (1, "REFUSED\n") == connect(capfd, f"[::1]:{free()}", "--timeout=1s")


# --- netexec ----------------------------------------------------------------------------------------------------------


def test_netexec_answers_with_what_it_sees(netexec):
    """Name, client, port, a text, a variable and a header."""
    assert (200, HOST) == netexec.get("/hostname") == netexec.get("/hostName")
    assert netexec.get("/clientip")[1].startswith("127.0.0.1:")
    assert (200, str(netexec.port)) == netexec.get("/serverport")
    assert (200, "a b") == netexec.get("/echo?msg=a%20b")
    assert (404, "gone") == netexec.get("/echo?msg=gone&code=404")
    assert (200, "n1") == netexec.get("/envvar?var=NODE_NAME")
    assert (500, 'env var "NONE" is not set\n') == netexec.get("/envvar?var=NONE")
    assert (200, "yes") == netexec.get("/header?key=x-mine", **{"X-Mine": "yes"})
    assert ["yes"] == json.loads(netexec.get("/header", **{"X-Mine": "yes"})[1])["X-Mine"]
    assert netexec.get("/anything")[1].startswith("NOW: 2")
    assert (200, "") == netexec.get("/healthz")
    assert (200, "ok") == netexec.get("/readyz")
    assert (200, HOST) == netexec.get("/redirect?location=/hostname&code=307")


def test_netexec_takes_fields_of_a_form(netexec):
    """Those of the body come before those of the query."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    assert (200, "body") == netexec.get("/echo?msg=query", b"msg=body", **kind)


def test_netexec_runs_commands(netexec):
    """Output and failure are JSON."""
    assert {"output": "out\n"} == json.loads(netexec.get("/shell?cmd=echo%20out")[1])
    assert {"error": "exit status 3"} == json.loads(netexec.get("/shell?shellCommand=exit%203")[1])


def test_netexec_answers_datagrams(netexec):
    """Each word of the protocol; what it does not know has no answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect(("127.0.0.1", netexec.udp))
        found = []
        for word in (b"hostname\n", b"echo Some Text", b"clientip", b"nonsense", b"serverport", b"envvar NODE_NAME"):
            client.send(word)
            if word != b"nonsense":
                found.append(client.recv(2048).decode())
        host, port = client.getsockname()

    assert [HOST, "some text", f"{host}:{port}", str(netexec.udp), "n1"] == found


def test_a_line_that_is_no_http_is_refused_at_once(netexec):
    """Tests of Services send a word with nc, and take any answer for one."""
    with socket.create_connection(("127.0.0.1", netexec.port), 10) as client:
        client.sendall(b"hostName\n")

        assert client.recv(2048).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_netexec_dials_others(netexec):
    """As often as it is asked; answers and errors are apart."""
    to = f"host=127.0.0.1&port={netexec.port}"

    assert {"responses": [HOST, HOST]} == json.loads(netexec.get(f"/dial?{to}&request=hostname&tries=2")[1])
    datagram = netexec.get(f"/dial?host=127.0.0.1&port={netexec.udp}&request=hostname&protocol=udp")
    assert {"responses": [HOST]} == json.loads(datagram[1])
    closed = json.loads(netexec.get(f"/dial?host=127.0.0.1&port={free()}&request=hostname")[1])
    assert "connection refused" in closed["errors"][0]
    assert "responses" not in closed
    assert 400 == netexec.get(f"/dial?{to}")[0]
    assert 400 == netexec.get(f"/dial?{to}&request=hostname&protocol=icmp")[0]


def test_a_connection_stays_open_for_further_requests(netexec):
    """As HTTP/1.1 has it, with a body in chunks, and an end that the client asks for."""
    with socket.create_connection(("127.0.0.1", netexec.port), 10) as client, client.makefile("rb") as answers:
        client.sendall(
            b"POST /echo?msg=one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        client.sendall(b"HEAD /echo?msg=two HTTP/1.1\r\nHost: a\r\n\r\n")
        client.sendall(b"GET /echo?msg=three HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        said = answers.read()

    assert 3 == said.count(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\noneHTTP/1.1" in said
    assert b"two" not in said
    assert said.endswith(b"\r\n\r\nthree")


@pytest.mark.parametrize("path", ["/exit?code=7", "/exit?code=7&timeout=1s"])
def test_netexec_ends_as_it_is_asked_to(path):
    """With the exit code, with or without an answer."""
    port = free()
    with start("netexec", f"--http-port={port}", "--udp-port=-1") as program:
        listens(port)
        subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}{path}"], timeout=10)

        assert 7 == program.wait(10)


# --- other servers ----------------------------------------------------------------------------------------------------


def test_porter_serves_what_its_variables_say():
    """By TCP and UDP; SIGTERM ends it with exit code 2, as Go does."""
    port, udp = free(), free(socket.SOCK_DGRAM)
    variables = {f"SERVE_PORT_{port}": "foo", f"SERVE_UDP_PORT_{udp}": "bar"}
    with start("porter", **variables) as program:
        listens(port)
        with urlopen(f"http://127.0.0.1:{port}/", timeout=10) as found:
            assert b"foo" == found.read()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.sendto(b"hostname\n", ("127.0.0.1", udp))
            assert b"bar" == client.recv(100)
        program.send_signal(signal.SIGTERM)

        assert 2 == program.wait(10)


@pytest.mark.parametrize(
    ("text", "kind"),
    [(b'<a href="/x">y</a>', "text/html; charset=utf-8"), (b" \n<!-- x", "text/html; charset=utf-8"),
     (b"foo <a>", "text/plain; charset=utf-8"), (b"<abc>", "text/plain; charset=utf-8")],
)  # fmt: skip
def test_the_kind_of_a_text_follows_its_first_tag(text, kind):
    """As Go finds it. The API server's proxy rewrites the links of pages only."""
    assert kind == http.kind_of(text)


def encrypted(port: int, folder: Path, *options: str) -> str:
    """Return the answer of a server of TLS, and why it is not trusted."""
    ask = ["curl", "-sS", *options, f"https://127.0.0.1:{port}/hostname"]
    done = subprocess.run(ask, capture_output=True, text=True, timeout=30, cwd=folder)
    return done.stdout or done.stderr


def certificate(folder: Path) -> None:
    """Make a certificate for 127.0.0.1: the files ``crt`` and ``key``."""
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*new, *names, "-keyout", "key", "-out", "crt"], cwd=folder, check=True, capture_output=True)


@needs_tls
def test_porter_serves_tls_with_a_certificate_of_its_own_or_of_files(tmp_path):
    """Upstream's image has one for localhost, which nobody trusts; CERT_FILE and KEY_FILE name another one."""
    port, other = free(), free()
    certificate(tmp_path)
    files = {"CERT_FILE": str(tmp_path / "crt"), "KEY_FILE": str(tmp_path / "key")}
    with start("porter", **{f"SERVE_TLS_PORT_{port}": "foo"}) as own:
        with start("porter", **files, **{f"SERVE_TLS_PORT_{other}": "bar"}) as given:
            listens(port)
            listens(other)
            said = (
                encrypted(port, tmp_path),
                encrypted(port, tmp_path, "-k"),
                encrypted(other, tmp_path, "--cacert", "crt"),
            )
            given.kill()
        own.kill()

    assert "certificate" in said[0]
    assert ("foo", "bar") == said[1:]


@needs_tls
def test_porter_says_which_certificate_it_cannot_read():
    """The other ports are served, as upstream's are."""
    port, plain = free(), free()
    variables = {
        f"SERVE_TLS_PORT_{port}": "foo",
        f"SERVE_PORT_{plain}": "bar",
        "CERT_FILE": "/none",
        "KEY_FILE": "/none",
    }
    with start("porter", **variables) as program:
        listens(plain)
        assert program.stdout is not None
        line = program.stdout.readline()
        program.kill()

    assert f'tls server on port "{port}" with certFile="/none", keyFile="/none" failed: no such file' in line


@needs_tls
def test_netexec_answers_over_tls_with_the_flags_of_a_certificate(tmp_path):
    """A request that is not encrypted is told so, as Go does it; a client that breaks off harms nobody."""
    port = free()
    certificate(tmp_path)
    files = [f"--tls-cert-file={tmp_path / 'crt'}", f"--tls-private-key-file={tmp_path / 'key'}"]
    with start("netexec", f"--http-port={port}", "--udp-port=-1", *files) as program:
        listens(port)
        with pytest.raises(HTTPError) as caught:
            urlopen(f"http://127.0.0.1:{port}/", timeout=10)
        said = encrypted(port, tmp_path, "--cacert", "crt")
        program.kill()

    assert (400, b"Client sent an HTTP request to an HTTPS server.\n") == (caught.value.code, caught.value.read())
    assert HOST == said


def test_netexec_ends_where_it_cannot_read_its_certificate():
    """As upstream's does."""
    with start("netexec", f"--http-port={free()}", "--udp-port=-1", "--tls-cert-file=/none") as program:
        assert 1 == program.wait(20)


def test_porter_ends_where_a_protocol_is_missing():
    """As upstream's does: its pod does not become ready."""
    if _has_sctp():
        pytest.skip("this kernel has SCTP")
    with start("porter", SERVE_SCTP_PORT_80="foo") as program:
        assert 1 == program.wait(10)


def test_serve_hostname_serves_its_name():
    """By HTTP, or by TCP and UDP; not by both."""
    port = free()
    with start("serve-hostname", "--tcp", "--http=false", f"--port={port}") as program:
        try:
            listens(port)
            with socket.create_connection(("127.0.0.1", port), 10) as client:
                assert HOST.encode() == client.recv(100)
        finally:
            program.kill()
    with start("serve-hostname", "--tcp") as program:
        assert 1 == program.wait(10)


def test_test_webserver_serves_files(tmp_path):
    """A file, the list of a folder, and 404."""
    port = free()
    (tmp_path / "a.txt").write_text("text")
    with start("test-webserver", f"--port={port}") as program:
        try:
            listens(port)
            served = Served(port, 0)
            assert (200, "text") == served.get(f"{tmp_path}/a.txt")
            assert '<a href="a.txt">a.txt</a>' in served.get(f"{tmp_path}/")[1]
            assert (404, "404 page not found\n") == served.get(f"{tmp_path}/none")
        finally:
            program.kill()


def test_a_folder_is_listed_whatever_is_in_it(tmp_path):
    """A link that leads to itself, a link to a folder, and a name that is no text."""
    port = free()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff")).write_text("")
    with start("test-webserver", f"--port={port}") as program:
        try:
            listens(port)
            code, page = Served(port, 0).get(f"{tmp_path}/")
        finally:
            program.kill()

    assert (200, ["folder/", "link", "loop", "odd%FF"]) == (code, re.findall('href="(.*?)"', page))


def test_pause_ends_at_sigterm_with_code_2():
    """It says so."""
    with start("pause") as program:
        assert program.stdout is not None
        assert "Paused\nSignals registered\n" == program.stdout.readline() + program.stdout.readline()
        program.send_signal(signal.SIGTERM)

        assert 'exiting because of signal "terminated"\n' == program.stdout.read()
        assert 2 == program.wait(10)


# --- parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1.0), ("1m30s", 90.0), ("1.5h", 5400.0), ("300ms", 0.3), ("0", 0.0), ("-2s", -2.0)]
)
def test_a_duration_is_read_as_go_reads_it(text, seconds):
    """With units, several of them, and fractions."""
    assert seconds == pytest.approx(flags.duration(text))


@pytest.mark.parametrize("text", ["", "1", "s", "1x", "1s2"])
def test_a_duration_without_a_unit_is_an_error(text):
    """Go's words."""
    with pytest.raises(ValueError, match="time: invalid duration"):
        flags.duration(text)


def test_a_mapped_address_is_one_of_ipv4():
    """A socket of both families sees it so."""
    assert "10.0.0.1:80" == sockets.peer(("::ffff:10.0.0.1", 80, 0, 0))
    assert "[fd00::1]:80" == sockets.peer(("fd00::1", 80, 0, 0))


def test_a_packet_that_is_no_word_has_no_answer():
    """Nor has an empty one."""
    assert answer(b"", "a", 1, "UDP") is None
    assert answer(b"echo", "a", 1, "UDP") is None


def _has_sctp() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, sctp.PROTOCOL).close()
    except OSError:
        return False
    return True


def test_an_unknown_subcommand_is_named(capfd):
    """The exit code is 1."""
    assert 1 == main(["/agnhost", "webhook"])
    assert 'unknown command "webhook"' in capfd.readouterr().err
