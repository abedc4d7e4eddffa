"""What the process of ``kube_process`` does: it becomes the user, reads the kubeconfig, and answers questions."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import warnings
from typing import Any, NoReturn

from netlab.kernel import libc, signals, sudo_user
from netlab.kernel.descriptors import close_all_but


def run(context: str, user: sudo_user.User | None, questions: int, answers: int, events: int) -> NoReturn:
    """Answer questions until there is no one to ask them; the last three are descriptors, ``events`` is -1 for none."""
    try:
        os.setsid()
        signals.reset()
        # OpenSSL writes to a connection that the server may have closed.
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        _keep(questions, answers, events)
        # The package may be where only root reads. No file that the user names is read yet.
        try:
            from netlab.kernel.kube_library import Library, LibraryError
        except ImportError:
            _send(answers, {"error": "missing"})
            os._exit(0)
        if user is not None:
            os.environ.update(user.environment)
            os.chdir("/")
            sudo_user.become(user)
        # A connection that the kubeconfig wants unverified is its user's choice.
        warnings.simplefilter("ignore")
        # After the change of user, as that resets it.
        libc.end_with_parent()
        os.umask(0o077)
        try:
            library = Library(context or None)
        except LibraryError as error:
            _send(answers, {"error": error.kind, "message": str(error), "names": error.names})
            os._exit(0)
        _send(answers, {"context": library.context, "namespace": library.namespace, "server": library.server})
        get, streams = library.get, None
        if events >= 0:
            from netlab.kernel.kube_streams import Connection, Streams

            connection = Connection(library, lambda: Library(library.context))
            get, streams = connection.get, Streams(connection, events)
        with open(questions, "rb") as lines:
            for line in lines:
                question = json.loads(line)
                if streams is not None and "watch" in question:
                    streams.start(question["watch"], question["path"])
                    continue
                if streams is not None and "end" in question:
                    streams.end(question["end"])
                    continue
                try:
                    status, retry_after, body = get(question["path"], question["accept"], question["most"])
                except LibraryError as error:
                    _send(answers, {"number": question["number"], "error": error.kind, "message": str(error)})
                    continue
                head = {"number": question["number"], "status": status, "retry_after": retry_after}
                _send(answers, {**head, "size": len(body)}, body)
    except BaseException as error:
        with contextlib.suppress(OSError):
            _send(answers, {"error": "process", "message": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(0)


def _send(to: int, head: dict[str, Any], body: bytes = b"") -> None:
    text = memoryview(json.dumps(head).encode() + b"\n" + body)
    while text:
        text = text[os.write(to, text) :]


def _keep(*kept: int) -> None:
    """Close all descriptors but some. Standard input and both outputs are empty: a plugin has no terminal."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    close_all_but(kept)
