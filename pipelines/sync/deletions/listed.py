"""Whether a list still shows one row: the list is asked for the second in which the row began.

Does not belong here: reading windows as a whole (pipelines/sync/listing.py).
"""

from __future__ import annotations

from pipelines.client.answer import Api
from pipelines.contract import MAX_PAGE_SIZE, Resource
from pipelines.contract.formats import format_instant
from pipelines.normalise.identifiers import canonical_uuid
from pipelines.sync.clock import ReadClock
from pipelines.sync.deletions.absence import Row
from pipelines.sync.pages import Page, read_page
from pipelines.sync.windows import EDGE, Window, shifted


def second_of(row: Row) -> Window | None:
    """The window in which the list must show the row; None where it is not known."""
    return None if row.begun is None else Window(shifted(row.begun, -EDGE), shifted(row.begun, EDGE))


async def page_around(api: Api, clock: ReadClock, resource: Resource, row: Row) -> Page | None:
    """What the list shows around the row; None where that cannot be asked. Raises ApiError."""
    question, window = resource.listed_by, second_of(row)
    if question is None or window is None or window.lower is None or window.upper is None:
        return None
    params = {
        "pageSize": str(MAX_PAGE_SIZE),
        "pageIndex": "1",
        question.lower: format_instant(window.lower),
        question.upper: format_instant(window.upper),
    }
    answer = await api.get(resource.path, params)
    return read_page(answer, clock.stamp(answer.received_at), resource.path)


def may_show(page: Page | None, row: Row) -> bool:
    """Whether the row is on the page, or may be on one that was not asked for."""
    if page is None or not page.is_complete(MAX_PAGE_SIZE):
        return True
    said = (item.get("id") for item in page.items if isinstance(item, dict))
    return any(isinstance(id_, str) and canonical_uuid(id_) == row.id for id_ in said)
