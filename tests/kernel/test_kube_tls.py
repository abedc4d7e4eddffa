"""The TLS settings of a connection with an API server, which its watches share."""

from __future__ import annotations

import ssl
import sys
import threading
import time

import pytest
from kubernetes.client import Configuration

from netlab.kernel.kube_library import _tls

# The extension for application protocols, with HTTP/1.1 alone: RFC 7301.
EXTENSION = b"\x00\x10\x00\x0b\x00\x09\x08http/1.1"


def greeting(context: ssl.SSLContext) -> bytes:
    """Return what a client sends first."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(there, back, server_hostname="x").do_handshake()
    return back.read()


def test_threads_that_connect_at_once_send_whole_greetings() -> None:
    """urllib3 sets the protocols of the settings for each connection. Other threads use these settings meanwhile."""
    context = _tls(Configuration())
    end, wrong = time.monotonic() + 2, list[bytes]()

    def connect() -> None:
        while time.monotonic() < end:
            context.set_alpn_protocols(["http/1.1"])
            if EXTENSION not in (sent := greeting(context)):
                wrong.append(sent)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=connect) for _ in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    finally:
        sys.setswitchinterval(usual)

    assert [] == wrong
