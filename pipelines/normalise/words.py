"""Texts as they enter hash and `_extra`: canonical where they look like an instant or a UUID, and JSON-escaped.

Does not belong here: what is stored in text columns; that stays as it came.
"""

from __future__ import annotations

from json import JSONEncoder
from typing import Any

import pyarrow as pa

from pipelines.normalise.arrow import Array, compute
from pipelines.normalise.identifiers import canonical_uuid, is_canonical_column
from pipelines.normalise.instants import instant_text, parse_instant, parse_v2_column

_SAMPLE = 256
_REMARKABLE = (
    r'["\\\x00-\x1f]'  # must be escaped
    r"|^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]"  # may be an instant
    r"|^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-"  # may be a UUID
)
_ESCAPED = r'["\\\x00-\x1f]'

json_string = JSONEncoder(ensure_ascii=False).encode
"""A text as JSON, in quotes; only what must be escaped is."""


def canonical_string(text: str) -> str:
    """An instant in v2's spelling, a UUID in lower case, any other text as it is. By the text's own shape alone."""
    if len(text) == 36 and (uuid := canonical_uuid(text)) is not None:
        return uuid
    if 19 <= len(text) <= 35 and (instant := parse_instant(text)) is not None:
        return instant_text(instant)
    return text


def canonical_texts(texts: Array) -> Array:
    """Canonical and escaped, without the quotes. Nulls stay."""
    if texts.null_count == len(texts):
        return texts
    if 4 * len(texts[:_SAMPLE].unique()) <= min(_SAMPLE, len(texts)):
        encoded = texts.dictionary_encode()
        words: Array = encoded.dictionary
        canonical = _changed(words, compute.is_valid(words))
        return texts if canonical is words else canonical.take(encoded.indices)
    if is_canonical_column(texts) or parse_v2_column(texts) is not None:
        return texts
    return _changed(texts, compute.match_substring_regex(texts, _REMARKABLE))


def escaped_texts(texts: Array) -> Array:
    """Escaped, but otherwise as they are, without the quotes. Nulls stay."""
    mask = compute.match_substring_regex(texts, _ESCAPED)
    if not compute.any(mask).as_py():
        return texts
    changed = [json_string(text)[1:-1] for text in texts.filter(mask).to_pylist()]
    return _replaced(texts, mask, changed)


def _changed(texts: Array, mask: Array) -> Array:
    """The texts with those of the mask made canonical; the very same array if that changes none."""
    before: list[Any] = texts.filter(mask).to_pylist()
    after = [json_string(canonical_string(text))[1:-1] for text in before]
    if after == before:
        return texts
    return _replaced(texts, mask, after)


def _replaced(texts: Array, mask: Array, by: list[str]) -> Array:
    replaced: Array = compute.replace_with_mask(texts, mask, pa.array(by, pa.string()))
    return replaced
