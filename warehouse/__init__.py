"""The warehouse: the dbt project, its build and publication, and `frame`, the analysts' way into pandas."""

from __future__ import annotations

from warehouse.query import frame

__all__ = ["frame"]
