"""A plan of malformed rows: how many, in which forms, of which tables, from which seed.

Does not belong here: carrying it out (malformed.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from demo.answers import ProblemError
from demo.faults.forms import Form
from demo.faults.rows import ROWS_OF_TABLE
from demo.faults.spoiling import FORM_BY_NAME, FORMS


@dataclass(frozen=True, slots=True)
class MalformedPlan:
    """permanent: the share of rows that are always served in another form. rate: the share of served rows that are so
    this time. most_in_a_row: how often one is so before it is served well. tables: by the lake's names.
    """

    seed: int
    rate: float = 0.0
    permanent: float = 0.0
    forms: Sequence[Form] = FORMS
    tables: Collection[str] = tuple(ROWS_OF_TABLE)
    most_in_a_row: int = 2


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    seed: int
    rate: float = 0.0
    permanent: float = 0.0
    kinds: list[str] | None = None
    tables: list[str] | None = None
    most_in_a_row: int = 2


def read_malformed_plan(body: bytes) -> MalformedPlan | None:
    """None for `{}`, which ends it. Raises ProblemError 400 for anything that is no plan."""
    try:
        if msgspec.json.decode(body) == {}:
            return None
        told = msgspec.json.decode(body, type=_Body)
    except msgspec.DecodeError as error:
        expected = '{}, or {"seed": 1, "rate": 0.01, "permanent": 0.002} with kinds, tables, most_in_a_row as wanted'
        raise ProblemError(400, f"Expected {expected}: {error}.") from None
    return malformed_plan(**{name: getattr(told, name) for name in told.__struct_fields__})


def malformed_plan(
    seed: int,
    rate: float = 0.0,
    permanent: float = 0.0,
    kinds: Sequence[str] | None = None,
    tables: Sequence[str] | None = None,
    most_in_a_row: int = 2,
) -> MalformedPlan:
    """kinds, tables: by name, all of them where left out. Raises ProblemError 400 for what cannot be."""
    for name, share in (("rate", rate), ("permanent", permanent)):
        if not 0 <= share <= 1:
            raise ProblemError(400, f"{name}: Expected 0 to 1, a share of rows.")
    for name, chosen, known in (("kinds", kinds, FORM_BY_NAME), ("tables", tables, ROWS_OF_TABLE)):
        if chosen is not None and (not chosen or not set(chosen) <= known.keys()):
            raise ProblemError(400, f"{name}: Expected some of {', '.join(known)}.")
    if most_in_a_row < 1:
        raise ProblemError(400, "most_in_a_row: Expected 1 or more.")
    forms = FORMS if kinds is None else [FORM_BY_NAME[name] for name in kinds]
    return MalformedPlan(seed, rate, permanent, forms, tuple(tables or ROWS_OF_TABLE), most_in_a_row)
