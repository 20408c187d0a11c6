"""Paths that are only guessed: whether the tenant serves them at all.

A guessed path that answers 404 to enough different parents, and 200 to none, is one that the tenant does not serve:
it is left alone until a deep run looks again. Does not belong here: asking (forms.py), remembering (fan_out.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.contract import Endpoint

PROBED_PARENTS = 100
"""Parents, spread by the hash of their ids, that must all answer 404 before a path counts as not served."""

ENOUGH_PARENTS = 10
"""Parents that must have answered 404 for that to be remembered, where there are not as many as PROBED_PARENTS."""


@dataclass(slots=True)
class Probe:
    """What is known of one path. was_served: by earlier runs, None: never found out. hits, misses: of this run."""

    endpoint: Endpoint
    was_served: bool | None
    hits: int = 0
    misses: int = 0

    def answered(self, *, is_none: bool) -> None:
        """A parent was asked."""
        if is_none:
            self.misses += 1
        else:
            self.hits += 1

    @property
    def is_served(self) -> bool | None:
        """True, False, or None while it is not known."""
        if self.hits or not self.endpoint.is_inferred:
            return True
        if self.was_served:
            return True
        return False if self.misses >= PROBED_PARENTS else self.was_served

    @property
    def news(self) -> bool | None:
        """What this run found out that was not known before; None: nothing."""
        if not self.endpoint.is_inferred:
            return None
        if self.hits:
            return None if self.was_served else True
        return False if self.misses >= ENOUGH_PARENTS and not self.was_served else None
