"""Every declared type: what is encoded decodes to itself, and nothing else decodes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jamliquor.codec import codec
from jamliquor.codec.runtime import decode_natural, encode_natural
from jamliquor.errors import DecodeError
from jamliquor.params import FULL, TINY
from jamliquor.types import block, state, trace
from tests.support.kinds import KINDS
from tests.support.strategies import naturals, strategy

relaxed = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("name", KINDS)
@relaxed
@given(data=st.data())
def test_round_trip(name: str, data: st.DataObject) -> None:
    value = data.draw(strategy(KINDS[name], TINY))
    subject = codec(KINDS[name], TINY)
    encoded = subject.encode(value)
    assert subject.decode(encoded) == value


@pytest.mark.parametrize("name", KINDS)
@relaxed
@given(data=st.data())
def test_whatever_decodes_is_the_image_of_its_value(name: str, data: st.DataObject) -> None:
    subject = codec(KINDS[name], TINY)
    encoded = bytearray(subject.encode(data.draw(strategy(KINDS[name], TINY))))
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        value = subject.decode(bytes(encoded))
    except DecodeError as error:
        assert 0 <= error.offset <= len(encoded)
    else:
        assert subject.encode(value) == encoded


@given(value=naturals())
def test_naturals_round_trip_in_their_shortest_form(value: int) -> None:
    encoded = encode_natural(value)
    assert decode_natural(encoded + b"\xff", 0) == (value, len(encoded))
    assert len(encoded) == (1 if value == 0 else min(9, (value.bit_length() - 1) // 7 + 1))


@given(garbage=st.binary(max_size=400))
def test_garbage_never_does_worse_than_a_decode_error(garbage: bytes) -> None:
    for params in (TINY, FULL):
        for kind in (block.Block, trace.TraceStep, state.Statistics):
            with pytest.raises(DecodeError):
                codec(kind, params).decode(garbage)
