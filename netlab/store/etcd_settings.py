"""How etcd is reached: endpoints, certificates, a user, and the prefix of all keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from urllib.parse import urlsplit

from netlab.errors import UsageError, printable
from netlab.frozen import frozen
from netlab.patterns import pattern

_PORT = 2379
_PREFIX = pattern(r"/([A-Za-z0-9][A-Za-z0-9._-]{0,62}/){1,4}")
_HOST = pattern(r"[A-Za-z0-9._:%-]{1,253}")


@frozen
class EtcdSettings:
    """How to reach etcd; ``settings`` checks each value.

    ``connect`` and ``answer`` limit one request to one endpoint, in seconds. ``patience`` limits all tries of a request
    at all endpoints. A lock whose process is killed is free after ``lease`` seconds.
    """

    endpoints: tuple[str, ...]
    ca: str = ""
    cert: str = ""
    key: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    prefix: str = "/netlab/"
    connect: float = 2.0
    answer: float = 5.0
    patience: float = 10.0
    lease: int = 10

    @property
    def shown(self) -> str:
        """The endpoints, for messages."""
        return ", ".join(self.endpoints)


def settings(
    endpoints: Sequence[str],
    *,
    ca: str = "",
    cert: str = "",
    key: str = "",
    user: str = "",
    password: str = "",
    prefix: str = "/netlab/",
    patience: float = 10.0,
    lease: int = 10,
) -> EtcdSettings:
    """Return checked settings.

    Args:
      endpoints: URLs of members of one etcd, ``http://HOST:PORT`` or ``https://HOST:PORT``; 2379 is the port if none is
        given.
      ca: a file of certificates; only servers with a certificate of these are trusted.
      cert: a file with the certificate of this client.
      key: a file with its key.
      user: a user of etcd.
      password: its password.
      prefix: what every key begins with.
      patience: seconds for all tries of a request.
      lease: seconds after which the locks of a killed process are free.

    Raises:
      UsageError: if a value is wrong, or a file cannot be read.
    """
    urls = tuple(dict.fromkeys(map(_endpoint, endpoints)))
    if not urls:
        raise UsageError("etcd has no endpoint; name one, as http://127.0.0.1:2379")
    if bool(cert) != bool(key):
        raise UsageError("etcd: a certificate needs its key, and a key its certificate")
    if (ca or cert) and not all(url.startswith("https:") for url in urls):
        raise UsageError("etcd: certificates need endpoints with https")
    if password and not user:
        raise UsageError("etcd: a password needs a user")
    if not _PREFIX.fullmatch(prefix):
        raise UsageError(f"etcd: prefix {printable(prefix)[:80]!r} must be plain names, as /netlab/ or /team/labs/")
    for file in filter(None, (ca, cert, key)):
        try:
            with open(file, "rb") as opened:
                opened.read(1)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise UsageError(f"etcd: cannot read {printable(file)}: {why}") from error
    return EtcdSettings(urls, ca, cert, key, user, password, prefix, patience=patience, lease=lease)


def _endpoint(url: str) -> str:
    """Return a checked URL; a message never repeats a password."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname or "", parts.port or _PORT
    except ValueError:
        raise UsageError("etcd: an endpoint is no URL; it must be as http://127.0.0.1:2379") from None
    if "@" in parts.netloc:
        raise UsageError("etcd: an endpoint has a user; give user and password by their options")
    # ``urlsplit`` drops line breaks.
    wrong = parts.scheme not in ("http", "https") or not url.isprintable()
    if wrong or not _HOST.fullmatch(host) or parts.path.strip("/") or parts.query:
        raise UsageError(f"etcd: endpoint {printable(url)[:120]!r} must be as http://127.0.0.1:2379")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
