"""Erases a person: out of the lake, out of all that was built of it, and proves it.

What is to be done is written down first (`erasure.json`, for the owner only), and that file is the last thing that
goes; so an erasure that was killed is ended by asking for it again.
Does not belong here: what is theirs, how tables are rewritten, how files are searched (pipelines/erasure).
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pipelines.contract import RESOURCES
from pipelines.erasure import ORDER, waits_to_be_ended
from pipelines.erasure.person import find, values_of
from pipelines.erasure.proof import Needles, Search, count_files, files_with
from pipelines.erasure.tables import NOBODYS, new_names, take_out
from pipelines.errors import ConfigurationError, LakeError
from pipelines.lake import Lake
from pipelines.lake.suppression import UUID
from pipelines.occupancy import alone
from pipelines.settings import LakeSettings
from warehouse.build import build
from warehouse.files import exclusive, locked_at_once, private_folder, sync_to_disk
from warehouse.project import log_folder, project_files, target_folder
from warehouse.publish import drop_older_generations, publish

NIGHT_LOCK = "night.lock"
MOST_NAMED = 10

OUT_OF_REACH = (
    "backups and copies of CHARGELAKE_HOME, versions that an object store keeps, files that somebody exported, what"
    " schedulers and terminals recorded, and temporary folders of syncs that were killed (chargelake-* in TMPDIR; a"
    " later run on the same machine removes those that are an hour old)"
)
"""Where a person may still be, and only people can look."""


@dataclass(frozen=True)
class ErasureReport:
    """What an erasure did; nobody is named.

    rows: by lake table. dropped: what went as a whole. files, bytes_searched: of the proof.
    """

    people: int
    anonymised: bool
    rows: Counter[str]
    dropped: tuple[str, ...]
    files: int
    bytes_searched: int
    duration_seconds: float


@dataclass
class _Order:
    """What is to be erased, as it was found when the lake was still whole. fresh: new ids where rows stay."""

    users: set[str] = field(default_factory=set)
    anonymise: bool = False
    needles: Needles = field(default_factory=Needles)
    fresh: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        return json.dumps(
            {
                "users": sorted(self.users),
                "anonymise": self.anonymise,
                "ids": sorted(self.needles.ids),
                "texts": sorted(self.needles.texts),
                "numbers": sorted(self.needles.numbers),
                "fresh": self.fresh,
            }
        )


def erase(settings: LakeSettings, user_id: str | None) -> ErasureReport:
    """Erase one person, and whoever an earlier call did not come to the end with; None: only those.

    Raises ConfigurationError for what is no id, LakeError or WarehouseError where it could not be ended.
    """
    if user_id is None and not waits_to_be_ended(settings.home):
        raise ConfigurationError("--user: expected the id of a user; no erasure waits to be ended")
    return _erase(settings, frozenset() if user_id is None else frozenset({_id(user_id)}), anonymise=False)


def lift(settings: LakeSettings, user_id: str) -> bool:
    """Let a person who was erased come back with the next sync. Returns whether they had been erased."""
    id_ = _id(user_id)
    with alone(settings.home.absolute()):
        suppressed = Lake(settings.lake_root).suppressed
        was_there = suppressed.holds(id_)
        suppressed.lift(id_, datetime.now(UTC))
    return was_there


def _id(text: str) -> str:
    if not UUID.fullmatch(text):
        raise ConfigurationError("--user: expected the id of a user, a UUID")
    return text.lower()


def erase_deleted(settings: LakeSettings, *, anonymise: bool) -> ErasureReport | None:
    """Erase or anonymise all users that the tenant has deleted; None where there are none left."""
    lake = Lake(settings.lake_root)
    users = _deleted_users(lake)
    if not users and not waits_to_be_ended(settings.home):
        return None
    return _erase(settings, users, anonymise=anonymise)


def _deleted_users(lake: Lake) -> frozenset[str]:
    """Whose current row is a deletion, and holds what was read."""
    newest: dict[str, tuple[datetime, bool, str]] = {}
    with lake.reading(RESOURCES["users"], ["id", "_synced_at", "_deleted", "_row_hash"]) as versions:
        for batch in versions:
            for id_, at, gone, hash_ in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if id_ not in newest or newest[id_][0] <= at:
                    newest[id_] = (at, gone, hash_)
    return frozenset(id_ for id_, (_, gone, hash_) in newest.items() if gone and hash_ != NOBODYS)


def _erase(settings: LakeSettings, users: frozenset[str], *, anonymise: bool) -> ErasureReport:
    began = time.monotonic()
    home = settings.home.absolute()
    with alone(home), _no_night(settings):
        lake = Lake(settings.lake_root)
        lake.make()
        order = _write_down(settings, lake, users, anonymise=anonymise)
        lake.suppressed.add(sorted(order.users), datetime.now(UTC))
        wanted = order.needles.search()
        rows = take_out(lake, find(lake, frozenset(order.users)), wanted, order.fresh)
        dropped = _build_anew(settings)
        dropped += _forget_dagsters_records(settings, wanted)
        _prove(settings, wanted)
        files, size = _searched(settings)
        _order_file(settings).unlink()
        sync_to_disk(home)
    return ErasureReport(len(order.users), order.anonymise, rows, tuple(dropped), files, size, time.monotonic() - began)


@contextmanager
def _no_night(settings: LakeSettings) -> Iterator[None]:
    """Keep the command's nights away: they write Dagster's records, which may have to go."""
    path = settings.dagster_folder / NIGHT_LOCK
    if not path.exists():
        yield
        return
    with locked_at_once(path, f"A night is at work in {settings.home}. Wait until it has ended, then run again."):
        yield


def _order_file(settings: LakeSettings) -> Path:
    return settings.home.absolute() / ORDER


def _write_down(settings: LakeSettings, lake: Lake, users: frozenset[str], *, anonymise: bool) -> _Order:
    """The order, together with one that was not ended; safe on the disk before anything is changed."""
    file, order = _order_file(settings), _Order(anonymise=anonymise)
    if file.exists():
        earlier = json.loads(file.read_text(encoding="utf-8"))
        order.users |= set(earlier["users"])
        order.anonymise = earlier["anonymise"] and (anonymise or not users)
        order.fresh = earlier["fresh"]
        order.needles = Needles(set(earlier["ids"]), set(earlier["texts"]), set(earlier["numbers"]))
    order.users |= users
    person = find(lake, frozenset(order.users))
    found = values_of(lake, person)
    order.fresh = new_names(person) | order.fresh if order.anonymise else {}
    for part in project_files():
        found.spare(part.read_bytes())
    order.needles = Needles(
        order.needles.ids | found.ids, order.needles.texts | found.texts, order.needles.numbers | found.numbers
    )
    private_folder(file.parent)
    unfinished = file.with_suffix(".unfinished")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(order.as_json())
        stream.flush()
        os.fsync(handle)
    unfinished.replace(file)
    sync_to_disk(file.parent)
    return order


def _build_anew(settings: LakeSettings) -> list[str]:
    """Drop all that was built of the lake as it was; build and publish again where something had been.

    Readers keep the old file until the new one is there.
    """
    generations = settings.warehouse_folder / "generations"
    was_built, was_published = settings.build_file.exists(), settings.published_file.exists()
    dropped = []
    with exclusive(settings):
        for folder in (settings.build_file.parent, target_folder(settings), log_folder(settings)):
            if folder.exists():
                shutil.rmtree(folder)
                dropped.append(str(folder.relative_to(settings.home.absolute())))
    if was_built or was_published:
        build(settings, full_refresh=True)
    if was_published:
        publish(settings)
    if generations.exists() and (older := drop_older_generations(settings)):
        dropped.append(f"{older} published generations")
    return dropped


def _forget_dagsters_records(settings: LakeSettings, wanted: Search) -> list[str]:
    """Dagster's run history says what went wrong, which may name somebody; then all of it goes."""
    folder = settings.dagster_folder
    if not folder.exists() or not any(files_with(folder, wanted)):
        return []
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    return ["Dagster's run history"]


def _places(settings: LakeSettings) -> list[Path]:
    """The home, and the lake where it stands elsewhere on a disk."""
    home, lake = settings.home.absolute(), settings.lake_root
    return [home] if "://" in lake or Path(lake).is_relative_to(home) else [home, Path(lake)]


def _prove(settings: LakeSettings, wanted: Search) -> None:
    """Raises LakeError where a file still holds one of the values."""
    order = _order_file(settings)
    left = [path for place in _places(settings) for path in files_with(place, wanted) if path != order]
    if left:
        named = ", ".join(map(str, left[:MOST_NAMED])) + (
            f" and {len(left) - MOST_NAMED} more" * (len(left) > MOST_NAMED)
        )
        raise LakeError(
            f"{len(left)} files still hold values of the person: {named}. Remove what is not chargelake's own, end"
            " `dagster dev`, and run `chargelake erase` again, which goes on from here."
        )


def _searched(settings: LakeSettings) -> tuple[int, int]:
    counted = [count_files(place) for place in _places(settings)]
    return sum(files for files, _ in counted), sum(size for _, size in counted)
