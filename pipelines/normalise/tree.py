"""Items -> columns of values: where each value stands in the items, and which of them the contract does not know.

Items of one answer nearly always have the same fields in the same order; then all values are taken at once.
Does not belong here: what the values mean (columns.py, reading.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any, cast

from pipelines.contract import Field, Resource
from pipelines.normalise.canonical import MAX_DEPTH, escape_name
from pipelines.normalise.model import Unreadable, describe

MAX_UNKNOWN_COLUMNS = 64
"""Unknown fields that are read as columns; items with rarer ones are read one by one."""
MAX_UNKNOWN_PATH = 1000
"""Characters; items with longer paths are read one by one."""

CACHED_OBJECTS = 1000
"""Objects whose values fit the processor's cache."""

Item = dict[str, Any]
Node = Mapping[str, "Field | Node"]
_NOTHING: Item = {}
_UNKNOWN: Node = {}


@dataclass(slots=True)
class UnknownField:
    """The values of a field that the contract does not know, None where it is missing or an object of fields.

    depth: parts of its path. present: whether each item has it, if only as null; None if all have.
    """

    values: Sequence[Any]
    depth: int
    present: Sequence[bool] | None


@dataclass(slots=True)
class Tree:
    """A batch of items as columns of values, all as long as the batch.

    declared: by path. absent: declared paths that no item has.
    unknown: by path; an item in `apart` may have more, and all of its unknown fields must be read from itself.
    bad: item -> why it cannot be read: a declared object is none, or it is nested too deep.
    """

    size: int
    declared: dict[str, Sequence[Any]] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    unknown: dict[str, UnknownField] = field(default_factory=dict)
    apart: set[int] = field(default_factory=set)
    bad: dict[int, Unreadable] = field(default_factory=dict)


def gather(resource: Resource, items: list[Item]) -> Tree:
    """The columns of a batch of at least one item."""
    tree = Tree(len(items))
    _walk(tree, items, _declared_node(resource), "", 1)
    return tree


@lru_cache(maxsize=256)
def _declared_node(resource: Resource) -> Node:
    root: dict[str, Any] = {}
    for declared in resource.fields:
        *parents, name = declared.path.split(".")
        node = root
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = declared
    return root


def _walk(tree: Tree, objects: list[Item], node: Node, prefix: str, depth: int) -> None:
    """Take the fields of one object per item; prefix: the object's path with a dot."""
    columns = _columns_of_one_shape(objects)
    uniform = columns is not None
    if columns is None:
        met = set(chain.from_iterable(objects))
        columns = {name: [item.get(name) for item in objects] for name in met if name in node}
    else:
        met = set(columns)
    for name, child in node.items():
        if name in columns:
            _take_declared(tree, columns[name], child, prefix + name, depth)
        else:
            _take_absent(tree, child, prefix + name)
    for name in _chosen(tree, objects, [name for name in met if name not in node], prefix):
        values = columns[name] if uniform else [item.get(name) for item in objects]
        present = None if uniform else [name in item for item in objects]
        _take_unknown(tree, values, present, prefix + escape_name(name), depth)


def columns_by_name(objects: list[Item]) -> Mapping[str, list[Any]]:
    """The values of all names that some object has, None where one has not."""
    columns = _columns_of_one_shape(objects) if objects else {}
    if columns is None:
        columns = {name: [item.get(name) for item in objects] for name in set(chain.from_iterable(objects))}
    return columns


def is_fit_for_a_column(name: str, prefix: str = "") -> bool:
    """Whether an unknown field can be read as a column, as far as its path goes."""
    return len(prefix) + len(name) <= MAX_UNKNOWN_PATH and _is_unicode(name)


def _columns_of_one_shape(objects: list[Item]) -> dict[str, list[Any]] | None:
    """The values by name, if all objects have the same names in the same order; else None."""
    names = list(objects[0])
    columns: list[list[Any]] = [[] for _ in names]
    for start in range(0, len(objects), CACHED_OBJECTS):
        part = objects[start : start + CACHED_OBJECTS]
        if list(chain.from_iterable(part)) != names * len(part):
            return None
        flat = list(chain.from_iterable(map(dict.values, part)))
        for place, column in enumerate(columns):
            column.extend(flat[place :: len(names)])
    return dict(zip(names, columns, strict=True))


def _take_declared(tree: Tree, values: list[Any], child: Field | Node, path: str, depth: int) -> None:
    if isinstance(child, Field):
        tree.declared[path] = values
        return
    if set(map(type, values)) != {dict}:
        for place, value in enumerate(values):
            if value is not None and not isinstance(value, dict):
                tree.bad.setdefault(place, Unreadable(f"expected an object, got {describe(value)}", path))
        values = _objects(values)
    _walk(tree, values, child, f"{path}.", depth + 1)


def _take_absent(tree: Tree, child: Field | Node, path: str) -> None:
    if isinstance(child, Field):
        tree.declared[path] = [None] * tree.size
        tree.absent.add(path)
    else:
        for name, grandchild in child.items():
            _take_absent(tree, grandchild, f"{path}.{name}")


def _take_unknown(tree: Tree, values: list[Any], present: list[bool] | None, path: str, depth: int) -> None:
    if dict in set(map(type, values)):
        parents = [isinstance(value, dict) and bool(value) for value in values]
        if depth < MAX_DEPTH:
            _walk(tree, _objects(values), _UNKNOWN, f"{path}.", depth + 1)
        else:
            deeper = Unreadable(f"expected at most {MAX_DEPTH} levels of nesting, got more", path)
            for place in (place for place, parent in enumerate(parents) if parent):
                tree.bad.setdefault(place, deeper)
        present = [(present is None or present[place]) and not parent for place, parent in enumerate(parents)]
        if not any(present):
            return
        values = [None if isinstance(value, dict) else value for value in values]
    tree.unknown[path] = UnknownField(values, depth, present)


def _chosen(tree: Tree, objects: list[Item], names: list[str], prefix: str) -> list[str]:
    """The unknown names to read as columns: the most frequent ones. Items with any other are set apart."""
    fit = [name for name in names if is_fit_for_a_column(name, prefix)]
    spare = max(0, MAX_UNKNOWN_COLUMNS - len(tree.unknown))
    if len(fit) > spare:
        frequency = Counter(chain.from_iterable(objects))
        fit = sorted(fit, key=lambda name: (-frequency[name], name))[:spare]
    rest = set(names).difference(fit)
    if rest:
        tree.apart.update(place for place, item in enumerate(objects) if not rest.isdisjoint(item))
    return sorted(fit)


def _objects(values: list[Any]) -> list[Item]:
    return [cast("Item", value) if isinstance(value, dict) else _NOTHING for value in values]


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
