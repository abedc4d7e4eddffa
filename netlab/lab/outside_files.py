"""Files of a lab outside of its folder, such as a kubeconfig: removed with the lab, unless a user changed them.

The lab's folder has their paths and checksums, written before the files. So a killed command leaves no file that
``down`` does not know.
"""

from __future__ import annotations

import contextlib
import json
from hashlib import sha256

from netlab.errors import HostError, NetlabError
from netlab.kernel import output
from netlab.kernel.machine import Machine, Unsafe
from netlab.lab import notices

LIST = "outside-files.json"
"""The name of the list in the lab's folder."""
_MOST = 1 << 20
# The newest files that a lab remembers.
_MOST_FILES = 20


def write(machine: Machine, lab: str, path: str, text: str) -> None:
    """Write a private file that is removed with the lab. The caller holds the lab's lock.

    Raises:
      UsageError, HostError: as ``output.write``.
    """
    if not output.is_open(path):
        known = {**_known(machine, lab), path: sha256(text.encode()).hexdigest()}
        file = machine.store.folder(lab) / LIST
        try:
            machine.store.write(file, json.dumps(dict(list(known.items())[-_MOST_FILES:])).encode())
        except OSError as error:
            raise HostError(f"cannot write {file}: {error.strerror}") from error
    output.write(path, [text], private=True)


def remove(machine: Machine, lab: str) -> None:
    """Remove the files that are as netlab wrote them. What cannot be removed is said, and is no error."""
    for path, checksum in _known(machine, lab).items():
        try:
            if output.remove(path, checksum) == "changed":
                notices.notice(f"{path} was changed after netlab wrote it, so it stays")
        except NetlabError as error:
            notices.notice(f"warning: {error}")


def _known(machine: Machine, lab: str) -> dict[str, str]:
    """Return the checksums of the files by their paths; a list that cannot be read is empty."""
    with contextlib.suppress(OSError, Unsafe, ValueError):
        found = json.loads(machine.store.read(machine.store.folder(lab) / LIST, _MOST))
        if isinstance(found, dict):
            return {str(path): str(checksum) for path, checksum in found.items()}
    return {}
