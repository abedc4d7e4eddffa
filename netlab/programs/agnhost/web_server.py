"""``agnhost test-webserver``: it serves the files that its process can read."""

from __future__ import annotations

import html
import mimetypes
import os
import posixpath
import signal
import stat
from collections.abc import Sequence
from urllib.parse import quote

from netlab.programs.agnhost import flags, http
from netlab.programs.agnhost.sockets import at_end, end, fatal, in_thread, listen, why

FLAGS = {"port": 80}
_MOST = 64 << 20
_BY_SIGNAL = 2
_HEADERS = {
    "Cache-Control": "private",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": (
        "DNT,X-Mx-ReqToken,Keep-Alive,User-Agent,X-Requested-With,Cache-Control,Content-Type"
    ),
}


def main(words: Sequence[str]) -> int:
    """Serve until a signal ends it."""
    found, _ = flags.parse(words, FLAGS)
    at_end(lambda: end(_BY_SIGNAL))
    try:
        listener = listen("tcp", found["port"])
    except (OSError, OverflowError) as error:
        fatal(f"listen tcp :{found['port']}: bind: {why(error)}")
    in_thread(http.serve, listener, answer)
    while True:
        signal.pause()


def answer(request: http.Request) -> http.Answer:
    """Return a file, or the list of a folder."""
    path = posixpath.normpath(f"/{request.path}")
    try:
        if os.path.isdir(path):
            if not request.path.endswith("/"):
                return http.Answer(status=301, headers={**_HEADERS, "Location": f"{posixpath.basename(path)}/"})
            index = os.path.join(path, "index.html")
            return _file(index) if os.path.isfile(index) else _folder(path)
        return _file(path)
    except PermissionError:
        return http.error("403 Forbidden", 403)
    except (OSError, ValueError):
        return http.error("404 page not found", 404)


def _file(path: str) -> http.Answer:
    # A FIFO would stop the thread, and a device has no end.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FileNotFoundError
        data = file.read(_MOST)
    kind, _ = mimetypes.guess_type(path)
    known = kind or ("application/octet-stream" if b"\0" in data[:512] else http.TEXT)
    known = f"{known}; charset=utf-8" if known.startswith("text/") and "charset" not in known else known
    return http.Answer(data, kind=known, headers=_HEADERS)


def _folder(path: str) -> http.Answer:
    # As in dirList of Go's net/http, a link to a folder is listed as a file, so a link to itself is listed too.
    names = sorted(f"{one.name}/" if one.is_dir(follow_symlinks=False) else one.name for one in os.scandir(path))
    lines = "".join(f'<a href="{quote(os.fsencode(name))}">{html.escape(name)}</a>\n' for name in names)
    page = f'<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n{lines}</pre>\n'
    return http.Answer(page.encode(errors="replace"), kind=http.HTML, headers=_HEADERS)
