"""What can go wrong with one try, inside the client. Outside of it only pipelines.errors are seen.

Does not belong here: how a fault is recognised (transport.py, judge.py) and what follows (retrying.py).
"""

from __future__ import annotations


class Fault(Exception):
    """One try failed in a way that another try may mend. Its text completes "the last try met: ...".

    unreachable: there was no HTTP answer, because there was no connection.
    not_the_api: something answered that is not the API (a web page).
    shrink: factor for the shared pace, None when the fault says nothing about load.
    pause_seconds: what Retry-After asked for.
    """

    def __init__(
        self,
        text: str,
        *,
        unreachable: bool = False,
        not_the_api: bool = False,
        shrink: float | None = None,
        pause_seconds: float | None = None,
    ) -> None:
        super().__init__(text)
        self.unreachable = unreachable
        self.not_the_api = not_the_api
        self.shrink = shrink
        self.pause_seconds = pause_seconds


class TooLarge(Exception):
    """The body is larger than the configured bound."""
