"""The ``openssl`` program: keys and certificates. Only this module knows its arguments.

It reads its own configuration, not the host's, so that certificates are the same everywhere. Source: openssl-req(1),
openssl-x509(1) and x509v3_config(5).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from netlab.errors import HostError
from netlab.kernel import sudo_user

_SYSTEM = "/usr/local/bin:/usr/bin:/bin"
_SECONDS = 60.0
# Days: a lab ends with the host's next boot.
_DAYS = "3650"
_CONFIG = "openssl.cnf"
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_TEXT = """\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
[end]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = {usage}
"""


def make_authority(folder: Path, name: str, common_name: str) -> None:
    """Make a certificate authority: ``NAME.crt`` and ``NAME.key`` of a private folder."""
    _write_config(folder, "clientAuth", ())
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    what = ("-x509", *_NEW_KEY, "-days", _DAYS, "-subj", f"/CN={common_name}", "-extensions", "authority")
    _run(folder, "req", *what, "-keyout", str(key), "-out", str(certificate))


def make_certificate(
    folder: Path, name: str, authority: str, common_name: str, group: str = "", names: Sequence[str] = ()
) -> None:
    """Make a certificate of an authority, with its key: of a client, and with ``names`` of a server too.

    Args:
      folder: the private folder.
      name: the name of the two files, without ``.crt`` and ``.key``.
      authority: the name of the authority's files.
      common_name: the user.
      group: the user's group.
      names: names (``DNS:localhost``) and addresses (``IP:127.0.0.1``) of the server.
    """
    _write_config(folder, "clientAuth, serverAuth" if names else "clientAuth", names)
    certificate, key, request = (folder / f"{name}.{end}" for end in ("crt", "key", "csr"))
    subject = f"/O={group}/CN={common_name}" if group else f"/CN={common_name}"
    _run(folder, "req", "-new", *_NEW_KEY, "-subj", subject, "-keyout", str(key), "-out", str(request))
    signed_by = ("-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-set_serial", f"0x{os.urandom(16).hex()}")
    extensions = ("-days", _DAYS, "-sha256", "-extfile", _CONFIG, "-extensions", "end")
    _run(folder, "x509", "-req", "-in", str(request), *signed_by, *extensions, "-out", str(certificate))
    request.unlink()


def make_key_pair(folder: Path, name: str) -> None:
    """Make a pair of keys: ``NAME.key`` and ``NAME.pub`` of a private folder."""
    key, public = folder / f"{name}.key", folder / f"{name}.pub"
    _run(folder, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key))
    _run(folder, "pkey", "-in", str(key), "-pubout", "-out", str(public))


def _write_config(folder: Path, usage: str, names: Sequence[str]) -> None:
    text = _TEXT.format(usage=usage)
    if names:
        text += f"subjectAltName = {', '.join(names)}\n"
    (folder / _CONFIG).write_text(text)


def _run(folder: Path, *words: str) -> None:
    """Run openssl in a folder; raises HostError."""
    path = _SYSTEM if sudo_user.elevated() else f"{os.environ.get('PATH', '')}:{_SYSTEM}"
    program = shutil.which("openssl", path=path)
    if program is None:
        raise HostError("no openssl program on this host", "install it, for example: sudo apt-get install openssl")
    environment = {"PATH": _SYSTEM, "LC_ALL": "C", "OPENSSL_CONF": str(folder / _CONFIG)}
    try:
        done = subprocess.run(
            [program, *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"cannot run {program}: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise HostError(f"openssl {words[0]}: {said[-1] if said else f'ended with {done.returncode}'}")
