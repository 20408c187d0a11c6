"""The vocabulary in which the API is declared: fields, shapes, questions, resources.

Belongs here: what a declaration may say, and what follows from it by name alone (column names, keys).
Does not belong here: any name of the API (see the sibling modules), any request, any parsing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What a JSON value means, and so how it is read and stored."""

    UUID = "uuid"
    """An identifier. Stored as lower-case text; anything that is not a UUID is set aside."""
    TEXT = "text"
    ENUM = "enum"
    """An open list of words. Stored in the v2 spelling; an unlisted word is kept as it came."""
    INSTANT = "instant"
    """A moment in time. Stored as timestamp[us, UTC], cut to the millisecond."""
    MONEY = "money"
    """An amount or a price. Stored as decimal128(38, 9), exactly what the JSON says."""
    NUMBER = "number"
    """A measure (kWh, kW, degrees). Stored as float64."""
    INTEGER = "integer"
    FLAG = "flag"
    TEXT_LIST = "text_list"
    ENUM_LIST = "enum_list"
    OBJECT_LIST = "object_list"
    """An array of objects. Stored as list<struct>; what an object holds is declared as the field's members."""


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def column_name(path: str) -> str:
    """The lake's column for a JSON path: `address.houseNumber` -> `address_house_number`."""
    return "_".join(_HUMP.sub("_", part).lower() for part in path.split("."))


@dataclass(frozen=True)
class Field:
    """One value of a resource.

    path: JSON path from the item's root, dotted.
    required: documented as never null; an item without it is reported as drift, not refused.
    personal: must not leave the private build (names, e-mail, street, exact coordinates, ...).
    values: the documented words of an enum, in v2 spelling.
    evidence: code of the public source that names it; INF marks a guess, spelt in this one place.
    members: of an object list, what each of its objects holds; simple names.
    """

    path: str
    kind: Kind
    evidence: str
    required: bool = False
    personal: bool = False
    values: tuple[str, ...] = ()
    unit: str = ""
    members: tuple[Field, ...] = ()

    def __post_init__(self) -> None:
        if (self.kind is Kind.OBJECT_LIST) != bool(self.members):
            raise ValueError(f"{self.path}: members belong to object lists, and those have some")
        if any("." in member.path or member.kind is Kind.OBJECT_LIST for member in self.members):
            raise ValueError(f"{self.path}: members have simple names and hold no objects")

    @property
    def column(self) -> str:
        return column_name(self.path)


class Answer(Enum):
    """The form of a successful answer."""

    PAGED = "paged"
    """The five-field envelope, items newest first."""
    ARRAY = "array"
    OBJECT = "object"


@dataclass(frozen=True)
class Question:
    """A time filter that a list answers, and the watermark that remembers how far it was asked.

    name: last part of the watermark's application id, `sessions/started`.
    time: JSON path of the instant that the filter compares.
    lower, upper: query parameters of the bounds. Whether bounds are inclusive is not documented.
    overlap: name of the setting that says how far a window reaches back behind its watermark.
    """

    name: str
    time: str
    lower: str
    upper: str
    overlap: str


class Change(Enum):
    """How rows change after they were created, without any filter that shows it."""

    NONE = "none"
    """Not at all, or the whole list is asked every time."""
    EDITED = "edited"
    """Any row at any time: users, vehicles, addresses."""
    CORRECTED = "corrected"
    """Most of all soon after it ended: sessions."""


@dataclass(frozen=True)
class Resource:
    """One collection of the API and the lake table that holds it.

    key: JSON paths that identify a row. alternative_key: used where a part of `key` is null.
    listed_by: the question that, asked over all time, returns every row (None: the answer is the whole list).
    questions: every further question that must be asked to see what is new.
    changes: see Change.
    under: ids of the request's path, outermost first, which become fields of each row; none for a tenant's own list.
    time: the instant by which answers to a window are told apart, where the resource is asked in windows.
    not_in_detail: top-level fields of the list's items that the GET of a single one does not show; they keep their
    last value.
    """

    name: str
    path: str
    answer: Answer
    fields: tuple[Field, ...]
    evidence: str
    key: tuple[str, ...] = ("id",)
    alternative_key: tuple[str, ...] = ()
    listed_by: Question | None = None
    questions: tuple[Question, ...] = ()
    changes: Change = Change.NONE
    description: str = ""
    under: tuple[str, ...] = ()
    time: str | None = None
    not_in_detail: frozenset[str] = frozenset()
    by_path: dict[str, Field] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_path = {f.path: f for f in self.fields}
        if len(by_path) != len(self.fields) or len({f.column for f in self.fields}) != len(self.fields):
            raise ValueError(f"{self.name}: two fields share a path or a column")
        times = [question.time for question in self.all_questions] + ([self.time] if self.time else [])
        for path in (*self.key, *self.alternative_key, *self.under, *times, *self.not_in_detail):
            if path not in by_path:
                raise ValueError(f"{self.name}: {path} is used as a key, a filter or a shape but is no field")
        object.__setattr__(self, "by_path", by_path)

    @property
    def all_questions(self) -> tuple[Question, ...]:
        return ((self.listed_by,) if self.listed_by else ()) + self.questions

    def app_id(self, question: Question) -> str:
        """Under which name the lake keeps the question's watermark: `users`, `sessions/started`."""
        return f"{self.name}/{question.name}" if self.questions else self.name

    @property
    def is_by_month(self) -> bool:
        """Whether the table is partitioned by the month of its time: only where that is part of the key, since a
        corrected time would else strand the old version in another partition.
        """
        return self.time is not None and self.time in self.key

    @property
    def key_columns(self) -> tuple[str, ...]:
        return tuple(column_name(path) for path in self.key)
