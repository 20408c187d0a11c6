"""What an answer means: pure functions from status, headers and bytes to data, a fault, or an error.

Does not belong here: fetching (transport.py) and what happens next (client.py, tokens.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import msgspec

from pipelines.client.faults import Fault
from pipelines.client.pace import SHRINK_ON_429, SHRINK_ON_504
from pipelines.client.transport import Reply
from pipelines.errors import UnexpectedAnswer

MAX_PAUSE_SECONDS = 300.0
"""The longest that a Retry-After is obeyed; a night must not end because a header says "in a year"."""

LONGEST_QUOTE = 200
"""Characters of a server's own words that an error may hold."""

_STATUS_SHRINK = {429: SHRINK_ON_429, 504: SHRINK_ON_504}
_PLAIN_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_BEARER = re.compile(r"(bearer)\s+\S+", re.IGNORECASE)
_MAIL_ADDRESS = re.compile(r"\S+@\S+")
_ERROR_CODE = re.compile(r"[a-z_]{1,40}", re.ASCII)


Leniently = Callable[[bytes], Any]
"""Reads a whole body that is not strict JSON; raises ValueError where it cannot."""


def not_at_all(body: bytes) -> Any:
    """The reader that makes no exception."""
    raise ValueError(f"{len(body)} bytes that are no JSON")


def fault_of_status(reply: Reply, now: datetime) -> Fault | None:
    """The fault that 429 and every 5xx are; None for any other status."""
    if reply.status != 429 and reply.status < 500:
        return None
    text = f"HTTP {reply.status}"
    pause = pause_seconds(reply.retry_after, http_date(reply.date) or now)
    if pause is not None:
        text += f" with the wish to wait {pause:g} s"
    return Fault(text, shrink=_STATUS_SHRINK.get(reply.status), pause_seconds=pause)


def pause_seconds(retry_after: str, now: datetime) -> float | None:
    """What a Retry-After header asks for, in seconds or as an HTTP date, at most MAX_PAUSE_SECONDS.

    now: the answer's own `Date` where it has one, so that a skewed local clock changes nothing.
    None where there is no header or it cannot be read.
    """
    text = retry_after.strip()
    if _PLAIN_SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        until = http_date(text)
        if until is None:
            return None
        seconds = (until - now).total_seconds()
    return min(max(seconds, 0.0), MAX_PAUSE_SECONDS)


@lru_cache(maxsize=64)
def http_date(text: str) -> datetime | None:
    """An HTTP date as UTC, None where there is none that can be read."""
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_web_page(reply: Reply) -> bool:
    """Somebody else answers here: the API never sends HTML."""
    return "html" in reply.content_type.lower() or reply.body[:64].lstrip().startswith(b"<")


def decode(reply: Reply, leniently: Leniently) -> Any:
    """The JSON of a 200. Raises Fault where it is broken, cut short, missing, or a web page.

    leniently: a second reader for a body that a strict one refuses for the sake of one item.
    """
    problem: str
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return leniently(reply.body)
        except ValueError:
            problem = "broken or cut-short JSON" if reply.body else "an empty body"
    if is_web_page(reply):
        raise Fault(f"HTTP {reply.status} with a web page where JSON was expected", not_the_api=True)
    raise Fault(f"HTTP {reply.status} with {problem}")


def decode_if_json(body: bytes) -> Any:
    """The JSON of an answer that need not have any; None where it has none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def redirect_target(location: str) -> str:
    """The host a redirect points at, and nothing else of it."""
    try:
        host = urlsplit(location).hostname
    except ValueError:
        return "an unreadable address"
    return tidy(host) if host else "the same host"


def problem_text(body: bytes, secrets: Iterable[str]) -> str:
    """Title and detail of an RFC 7807 body, as one short line; empty where there are none.

    Secrets, e-mail addresses and control characters are taken out: a server may echo what it was sent.
    """
    problem = decode_if_json(body)
    if not isinstance(problem, dict):
        return ""
    words = [problem.get("title"), problem.get("detail")]
    return tidy(hide(": ".join(word for word in words if isinstance(word, str) and word), secrets))


def oauth_error(body: bytes) -> str:
    """The error code of a token endpoint (RFC 6749, 5.2), empty where there is none. Never its free text."""
    problem = decode_if_json(body)
    code = problem.get("error") if isinstance(problem, dict) else None
    return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, in whatever spelling a form or URL gives them, bearer tokens and e-mails."""
    for secret in secrets:
        for spelling in (secret, quote(secret, safe=""), quote_plus(secret)):
            text = text.replace(spelling, "***")
    return _BEARER.sub(r"\1 ***", _MAIL_ADDRESS.sub("***", text))


def tidy(text: str) -> str:
    """One printable line of at most LONGEST_QUOTE characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[:4096]).split())
    return line if len(line) <= LONGEST_QUOTE else line[: LONGEST_QUOTE - 1] + "…"


def unexpected(what: str, reply: Reply, said: str, hint: str) -> UnexpectedAnswer:
    """The error for a status that the contract does not allow here.

    what: the request, for example "GET /sessions".
    said: the server's own words, made harmless (problem_text, oauth_error).
    hint: what to check, for example the setting of the address.
    """
    if 300 <= reply.status < 400:
        return UnexpectedAnswer(
            f"{what}: HTTP {reply.status}, a redirect to {redirect_target(reply.location)}. "
            f"Redirects are never followed, since credentials would travel along. {hint}"
        )
    if is_web_page(reply):
        return UnexpectedAnswer(f"{what}: HTTP {reply.status} with a web page where JSON was expected. {hint}")
    quoted = f" ({said})" if said else ""
    return UnexpectedAnswer(f"{what}: HTTP {reply.status}{quoted} where the contract has 200. {hint}")
