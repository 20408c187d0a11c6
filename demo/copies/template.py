"""A row of the original, taken apart so that the copies' rows are put together quickly.

Does not belong here: what is told otherwise of a copy (copy.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from demo.copies.copy import HOUR, ID, SHARED_IDS, Copy, hour_number, hour_text, id_number, id_text


@dataclass(frozen=True, slots=True)
class Template:
    """body: with places for the row's own id, what follows up to the last id, and each hour after it."""

    body: bytes
    own_id: int
    head: bytes
    hours: tuple[int, ...]

    def row_of(self, copy: Copy) -> bytes:
        """The row's body as it is told of a copy."""
        early = copy.hours_early
        hours = [hour_text(hour - early) for hour in self.hours]
        return self.body % (id_text(self.own_id ^ copy.mask), copy.told_head(self.head), *hours)


def template_of(id_: str, body: bytes) -> Template:
    """Take apart the body of the row with this id."""
    own = id_.encode()
    head_start = body.index(own) + len(own)
    ids = [match.end() for match in ID.finditer(body) if match.group() not in SHARED_IDS]
    head_end = max(ids)
    parts = HOUR.split(body[head_end:])
    literals = [part.replace(b"%", b"%%") for part in (body[: head_start - len(own)], *parts[::2])]
    return Template(
        literals[0] + b"%b%b" + b"%b".join(literals[1:]),
        id_number(own),
        body[head_start:head_end],
        tuple(map(hour_number, parts[1::2])),
    )
