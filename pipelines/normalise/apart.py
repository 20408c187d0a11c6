"""Items with rare unknown fields, each read by itself: its hash, its `_extra` and what in it is unknown.

Does not belong here: declared fields; those are columns for such items too (batch.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.contract import Kind, Resource
from pipelines.normalise.canonical import encodable, hash_of, leaves, members, object_text, unknown_members
from pipelines.normalise.model import Unreadable
from pipelines.normalise.tree import Item


@dataclass(frozen=True, slots=True)
class Apart:
    """What was read of one item. unknown_paths: without those inside declared arrays, which columns count."""

    row_hash: str
    extra: str | None
    unknown_paths: list[str]


def read_apart(resource: Resource, item: Item) -> Apart | Unreadable:
    try:
        texts = members(item, resource)
        unknown = {path: text for path, text in texts.items() if path not in resource.by_path}
        paths = []
        for path, value, depth in leaves(item):
            declared = resource.by_path.get(path)
            if declared is None and not _is_declared_object(resource, path):
                paths.append(encodable(path))
            elif declared is not None and declared.kind is Kind.OBJECT_LIST and isinstance(value, list):
                unknown |= unknown_members(declared, value, depth)
        extra = encodable(object_text(unknown)) if unknown else None
        return Apart(hash_of(texts), extra, paths)
    except Unreadable as error:
        return error


def _is_declared_object(resource: Resource, path: str) -> bool:
    """Whether the contract knows the path as an object of fields (met here if it is empty)."""
    return any(known.startswith(f"{path}.") for known in resource.by_path)
