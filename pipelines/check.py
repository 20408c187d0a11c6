"""Tries the settings against the tenant and the disk, without changing either.

Does not belong here: validating a setting by itself (settings.py).
"""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

from pipelines.client import open_client
from pipelines.errors import LakeError
from pipelines.lake import Lake
from pipelines.settings import ApiSettings, LakeSettings, SyncSettings
from pipelines.sync.pages import read_page
from pipelines.sync.run import first_answer


def check_reach(api: ApiSettings, sync: SyncSettings, lake: LakeSettings) -> dict[str, str]:
    """Facts found out, by name. Raises the error that a sync would meet."""
    facts = {"tenant": api.base_url}
    facts |= asyncio.run(_ask_tenant(api, sync))
    store = Lake(lake.lake_root)
    store.make()
    if "://" not in store.root:
        _try_writing(Path(store.root))
    facts["lake"] = f"{store.root} can be written"
    return facts


async def _ask_tenant(api: ApiSettings, sync: SyncSettings) -> dict[str, str]:
    async with open_client(api, sync) as client:
        resource, answer = await first_answer(client)
    facts = {"credentials": "accepted"}
    if resource.listed_by:
        facts[resource.name] = f"{read_page(answer, answer.received_at, resource.path).total}"
    if answer.api_date is not None:
        ahead = answer.received_at - answer.api_date
        apart = f"{str(abs(ahead)).split('.')[0]} {'ahead' if ahead > timedelta(0) else 'behind'}"
        facts["clock"] = (
            f"{answer.api_date:%Y-%m-%d %H:%M:%S} UTC at the API; this machine's is {apart} (windows follow the API's)"
        )
    return facts


def _try_writing(folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"chargelake")
            file.flush()
    except OSError as error:
        raise LakeError(
            f"The lake's folder {folder} cannot be written ({error.strerror})."
            " Set CHARGELAKE_HOME (or CHARGELAKE_LAKE) to a place with room that this user may write to."
        ) from error
