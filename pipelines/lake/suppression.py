"""Who was erased and must not come back: salted hashes of user ids, kept in the lake like everything that a sync heeds.

A hash does not tell whose it is; it only recognises an id that somebody already has.
Does not belong here: erasing (pipelines/erasure).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contract import Resource
from pipelines.errors import LakeError
from pipelines.lake.schemas import INSTANT, schema_of
from pipelines.lake.store import COMMIT_ATTEMPTS, CommitRefused, DeltaStore, is_table, translated

SUPPRESSED = schema_of(
    pa.field("salt", pa.string(), nullable=False),  # hex, the same for the whole list
    pa.field("user_hash", pa.string(), nullable=False),  # hex
    pa.field("added_at", INSTANT, nullable=False),
    pa.field("is_lifted", pa.bool_(), nullable=False),  # the newest entry of a hash counts
)
SALT_BYTES, HASH_BYTES = 32, 16
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class SuppressionList:
    """The list at one moment; asking does not make its table."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def holds(self, user_id: str) -> bool:
        """Whether a user was erased."""
        return bool(self._hashes) and self._hash(user_id.lower()) in self._hashes

    def names_one(self, text: str) -> bool:
        """Whether a text names one who was erased."""
        return bool(self._hashes) and any(self.holds(found) for found in UUID.findall(text))

    def without(self, resource: Resource, rows: pa.Table) -> pa.Table:
        """Rows of a lake table but those of people who were erased."""
        column = owner_column(resource)
        if not self._hashes or column is None or not rows.num_rows:
            return rows
        erased = [id_ for id_ in rows[column].unique().to_pylist() if id_ is not None and self.holds(id_)]
        if not erased:
            return rows
        return rows.filter(pc.invert(pc.is_in(rows[column], value_set=cast("Any", pa.array(erased, pa.string())))))

    def add(self, user_ids: Iterable[str], at: datetime) -> None:
        """From now on these stay away."""
        self._write([id_ for id_ in user_ids if not self.holds(id_)], at, is_lifted=False)

    def lift(self, user_id: str, at: datetime) -> None:
        """From now on this one may come back."""
        self._write([user_id] if self.holds(user_id) else [], at, is_lifted=True)

    def _write(self, user_ids: list[str], at: datetime, *, is_lifted: bool) -> None:
        if not user_ids:
            return
        store = DeltaStore(self._uri, SUPPRESSED, ())
        for _ in range(COMMIT_ATTEMPTS):
            entries = [
                {"salt": self._salt, "user_hash": self._hash(id_), "added_at": at, "is_lifted": is_lifted}
                for id_ in user_ids
            ]
            try:
                store.append(pa.Table.from_pylist(entries, schema=SUPPRESSED), {})
            except CommitRefused:
                store.refresh()
                self._forget()
                continue
            self._forget()
            return
        raise LakeError(f"{self._uri}: other writers were first {COMMIT_ATTEMPTS} times in a row; run again.")

    def _forget(self) -> None:
        for name in ("_entries", "_salt", "_hashes"):
            self.__dict__.pop(name, None)

    @cached_property
    def _entries(self) -> list[dict[str, Any]]:
        if not is_table(self._uri):
            return []
        with translated(self._uri):
            return DeltaStore(self._uri, SUPPRESSED, ()).scan(SUPPRESSED.names).read_all().to_pylist()

    @cached_property
    def _salt(self) -> str:
        return str(self._entries[0]["salt"]) if self._entries else secrets.token_hex(SALT_BYTES)

    @cached_property
    def _hashes(self) -> frozenset[str]:
        newest = {entry["user_hash"]: entry for entry in sorted(self._entries, key=lambda entry: entry["added_at"])}
        return frozenset(hash_ for hash_, entry in newest.items() if not entry["is_lifted"])

    def _hash(self, user_id: str) -> str:
        return blake2b(user_id.encode(), key=bytes.fromhex(self._salt), digest_size=HASH_BYTES).hexdigest()


def owner_column(resource: Resource) -> str | None:
    """The column that says whose a row is; None where rows are nobody's."""
    if resource.name == "users":
        return "id"
    return "user_id" if "userId" in resource.by_path else None
