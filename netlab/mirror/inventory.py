"""What is known of a cluster: its lists, each followed by a watch. It answers as the API server does, at once.

A list is asked for, and its watch begins, when a reading first needs it. One that no reading needs is dropped.

- A watch that ends goes on from the last resourceVersion; bookmarks keep it recent. After 410 Gone netlab asks for the
  list again, and what differs is the change.
- While the server does not answer, what was known stays. One list at a time is tried, so that a server that comes back
  does not get all requests at once.
- A kind that may be listed and not watched is listed every ``POLL_SECONDS``. So are lists beyond ``MOST_WATCHES``.
- A list that alone cannot be read keeps its objects too. After ``FORGIVING_SECONDS`` a line says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from netlab.errors import HostError
from netlab.kernel.kube_process import KubeProcess
from netlab.kernel.kube_streams import Frame
from netlab.mirror.followed import FIRST_WAIT, BrokenWatchError, Followed
from netlab.mirror.singles import SingleKey, Singles
from netlab.objects.bounds import Budget, TooLargeError
from netlab.objects.types import Document, Source
from netlab.quantity import quantity
from netlab.sources.cluster_api import Api, NotListedError, OddAnswerError
from netlab.sources.cluster_kinds import Resource

POLL_SECONDS = 30.0
"""How often that is asked for again which no watch tells."""
FORGIVING_SECONDS = 60.0
"""How long a list may be forbidden, or a kind be missing, before it counts.

A server that starts forbids for a moment what it will allow, and does not serve all of its kinds yet.
"""
MOST_WATCHES = 256
MOST_MEMORY = 2_000_000_000
"""How many bytes the objects of a cluster may take; 2,000 pods take some 20 million."""
# The server ends a watch after that time; every watch is authorized again when it begins.
_WATCH_SECONDS = 290
_LONGEST_WAIT = 10.0
# A watch that fails that often one after the other begins with a list again: its resourceVersion may be of no use.
_MOST_FAILURES = 5
_NOT_FOUND, _FORBIDDEN, _GONE, _UNAUTHORIZED = 404, 403, 410, 401


class Inventory:
    """The objects of a cluster, for ``Reading`` in place of ``Api``.

    ``changed`` is the time of the first change since the last reading began, None if there is none. ``say`` prints a
    line, as when the server does not answer.
    """

    def __init__(self, process: KubeProcess, name: str, say: Callable[[str], None]) -> None:
        self.changed: float | None = None
        self._process = process
        self._name = name
        self._say = say
        self._kinds: list[Resource] = []
        self._kinds_due = 0.0
        self._kinds_missing_since: float | None = None
        self._lists: dict[tuple[Resource, str], Followed] = {}
        self._watches: dict[int, Followed] = {}
        self._last_watch = 0
        self._singles = Singles(self._api)
        self._needed: set[tuple[object, ...]] = set()
        self._down_since: float | None = None
        self._up_since = 0.0
        self._retry = 0.0

    # --- what a reading asks ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a reading of the inventory."""
        self._needed = set()
        self.changed = None

    def finish(self) -> None:
        """End a reading. What it did not need is dropped. Raises HostError if the rest takes too much memory."""
        self._lists = {key: one for key, one in self._lists.items() if key in self._needed}
        kept = {id(one) for one in self._lists.values()}
        for number in [number for number, one in self._watches.items() if id(one) not in kept]:
            self._process.end_watch(number)
            del self._watches[number]
        self._singles.keep(self._needed)
        if self._memory() > MOST_MEMORY:
            raise HostError(f"{self._name}: its objects take too much memory", "mirror single namespaces with -n")

    def kinds(self) -> Sequence[Resource]:
        """Return the kinds that the server serves; raises HostError."""
        if not self._kinds:
            self._kinds = self._api().kinds()
            self._kinds_due = time.monotonic() + POLL_SECONDS
        return self._kinds

    def items(self, resource: Resource, namespace: str = "") -> Sequence[Document]:
        """Return the objects of a kind, of one namespace or of all.

        Raises:
          NotListedError: if the server does not list them.
          HostError: if they are asked for the first time, and the server does not answer.
        """
        key = resource, namespace
        self._needed.add(key)
        found = self._lists.get(key)
        if found is None:
            found = Followed(resource, namespace, Source(self._name))
            self._list(found)
            self._lists[key] = found
        if found.refused is not None:
            raise found.refused
        return found.documents

    def one(self, resource: Resource, namespace: str, name: str) -> Document | None:
        """Return an object, None if there is none; raises what ``items`` does."""
        key = SingleKey(resource, namespace, name)
        self._needed.add(key)
        return self._singles.get(key, time.monotonic() + POLL_SECONDS)

    # --- what comes ---------------------------------------------------------------------------------------------

    def take(self, frame: Frame) -> None:
        """Take what happened to a watch."""
        found = self._watches.get(frame.watch)
        if found is None:
            return
        if frame.event == "open":
            found.opened = time.monotonic()
            found.worked = True
            self._fresh(found)
            if self._down_since is None or found.began > self._down_since:
                self._up()
            else:
                # This attempt began before the server went away, and its answer may be old: ask the server soon.
                self._ask_soon()
        elif frame.event == "line":
            try:
                self._note(found.take(frame.body))
            except BrokenWatchError as broken:
                self._process.end_watch(frame.watch)
                self._stop(found)
                found.version = "" if broken.gone else found.version
                found.again(_LONGEST_WAIT)
            else:
                self._bound(found)
        elif frame.event == "refused":
            self._refused(found, frame)
        else:
            self._ended(found, frame.message)

    def tick(self) -> None:
        """Ask for what is due."""
        now = time.monotonic()
        if self._down_since is not None and now < self._retry:
            return
        due = [one for one in self._lists.values() if not one.watch and one.due <= now]
        # The first one tells whether the server is back.
        for found in due[:1] if self._down_since is not None else due:
            if found.failures >= _MOST_FAILURES:
                found.version = ""
            if not found.version:
                self._try(lambda one=found: self._note(self._list(one)), found)  # type: ignore[misc]
            elif len(self._watches) < MOST_WATCHES:
                self._watch(found)
            else:
                found.version = ""
                found.due = now + POLL_SECONDS
        # If each list has a watch that began before the server went away, the kinds tell whether it is back.
        if now >= self._kinds_due if self._down_since is None else all(one.watch for one in self._lists.values()):
            self._try(self._ask_kinds)
        if self._down_since is None:
            for key in self._singles.due(now):
                self._try(lambda of=key: self._note(self._singles.ask(of, now + POLL_SECONDS)))  # type: ignore[misc]

    def seconds(self) -> float:
        """Return the time until ``tick`` has something to do."""
        dues = [one.due for one in self._lists.values() if not one.watch]
        if self._down_since is not None:
            dues = [max(self._retry, min(dues, default=0.0))]
        dues += [self._kinds_due, *self._singles.times()] if self._down_since is None else []
        return max(0.0, min(dues, default=POLL_SECONDS) - time.monotonic())

    # --- lists and watches --------------------------------------------------------------------------------------

    def _api(self) -> Api:
        return Api(self._process, Budget(), self._name)

    def _list(self, found: Followed) -> bool:
        """Ask for a list, and return whether it changed; raises HostError."""
        try:
            listing = self._api().listing(found.resource, found.namespace)
        except TooLargeError as error:
            return self._not_listed(found, NotListedError(str(error), forbidden=False))
        except NotListedError as error:
            return self._not_listed(found, error)
        self._up()
        self._fresh(found)
        # Without a version there is no such kind or namespace.
        found.due = 0.0 if listing.version else time.monotonic() + POLL_SECONDS
        return found.list_is(listing)

    def _not_listed(self, found: Followed, error: NotListedError) -> bool:
        now = time.monotonic()
        had = (found.resource, found.namespace) in self._lists and found.refused is None
        found.version, found.due = "", now + POLL_SECONDS
        if had and not error.forbidden:
            self._stale(found, str(error))
            return False
        if had:
            found.forbidden_since = found.forbidden_since or now
            if now - found.forbidden_since < FORGIVING_SECONDS:
                found.due = now + _LONGEST_WAIT / 2
                return False
        changed = str(found.refused) != str(error)
        found.refused = error
        return changed

    def _watch(self, found: Followed) -> None:
        self._last_watch += 1
        found.watch, found.began, found.opened = self._last_watch, time.monotonic(), 0.0
        self._watches[found.watch] = found
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": found.version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        self._process.watch(found.watch, f"{found.resource.path(found.namespace)}?{urlencode(query)}")

    def _bound(self, found: Followed) -> None:
        """End a watch whose objects come to take too much memory; a list is asked for later, which may be shorter."""
        if self._memory() > MOST_MEMORY:
            self._process.end_watch(found.watch)
            self._stop(found)
            found.version, found.due = "", time.monotonic() + _LONGEST_WAIT

    def _memory(self) -> int:
        return sum(one.size for one in self._lists.values())

    def _stop(self, found: Followed) -> None:
        self._watches.pop(found.watch, None)
        found.watch = 0

    def _refused(self, found: Followed, frame: Frame) -> None:
        self._stop(found)
        if frame.status == _GONE:
            found.version = ""
            found.wait(_LONGEST_WAIT)
        elif frame.status in (_FORBIDDEN, _NOT_FOUND):
            # It may be listed all the same. After a watch that worked, what changed is asked for soon.
            wait, found.worked = FIRST_WAIT if found.worked else POLL_SECONDS, False
            found.version, found.due = "", time.monotonic() + wait
        else:
            if frame.status == _UNAUTHORIZED:
                self._down("the credentials are not accepted")
            elif not any(one.opened for one in self._watches.values()):
                # The server of one API may be down alone.
                self._down(f"status {frame.status}")
            self._stale(found, f"status {frame.status}")
            found.wait(_LONGEST_WAIT)

    def _ended(self, found: Followed, message: str) -> None:
        self._stop(found)
        if not found.opened:
            # An attempt of before the server was back says nothing about now.
            if found.began > self._up_since:
                self._down(message or "it ends connections")
            found.wait(_LONGEST_WAIT)
        else:
            found.again(_LONGEST_WAIT)

    def _stale(self, found: Followed, why: str) -> None:
        if self._down_since is None and found.is_stale(FORGIVING_SECONDS):
            where = f" in {found.namespace}" if found.namespace else ""
            self._say(f"{self._name}: {found.resource.name}{where} cannot be read ({why}); the lab keeps those it has")

    def _fresh(self, found: Followed) -> None:
        if found.is_fresh():
            self._say(f"{self._name}: {found.resource.name} can be read again")

    # --- the rest -----------------------------------------------------------------------------------------------

    def _ask_kinds(self) -> None:
        now = time.monotonic()
        self._kinds_due = now + POLL_SECONDS
        found = self._api().kinds()
        self._up()
        there = {(one.version, one.plural) for one in found}
        missing = [one for one in self._kinds if (one.version, one.plural) not in there]
        if missing:
            self._kinds_missing_since = self._kinds_missing_since or now
            if now - self._kinds_missing_since < FORGIVING_SECONDS:
                self._kinds_due = now + _LONGEST_WAIT
                found += missing
        else:
            self._kinds_missing_since = None
        self._note(found != self._kinds)
        self._kinds = found

    def _note(self, changed: bool) -> None:
        if changed and self.changed is None:
            self.changed = time.monotonic()

    def _try(self, ask: Callable[[], object], found: Followed | None = None) -> None:
        try:
            ask()
            return
        except HostError as error:
            why, alone = error.what.removeprefix(f"{self._process.server}: "), isinstance(error, OddAnswerError)
        except TooLargeError as error:
            why, alone = str(error), True
        # What else the server answers may be right.
        answers = self._down_since is None and any(one.opened for one in self._watches.values())
        if not (answers and (alone or found is None)):
            self._down(why)
        elif found is not None:
            self._stale(found, why)
        if found is not None:
            found.wait(_LONGEST_WAIT)

    def _down(self, why: str) -> None:
        self._retry = time.monotonic() + (FIRST_WAIT if self._down_since is None else 1.0)
        if self._down_since is None:
            self._down_since = time.monotonic()
            self._say(f"{self._name}: the API server does not answer ({why}); the lab stays as it is until it does")

    def _up(self) -> None:
        if self._down_since is not None:
            seconds = round(time.monotonic() - self._down_since)
            self._down_since, self._up_since = None, time.monotonic()
            self._ask_soon()
            self._say(f"{self._name}: the API server answers again, after {quantity(seconds, 'second')}")

    def _ask_soon(self) -> None:
        for found in self._lists.values():
            found.due = min(found.due, time.monotonic() + FIRST_WAIT)
