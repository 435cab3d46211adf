"""One question to a web server: the answer, or in words why there is none."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import email.utils
import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator

# Too many requests, and what servers answer when they are overloaded or restarted.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_PIECE = 2**20
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_MEANING = {
    401: "the server wants a password",
    403: "the server refuses it (S3 answers so for files that are not there, too)",
    404: "the server has no such file",
    410: "the server has it no more",
}


class RefusedError(OSError):
    """There is no use in asking again."""


class GivenUpError(RefusedError):
    """Asking again might have helped, and did not for as often as it was tried."""


class UnansweredError(OSError):
    """Asking again may help.

    Attributes:
        wait_s: how long the server asks to be left alone; None where it says nothing.
    """

    def __init__(self, reason: str, wait_s: float | None = None):
        super().__init__(reason)
        self.wait_s = wait_s


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """What a server sends.

    Attributes:
        start: the byte of the file that the body begins with; None where the server has nothing
            from the byte that was asked for (416).
        total: bytes of the whole file as announced; None where the server does not say.
        proves_its_end: whether a body that breaks off can be told from one that ends.
        validator: tells one version of the file from another (a strong ETag, else the time it
            was changed last); None where the server gives none.
        url: what was asked for.
    """

    start: int | None
    total: int | None
    proves_its_end: bool
    validator: str | None
    url: str
    _silence_s: float
    _body: http.client.HTTPResponse | None

    def read(self) -> bytes:
        """What has come next, at most 1 MiB; nothing at the end, or where the body broke off.

        Raises:
            UnansweredError: the connection was lost, or nothing came for too long.
        """
        if self._body is None:
            return b""
        with _network_errors(self.url, self._silence_s):
            return self._body.read1(_PIECE)


@contextlib.contextmanager
def asking(
    url: str,
    *,
    silence_s: float,
    offset: int = 0,
    validator: str | None = None,
    method: str = "GET",
) -> Iterator[Answer]:
    """Asks for a file from byte `offset` on, of the version `validator` where that is known.

    Args:
        url: http or https.
        silence_s: how long a connection may give nothing, in seconds.
        offset: bytes that are there already.
        validator: as an earlier answer had it; the server then sends a changed file from its start.
        method: "GET" or "HEAD".

    Raises:
        RefusedError: the answer will not change: no such file, no permission, a bad certificate.
        UnansweredError: no connection, a busy server, a time-out.
    """
    request = urllib.request.Request(url, method=method)
    request.add_header("User-Agent", "landmarks-tf")
    request.add_header("Accept-Encoding", "identity")  # a range of compressed bytes is of no use
    if offset:
        request.add_header("Range", f"bytes={offset}-")
        if validator is not None:
            request.add_header("If-Range", validator)
    try:
        with _network_errors(url, silence_s):
            response = urllib.request.urlopen(request, timeout=silence_s)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 416:
                raise _of_status(error, url) from None
            total, validator = _content_range(error)[1], _validator(error)
        yield Answer(None, total, True, validator, url, silence_s, None)
        return
    with response:
        yield _answer(response, url, silence_s)


def _answer(response: http.client.HTTPResponse, url: str, silence_s: float) -> Answer:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() not in ("identity", ""):
        raise RefusedError(f"{url} is sent {encoding}-encoded: expected the file as it is")
    length = response.headers.get("Content-Length", "")
    total = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
    start = 0
    if response.status == 206:
        start, total = _content_range(response)
        if start is None:
            raise UnansweredError(f"{url}: a part of the file that does not say which one")
    proves_its_end = total is not None or bool(response.chunked)
    return Answer(start, total, proves_its_end, _validator(response), url, silence_s, response)


@contextlib.contextmanager
def _network_errors(url: str, silence_s: float) -> Iterator[None]:
    try:
        yield
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise RefusedError(f"{url}: {cause.verify_message or cause}") from error
        raise UnansweredError(f"{url}: {_words(cause, silence_s)}") from error


def _words(error: object, silence_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer for {silence_s:g} s"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was cut"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _of_status(error: urllib.error.HTTPError, url: str) -> OSError:
    if error.code in _PASSING:
        wait_s = _seconds(error.headers.get("Retry-After"))
        return UnansweredError(f"{url}: the server is busy ({error.code})", wait_s)
    meaning = _MEANING.get(error.code, error.reason or "not what was asked for")
    if 300 <= error.code < 400:
        meaning = "the server sends us elsewhere, and never to the file"
    return RefusedError(f"{url}: {meaning} ({error.code})")


def _seconds(text: str | None) -> float | None:
    """Retry-After, which is a number of seconds or a date."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        then = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=datetime.UTC)
    return max(0.0, (then - datetime.datetime.now(datetime.UTC)).total_seconds())


def _content_range(response) -> tuple[int | None, int | None]:
    """(first byte, bytes of the whole file) of Content-Range; None for what it does not say."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if not found:
        return None, None
    start, total = found.groups()
    return int(start) if start else None, int(total) if total != "*" else None


def _validator(response) -> str | None:
    tag = response.headers.get("ETag", "").strip()
    if tag.startswith('"'):  # W/"..." is weak: good for pages, not for bytes
        return tag
    return response.headers.get("Last-Modified")
