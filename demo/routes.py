"""Which operation a path means.

Does not belong here: what the operations are (demo/api), what they answer (tenant.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

Target = TypeVar("Target")


@dataclass
class _Node(Generic[Target]):
    target: Target | None = None
    words: dict[str, _Node[Target]] = field(default_factory=dict)
    id_: _Node[Target] | None = None


class Routes(Generic[Target]):
    """A tree of path segments; a placeholder takes a UUID and nothing else."""

    def __init__(self, targets: Iterable[tuple[str, Target]]) -> None:
        self._root: _Node[Target] = _Node()
        for template, target in targets:
            node = self._root
            for segment in template.split("/")[1:]:
                if segment.startswith("{"):
                    node.id_ = node.id_ or _Node()
                    node = node.id_
                else:
                    node = node.words.setdefault(segment, _Node())
            node.target = target

    def find(self, path: str) -> tuple[Target, list[str]] | None:
        """The target of a path and the ids in it, lower-cased; None where there is none."""
        node, ids = self._root, []
        for segment in path.split("/")[1:]:
            following = node.words.get(segment)
            if following is None and node.id_ is not None and UUID.fullmatch(segment):
                following = node.id_
                ids.append(segment.lower())
            if following is None:
                return None
            node = following
        return None if node.target is None else (node.target, ids)
