"""Lines of the control socket: what is sent arrives, and nothing that arrives does harm."""

from __future__ import annotations

import functools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamliquor.errors import StoreError
from jamliquor.node.control import Malformed, decode_line, encode_line
from jamliquor.node.questions import BadQuestion, answer
from tests.support import questioned

_plain = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20)
_values = st.recursive(
    _plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
_records = st.dictionaries(st.text(max_size=8), _values, max_size=4)


@given(_records)
def test_records_survive(record: dict[str, object]) -> None:
    line = encode_line(record)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert decode_line(line) == record


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda octets: b"1" + octets))
def test_any_octets_are_a_record_or_malformed(octets: bytes) -> None:
    with suppress(Malformed):
        assert isinstance(decode_line(octets), dict)


def test_what_nests_too_deep_is_malformed() -> None:
    for octets in (b"1" + b"[" * 4000, b"1" + b'{"a":' * 800, b"1" + b"9" * 4095):
        with suppress(Malformed):
            decode_line(octets)
            raise AssertionError("it is no record")


_subject = functools.cache(questioned.subject)


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """Before an example has to be answered in time."""
    _subject()


_TEXTS = (
    "",
    "head",
    "0",
    "7",
    "99",
    "0x11",
    "zz",
    "٣",
    "9" * 30,
    "1:zz",
    "-1:",
    "3:00",
    ":",
    "/",
    "/\0",
)
_NAMES = ("wanted", "at", "first", "last", "values", "key", "offset", "service", "after", "x")
_SNAPSHOT_NAMES = ("path", "folder", "block", "file", "stop", "x")
_QUESTIONS = ("head", "block", "state", "value", "service", "history", "tree", "finalise", "prune", "y")


@given(
    st.sampled_from(_QUESTIONS),
    st.dictionaries(st.sampled_from(_NAMES), _plain | st.sampled_from(_TEXTS), max_size=3),
)
def test_every_question_is_answered_or_refused(question: str, arguments: dict[str, object]) -> None:
    with suppress(BadQuestion):
        assert len(encode_line(answer(_subject(), question, arguments))) < 1 << 18


@given(
    st.sampled_from(["snapshot", "snapshot_progress"]),
    st.dictionaries(st.sampled_from(_SNAPSHOT_NAMES), _plain | st.sampled_from(_TEXTS), max_size=3),
)
def test_no_snapshot_is_begun_by_chance(question: str, arguments: dict[str, object]) -> None:
    with suppress(BadQuestion, StoreError):
        answer(_subject(), question, arguments)
        raise AssertionError("this subject has no place for a snapshot")
