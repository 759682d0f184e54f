"""Appendix H against the erasure vectors: what is encoded, and what comes back from any chunks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jamliquor.crypto import erasure
from jamliquor.params import NAMED
from tests.support.vectors import vectors


@pytest.mark.parametrize("path", vectors("erasure/*/*.json"))
def test_vectors(path: Path) -> None:
    params = NAMED[path.parent.name]
    vector = json.loads(path.read_text())
    data = bytes.fromhex(vector["data"][2:])
    chunks = [bytes.fromhex(shard[2:]) for shard in vector["shards"]]
    padded = erasure.padded(data, params.erasure_piece_size)
    assert erasure.encode(params, padded) == chunks
    needed = erasure.originals(params)
    last = range(params.validator_count - needed, params.validator_count)
    assert erasure.recover(params, {index: chunks[index] for index in last}) == padded
    spread = range(1, 2 * needed, 2)
    assert erasure.recover(params, {index: chunks[index] for index in spread}) == padded
    assert erasure.recover(params, dict(enumerate(chunks))) == padded
