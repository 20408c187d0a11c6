"""Names and texts as SQL writes them. Apart from all else, because `query` needs no more, and loads no more."""

from __future__ import annotations


def quote_name(name: str) -> str:
    """A name as SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """A text as SQL literal."""
    return "'" + text.replace("'", "''") + "'"
