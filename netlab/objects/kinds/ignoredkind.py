"""IgnoredKind: netlab's own kind, which stores the names given with ``--ignore``."""

from __future__ import annotations

from netlab.objects.ignored import IgnoredKind, ignored_kind
from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.meta import IGNORED_KIND

KIND = Kind(IGNORED_KIND, NETLAB_VERSION, IgnoredKind, ignored_kind, namespaced=False, written=False)
