"""IgnoredKind: netlab's own kind, for what ``--ignore`` names."""

from __future__ import annotations

from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.meta import IGNORED_KIND
from netlab.objects.unread import IgnoredKind, ignored_kind

KIND = Kind(IGNORED_KIND, NETLAB_VERSION, IgnoredKind, ignored_kind, namespaced=False, written=False)
