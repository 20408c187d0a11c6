"""Chance without chance: choices that depend on a seed and on what they are for, and on nothing else.

So a thing keeps its name, car and tariff whatever else is added to the world, on every machine, for ever.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

NAMESPACE = uuid.UUID("6b0d7c1e-35a6-5f0c-9a54-6a4f0f6f2c11")

T = TypeVar("T")


def stable_id(kind: str, name: object) -> str:
    """The UUID of a thing; the same under every seed and anchor."""
    return str(uuid.uuid5(NAMESPACE, f"{kind}/{name}"))


def version_of(id_: str, version: int) -> str:
    """What the draws of a version of a thing are for; version 0 is the one that a world is built with."""
    return f"{id_}/{version}" if version else id_


@dataclass(frozen=True, slots=True)
class Draw:
    """A seed from which everything about one subject is drawn."""

    seed: int

    def fraction(self, *what: object) -> float:
        """A number in [0, 1) for this question."""
        return self._number(what) / (1 << 56)

    def apart(self, *what: object) -> Draw:
        """Draws for a subject of its own."""
        return Draw(self._number(what))

    def _number(self, what: tuple[object, ...]) -> int:
        digest = hashlib.blake2b("/".join(map(str, (self.seed, *what))).encode(), digest_size=7).digest()
        return int.from_bytes(digest, "big")

    def whole(self, below: int, *what: object) -> int:
        """A whole number in [0, below)."""
        return int(self.fraction(*what) * below)

    def one_of(self, choices: Sequence[T], *what: object) -> T:
        return choices[self.whole(len(choices), *what)]

    def chance(self, probability: float, *what: object) -> bool:
        return self.fraction(*what) < probability

    def between(self, lower_ms: int, upper_ms: int, *what: object) -> int:
        """A moment in [lower, upper)."""
        return lower_ms + self.whole(max(upper_ms - lower_ms, 1), *what)
