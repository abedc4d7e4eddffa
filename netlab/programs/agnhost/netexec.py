"""``agnhost netexec``: a server of HTTP, UDP and SCTP that answers with what it sees, and that can ask others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from urllib.parse import urljoin

from netlab.programs.agnhost import flags, text_server, tls
from netlab.programs.agnhost.dial import dial
from netlab.programs.agnhost.http import HTML, JSON, Answer, Request, error, serve
from netlab.programs.agnhost.sockets import at_end, end, fatal, in_thread, listen, log, why

FLAGS = {
    "http-port": 8080,
    "udp-port": 8081,
    "sctp-port": -1,
    "tls-cert-file": "",
    "tls-private-key-file": "",
    "http-override": "",
    "udp-listen-addresses": "",
    "delay-shutdown": 0,
}
_UPLOADS = "/uploads"
_STARTED = time.monotonic_ns()


def main(words: Sequence[str]) -> int:
    """Serve until SIGTERM, or until a request ends it."""
    found, _ = flags.parse(words, FLAGS)
    server = Server(found["http-port"])
    at_end(lambda: server.stop(found["delay-shutdown"]))
    if found["udp-port"] != -1:
        for host in sorted(set(found["udp-listen-addresses"].split(","))):
            text_server.start("udp", found["udp-port"], host, server.set_ready)
    if found["sctp-port"] != -1:
        text_server.start("sctp", found["sctp-port"], "", server.set_ready)
    log(f"Started HTTP server on port {found['http-port']}")
    try:
        listener = listen("tcp", found["http-port"])
    except (OSError, OverflowError) as wrong:
        fatal(f"listen tcp :{found['http-port']}: bind: {why(wrong)}")
    answer = server.overridden(found["http-override"]) if found["http-override"] else server.answer
    in_thread(serve, listener, answer, _tls(found["tls-cert-file"], found["tls-private-key-file"]))
    while True:
        signal.pause()


def _tls(certificate: str, key: str) -> tls.Wrap | None:
    """Return what makes connections encrypted, None without a certificate; a wrong one ends the process."""
    try:
        return tls.wrapper(certificate, key) if certificate else None
    except OSError as wrong:
        fatal(why(wrong))


class Server:
    """Answers requests; ``port`` is its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._pages: dict[str, Callable[[Request], Answer]] = {
            "/": _root,
            "/clientip": _client,
            "/serverport": self._server_port,
            "/header": _header,
            "/dial": dial,
            "/echo": _echo,
            "/exit": _exit,
            "/healthz": self._health,
            "/readyz": self._readiness,
            "/hostname": _hostname,
            "/hostName": _hostname,
            "/envvar": _variable,
            "/redirect": _redirect,
            "/shell": _shell,
            "/upload": _upload,
            "/shutdown": _shutdown,
        }

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request."""
        return self._pages.get(request.path, _root)(request)

    def overridden(self, target: str) -> Callable[[Request], Answer]:
        """Return a function that answers every request as one for this path."""
        return lambda request: self.answer(Request("GET", target, {}, b"", ""))

    def set_ready(self, ready: bool) -> None:
        (self._ready.set if ready else self._ready.clear)()

    def stop(self, delay: int) -> None:
        """End the process after some seconds, beside the caller."""
        self._stopping.set()
        if delay > 0:
            log(f"Sleeping {delay} seconds before terminating...")
        in_thread(partial(_end_after, max(delay, 0), 0))

    def _server_port(self, request: Request) -> Answer:
        log("GET /serverport")
        return Answer(str(self._port).encode())

    def _health(self, request: Request) -> Answer:
        log("GET /healthz")
        return Answer(status=200 if self._ready.is_set() else 412)

    def _readiness(self, request: Request) -> Answer:
        log("GET /readyz")
        if self._stopping.is_set():
            return Answer(b"shutting down", 503)
        return Answer(b"ok") if self._ready.is_set() else Answer(status=412)


def _end_after(seconds: float, code: int) -> None:
    time.sleep(seconds)
    end(code)


# --- pages ------------------------------------------------------------------------------------------------------------


def _root(request: Request) -> Answer:
    log("GET /")
    now = time.time_ns()
    text = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now // 10**9))
    since = (time.monotonic_ns() - _STARTED) / 1e9
    return Answer(f"NOW: {text}.{now % 10**9:09} +0000 UTC m=+{since:.9f}".encode())


def _client(request: Request) -> Answer:
    log("GET /clientip")
    return Answer(request.client.encode())


def _header(request: Request) -> Answer:
    key = request.value("key")
    log(f"GET /header?key={key}" if key else "GET /header")
    if key:
        return Answer(request.header(key).encode("latin-1"))
    return Answer(_json({name: request.headers[name] for name in sorted(request.headers)}))


def _echo(request: Request) -> Answer:
    message, code = request.value("msg"), request.value("code")
    log(f"GET /echo?msg={message}&code={code}")
    data = message.encode(errors="surrogateescape")
    if not code:
        return Answer(data)
    number = _number(code)
    if number is None:
        return Answer(f"argument 'code' must be an integer or empty, got \"{code}\"\n".encode())
    return Answer(data, number if 100 <= number <= 999 else 500)


def _exit(request: Request) -> Answer:
    code, timeout, wait = (request.value(name) for name in ("code", "timeout", "wait"))
    log(f"GET /exit?code={code}&timeout={timeout}&wait={wait}")
    seconds = {}
    for name, text in (("timeout", timeout), ("wait", wait)):
        try:
            seconds[name] = flags.duration(text) if text else 0.0
        except ValueError:
            return Answer(f"argument '{name}' must be a valid golang duration or empty, got \"{text}\"\n".encode())
    number = _number(code) if code else 0
    if number is None:
        return Answer(f"argument 'code' must be an integer [0-127] or empty, got \"{code}\"\n".encode())
    log(f"Will begin shutdown in {wait}, allowing {timeout} for connections to close, then will exit with {number}")
    time.sleep(seconds["wait"])
    if not seconds["timeout"]:
        end(number & 0xFF)
    # This answer is the connection that is waited for.
    return Answer(then=partial(end, number & 0xFF))


def _hostname(request: Request) -> Answer:
    log(f"GET {request.path}")
    return Answer(os.uname().nodename.encode())


def _variable(request: Request) -> Answer:
    name = request.value("var")
    if not name:
        return error("'var' query parameter is required", 400)
    log(f"GET /envvar?var={name}")
    value = os.environ.get(name)
    return error(f'env var "{name}" is not set', 500) if value is None else Answer(os.fsencode(value))


def _redirect(request: Request) -> Answer:
    location, code = request.value("location"), request.value("code")
    log(f"{request.method} /redirect?msg={location}&code={code}")
    number = _number(code) if code else HTTPStatus.FOUND.value
    if number is None:
        return Answer(f"argument 'code' must be an integer or empty, got \"{code}\"\n".encode())
    target = urljoin(request.path, location).replace("\r", "").replace("\n", "")
    try:
        phrase = HTTPStatus(number).phrase
    except ValueError:
        phrase = ""
    body = f'<a href="{target}">{phrase}</a>.\n\n' if request.method in ("GET", "HEAD") else ""
    return Answer(body.encode(), number, HTML, {"Location": target})


def _shell(request: Request) -> Answer:
    command = request.value("shellCommand") or request.value("cmd")
    log(f"GET /shell?cmd={command}")
    done = subprocess.run(
        ["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    found = {}
    if done.stdout:
        found["output"] = done.stdout.decode(errors="replace")
    if done.returncode > 0:
        found["error"] = f"exit status {done.returncode}"
    elif done.returncode < 0:
        found["error"] = f"signal: {signal.strsignal(-done.returncode) or -done.returncode}".lower()
    log(f"Output: {found}")
    return Answer(_json(found))


def _upload(request: Request) -> Answer:
    log("GET /upload")
    data = _file_of(request)
    if data is None:
        return Answer(_json({"error": "Unable to upload file."}))
    try:
        fd, path = tempfile.mkstemp(prefix="upload", dir=_UPLOADS)
        with open(fd, "wb") as file:
            file.write(data)
            os.fchmod(fd, 0o700)
    except OSError as wrong:
        log(f"Unable to open file for write: {why(wrong)}")
        return Answer(_json({"error": "Unable to open file for write"}))
    log(f"Wrote upload to {path}")
    return Answer(_json({"output": path}), 201, JSON)


def _file_of(request: Request) -> bytes | None:
    """Return the part ``file`` of a form of the kind multipart/form-data."""
    kind, _, rest = request.header("Content-Type").partition("boundary=")
    if not kind.startswith("multipart/form-data") or not rest:
        return None
    boundary = b"--" + rest.partition(";")[0].strip().strip('"').encode("latin-1")
    for part in (b"\r\n" + request.body).split(b"\r\n" + boundary)[1:]:
        head, _, body = part.partition(b"\r\n\r\n")
        if b'name="file"' in head and b"filename=" in head:
            return body
    return None


def _shutdown(request: Request) -> Answer:
    log("GET /shutdown")
    end(0)


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
