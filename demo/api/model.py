"""The words in which operations are declared.

Does not belong here: any path or field of the API (operations.py, schemas.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

JsonSchema = dict[str, Any]

PREFIX = "/api/v2"
TOKEN_PATH = "/oauth/token"  # noqa: S105


class Shape(Enum):
    """The form of a good answer."""

    PAGED = "paged"
    ARRAY = "array"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter. is_inferred: no public source gives its name."""

    name: str
    schema: JsonSchema
    description: str
    is_required: bool = False
    is_inferred: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One GET. path: below PREFIX, with {placeholders}. item: name of the schema of an item, or of the object.

    evidence: where it is publicly known from. is_inferred: the path or the shape is a guess.
    """

    id: str
    path: str
    shape: Shape
    item: str
    summary: str
    evidence: str
    parameters: tuple[Parameter, ...] = ()
    is_inferred: bool = False

    @property
    def parameter_names(self) -> frozenset[str]:
        return frozenset(parameter.name for parameter in self.parameters)

    @property
    def required_names(self) -> frozenset[str]:
        return frozenset(parameter.name for parameter in self.parameters if parameter.is_required)
