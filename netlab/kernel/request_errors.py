"""Why a request over HTTP failed, in one line; urllib3 has the reason somewhere in a chain of errors."""

from __future__ import annotations

import ssl

import urllib3

MOST_MESSAGE = 500


def why(error: BaseException, connect_seconds: float, read_seconds: float) -> str:
    """Return the cause of a failed request in one line; the two limits are those of the request."""
    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        error = error.reason
    if isinstance(error, urllib3.exceptions.ProxyError):
        return f"the proxy does not connect: {one_line(error.original_error)}"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message or one_line(cause)}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or one_line(cause)}"
        cause = cause.__cause__ or cause.__context__ or next((a for a in cause.args if isinstance(a, Exception)), None)
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return f"the connection broke: {one_line(error.args[-1] if error.args else error)}"
    # It is a ConnectTimeoutError too, and a name that is not known is one.
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "its name is not known"
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return one_line(error).rpartition(": ")[2].rpartition("] ")[2]
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return f"no connection in {connect_seconds:g} seconds"
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return f"no answer in {read_seconds:g} seconds"
    return one_line(error)


def one_line(error: object) -> str:
    """Return the text of an error in one line of at most ``MOST_MESSAGE`` characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= MOST_MESSAGE else f"{text[:MOST_MESSAGE]}…"
