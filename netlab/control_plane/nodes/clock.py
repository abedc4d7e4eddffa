"""Times as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """Return the present time to the second (``metav1.Time``)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now_exactly() -> str:
    """Return the present time with microseconds (``metav1.MicroTime``)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
