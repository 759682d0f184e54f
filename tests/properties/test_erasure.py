"""Any chunks that are enough give the data back, and chunks are linear in the data."""

from __future__ import annotations

import random
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from jamliquor.crypto import erasure
from jamliquor.params import FULL, TINY, ChainParams

# Neither the counts nor their sums are powers of two.
ODD = replace(TINY, name="odd", validator_count=19, erasure_piece_size=12, segment_pieces=342)

_chains = st.sampled_from([TINY, ODD, FULL])


@settings(max_examples=60, deadline=None)
@given(_chains, st.integers(0, 5), st.integers(0, 2**32), st.integers(0, 4))
def test_enough_chunks_recover(chain: ChainParams, pieces: int, seed: int, spare: int) -> None:
    source = random.Random(seed)
    data = source.randbytes(pieces * chain.erasure_piece_size)
    chunks = erasure.encode(chain, data)
    assert b"".join(chunks[: erasure.originals(chain)]) == data
    chosen = source.sample(range(chain.validator_count), erasure.originals(chain) + spare)
    assert erasure.recover(chain, {index: chunks[index] for index in chosen}) == data


@settings(max_examples=30, deadline=None)
@given(_chains, st.integers(0, 3), st.integers(1, 4), st.integers(0, 2**32))
def test_many_at_once(chain: ChainParams, count: int, pieces: int, seed: int) -> None:
    source = random.Random(seed)
    data = [source.randbytes(pieces * chain.erasure_piece_size) for _ in range(count)]
    encoded = [erasure.encode(chain, each) for each in data]
    chosen = source.sample(range(chain.validator_count), erasure.originals(chain))
    chunks = {index: [chunks[index] for chunks in encoded] for index in chosen}
    assert erasure.recover_many(chain, chunks) == data


def test_many_that_do_not_fit() -> None:
    for chunks in ({3: [b"ab"], 4: []}, {3: [b"ab", b"cd"], 4: [b"abcd", b""]}):
        with pytest.raises(ValueError, match="as many from each"):
            erasure.recover_many(TINY, chunks)
    with pytest.raises(ValueError, match="0 chunks where 2 are needed"):
        erasure.recover_many(TINY, {})


@settings(max_examples=30, deadline=None)
@given(_chains, st.integers(0, 2**32))
def test_linear(chain: ChainParams, seed: int) -> None:
    source = random.Random(seed)
    a, b = (source.randbytes(chain.erasure_piece_size) for _ in range(2))
    together = erasure.encode_joined(chain, _sum(a, b))
    assert together == _sum(erasure.encode_joined(chain, a), erasure.encode_joined(chain, b))


def test_stripes_of_columns_do_not_show() -> None:
    data = random.Random(0).randbytes(TINY.erasure_piece_size * 2500)
    chunks = erasure.encode(TINY, data)
    assert len(chunks[0]) == 5000
    pieces = [data[at : at + 2] for at in (4998, 9998)]
    assert [chunk[-2:] for chunk in chunks] == erasure.encode(TINY, b"".join(pieces))
    assert erasure.recover(TINY, {1: chunks[1], 5: chunks[5]}) == data


def test_what_cannot_be_recovered() -> None:
    chunks = dict(enumerate(erasure.encode(TINY, bytes(8))))
    with pytest.raises(ValueError, match="1 chunks where 2 are needed"):
        erasure.recover(TINY, {3: chunks[3]})
    for index in (6, -1):
        with pytest.raises(ValueError, match=f"chunk {index} belongs to nobody"):
            erasure.recover(TINY, {3: chunks[3], index: chunks[3]})
    with pytest.raises(ValueError, match="of one length"):
        erasure.recover(TINY, {3: chunks[3], 4: bytes(2)})
    with pytest.raises(ValueError, match="whole words"):
        erasure.recover(TINY, {3: bytes(3), 4: bytes(3)})
    with pytest.raises(ValueError, match="no multiple"):
        erasure.encode(TINY, bytes(6))


def _sum(a: bytes | bytearray, b: bytes | bytearray) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
