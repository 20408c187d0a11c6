"""The forms in which a row is served instead of the documented one, and what each means to a correct reader.

Does not belong here: what a form does (refused.py, readable.py), which rows are in one and when (malformed.py).
"""

from __future__ import annotations

from demo.faults import readable, refused
from demo.faults.forms import Form, Meaning

FORMS = (
    Form("without_id", Meaning.UNREADABLE, refused.without_id),
    Form("wrong_type", Meaning.UNREADABLE, refused.wrong_type),
    Form("bad_instant", Meaning.UNREADABLE, refused.bad_instant),
    Form("path_trick", Meaning.UNREADABLE, refused.path_trick),
    Form("not_a_number", Meaning.UNREADABLE, refused.not_a_number),
    Form("too_large", Meaning.UNREADABLE, refused.too_large),
    Form("not_an_object", Meaning.UNREADABLE, refused.not_an_object),
    Form("number_as_text", Meaning.EITHER, refused.number_as_text),
    Form("lone_surrogate", Meaning.EITHER, refused.lone_surrogate),
    Form("key_twice", Meaning.EITHER, refused.key_twice),
    Form("exotic_instants", Meaning.SAME, readable.exotic_instants),
    Form("v1_words", Meaning.SAME, readable.v1_words),
    Form("upper_case_ids", Meaning.SAME, readable.upper_case_ids),
    Form("exotic_numbers", Meaning.SAME, readable.exotic_numbers),
    Form("respaced", Meaning.SAME, readable.respaced),
    Form("unknown_fields", Meaning.EXTRA, readable.unknown_fields),
    Form("missing_field", Meaning.OTHER, readable.missing_field),
    Form("unlisted_word", Meaning.OTHER, readable.unlisted_word),
    Form("odd_number", Meaning.OTHER, readable.odd_number),
    Form("exotic_text", Meaning.OTHER, readable.exotic_text),
)

FORM_BY_NAME = {form.name: form for form in FORMS}
