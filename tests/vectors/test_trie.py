"""Appendix D against the trie vectors and the states of the traces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import TINY
from jamliquor.state import keys
from jamliquor.state.trie import Trie
from jamliquor.types.trace import Genesis, TraceStep
from tests.support.naive_trie import LEAST_SIGNIFICANT_FIRST, NaiveTrie, merklize
from tests.support.vectors import vectors


@pytest.mark.parametrize("path", vectors("trie/trie.json"))
def test_roots_of_the_vectors(path: Path) -> None:
    """These vectors are older than the paper: least significant bits first, keys of 32 bytes.

    They judge the formula, which the model takes with either order of bits; with the paper's
    order, which the traces below confirm, the native trie must agree with the model.
    """
    cases = json.loads(path.read_text())
    assert len(cases) == 11
    for case in cases:
        entries = {bytes.fromhex(k)[:31]: bytes.fromhex(v) for k, v in case["input"].items()}
        assert merklize(entries, LEAST_SIGNIFICANT_FIRST).hex() == case["output"]
        root = merklize(entries)
        assert Trie.from_entries(entries.items()).root == root
        one_by_one = Trie.empty()
        for key, value in entries.items():
            one_by_one = one_by_one.apply({key: value})
        assert one_by_one.root == root


@pytest.mark.parametrize("backend", [Trie, NaiveTrie])
@pytest.mark.parametrize("path", vectors("traces/*/000000[0-9]5.bin"))
def test_roots_of_traces(path: Path, backend: type[Any]) -> None:
    step = codec(TraceStep, TINY).decode(path.read_bytes())
    before, after = dict(step.prior.entries), dict(step.posterior.entries)
    prior, posterior = (backend.from_entries(state.items()) for state in (before, after))
    assert prior.root == step.prior.state_root
    assert posterior.root == step.posterior.state_root

    changes = {k: after.get(k) for k in {*before, *after} if before.get(k) != after.get(k)}
    assert prior.changed_keys(posterior) == sorted(changes)
    assert prior.apply(changes).root == posterior.root
    assert posterior.apply({key: before.get(key) for key in changes}).root == prior.root
    assert dict(prior.items()) == before


@pytest.mark.parametrize("path", vectors("traces/*/genesis.bin"))
def test_keys_of_genesis_states(path: Path) -> None:
    """Every key of a first state is one that the constructors make; none holds storage yet."""
    entries = dict(codec(Genesis, TINY).decode(path.read_bytes()).state.entries)
    unknown = set(entries)
    for index, _ in keys.COMPONENT_NAMES:
        unknown.remove(keys.component(index))
    services = [s for s in range(256) if keys.service(s) in entries]
    assert services
    for service_id in services:
        unknown.remove(keys.service(service_id))
        preimages = [
            value for value in entries.values() if keys.preimage(service_id, blake2b(value)) in entries
        ]
        assert preimages
        for value in preimages:
            unknown.remove(keys.preimage(service_id, blake2b(value)))
            unknown.remove(keys.request(service_id, len(value), blake2b(value)))
    assert not unknown, [keys.describe(key) for key in unknown]
