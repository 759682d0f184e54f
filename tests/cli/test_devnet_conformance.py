"""Chains of a development network through the conformance protocol, as traces of ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jamliquor.codec import codec
from jamliquor.node.devnet import Devnet, Kind, Options
from jamliquor.params import TINY
from jamliquor.state.state import State
from jamliquor.types.block import Block
from jamliquor.types.trace import Genesis, KeyValue, RawState, TraceStep
from tests.support.command import run
from tests.support.target import running_target


def raw(state: State) -> RawState:
    return RawState(state.root, tuple(KeyValue(*entry) for entry in state.items()))


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of steps: two epochs with work, empty slots, a dispute, blocks to be refused."""
    folder = tmp_path_factory.mktemp("traces") / "devnet"
    folder.mkdir()
    options = Options(seed=12, tickets=4, skip_rate=0.1, dispute_rate=0.1, refused_rate=0.2)
    devnet = Devnet(options)
    begun = Genesis(devnet.genesis.header, raw(devnet.genesis.state))
    (folder / "genesis.bin").write_bytes(codec(Genesis, TINY).encode(begun))
    prior, number, kinds = devnet.genesis.state, 0, set()
    for happened in devnet.run(26):
        kinds.add(happened.kind)
        if happened.octets is None:
            continue
        posterior = prior
        if happened.kind is Kind.BLOCK:
            found = devnet.node.state_of(happened.hash)
            assert found is not None
            posterior = found
        number += 1
        block = codec(Block, TINY).decode(happened.octets)
        step = TraceStep(raw(prior), block, raw(posterior))
        (folder / f"{number:08}.bin").write_bytes(codec(TraceStep, TINY).encode(step))
        prior = posterior
    assert kinds == {Kind.BLOCK, Kind.REFUSED, Kind.SKIPPED}
    return folder


def test_a_target_agrees(trace: Path, tmp_path: Path) -> None:
    with running_target(tmp_path) as target:
        ran = run("conformance", "run", "--socket", target.path, trace, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["blocks"] == len(list(trace.glob("0*.bin")))


def test_import_agrees(trace: Path) -> None:
    ran = run("import", trace, "--quiet")
    assert ran.code == 0, ran.out
