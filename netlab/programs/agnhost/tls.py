"""TLS of servers: with a certificate from files, or with one of the stand-in's own, as upstream's image has one."""

from __future__ import annotations

import functools
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable

CERTIFICATE, KEY = "localhost.crt", "localhost.key"
"""The files of upstream's image, in its root directory. If they are missing, the stand-in makes its own."""
_PATH = "/usr/local/bin:/usr/bin:/bin"
_NAMES = "subjectAltName = IP:127.0.0.1, IP:::1"
_CONFIG = f"[req]\ndistinguished_name = name\nx509_extensions = own\n[name]\n[own]\n{_NAMES}\n".encode()
_NEW = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650")
_SECONDS, _LOOKS, _MOST_PLAIN = 30.0, 5, 1 << 16
# As Go does: the first bytes of a request that is not encrypted.
_PLAIN = (b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO")
_PLAIN_ANSWER = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"

Wrap = Callable[[socket.socket], socket.socket]
"""Takes a new connection, and returns the encrypted one; raises OSError where the client does not encrypt."""


def wrapper(certificate: str, key: str) -> Wrap:
    """Return what makes connections encrypted, with a certificate and key from files; raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if any(
        os.path.basename(path) != own or os.path.exists(path) for path, own in ((certificate, CERTIFICATE), (key, KEY))
    ):
        context.load_cert_chain(certificate, key)
    else:
        _load_own(context)
    return functools.partial(_wrapped, context)


def _wrapped(context: ssl.SSLContext, connection: socket.socket) -> socket.socket:
    connection.settimeout(_SECONDS)
    if connection.recv(_LOOKS, socket.MSG_PEEK) in _PLAIN:
        # Unread bytes would make the kernel reset the connection before the client has the answer.
        connection.recv(_MOST_PLAIN)
        connection.sendall(_PLAIN_ANSWER)
        raise OSError("the client does not encrypt")
    return context.wrap_socket(connection, server_side=True)


def _load_own(context: ssl.SSLContext) -> None:
    """Make and load a certificate, so that the key is in no file of netlab's source. Raises OSError."""
    program = shutil.which("openssl", path=_PATH)
    if program is None:
        raise FileNotFoundError("netlab's stand-in has no certificate, as this host has no openssl")
    with tempfile.TemporaryDirectory() as folder:
        certificate, key, config = (os.path.join(folder, name) for name in (CERTIFICATE, KEY, "config"))
        # As bytes, so that no codec is looked for.
        with open(config, "wb") as file:
            file.write(_CONFIG)
        try:
            done = subprocess.run(
                [program, *_NEW, "-config", config, "-subj", "/O=netlab", "-keyout", key, "-out", certificate],
                env={"PATH": _PATH, "OPENSSL_CONF": config},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise OSError(f"openssl req has not ended after {_SECONDS:g} s") from error
        if done.returncode:
            raise OSError(f"openssl req ended with {done.returncode}")
        context.load_cert_chain(certificate, key)
