"""Chains of a development network, whatever the seed: the importer of another node agrees."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from jamliquor.chain.importer import Importer
from jamliquor.errors import InvalidBlock
from jamliquor.node.devnet import Devnet, Kind, Options
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state import keys
from jamliquor.types.state import TicketKeys

SLOTS = 26

rates = st.sampled_from([0.0, 0.1, 0.3])
options = st.builds(
    Options,
    seed=st.integers(0, 2**64 - 1),
    validators=st.sampled_from([4, 6, 9]),
    tickets=st.sampled_from([0, 3]),
    fork_rate=rates,
    fallback_rate=st.just(0.0),
    work=st.just("mixed"),
    skip_rate=rates,
    dispute_rate=st.sampled_from([0.0, 0.2]),
    refused_rate=st.sampled_from([0.0, 0.2]),
    start=st.integers(0, 50),
)


@settings(max_examples=6, deadline=None)
@given(options)
def test_another_importer_agrees(chosen: Options) -> None:
    devnet = Devnet(chosen)
    importer = Importer(devnet.params, NativeEngine(), kept_states=SLOTS)
    importer.start(devnet.genesis.hash, devnet.genesis.state)
    made = 0
    for happened in devnet.run(SLOTS):
        if happened.kind is Kind.SKIPPED:
            continue
        assert happened.octets is not None
        if happened.kind is Kind.REFUSED:
            try:
                importer.import_block(happened.octets)
            except InvalidBlock as error:
                assert error.code == happened.reason
                continue
            raise AssertionError("a spoilt block was accepted")
        imported = importer.import_block(happened.octets)
        assert imported.root == happened.root
        assert imported.ticketed == happened.ticketed
        made += 1
    assert made > SLOTS // 3


def test_epochs_of_both_kinds_and_all_services_at_work() -> None:
    devnet = Devnet(Options(seed=5, skip_rate=0.05))
    modes = set()
    for happened in devnet.run(28):
        if happened.kind is Kind.BLOCK:
            state = devnet.node.state_of(happened.hash)
            assert state is not None
            modes.add(type(state.component(keys.SAFROLE).sealing_keys) is TicketKeys)
    assert modes == {True, False}
    state = devnet.node.state_of(devnet.node.head)
    assert state is not None
    for service in (1000, 1001, 1002, 1003):
        account = state.account(service)
        assert account is not None
        assert account.last_accumulated > 0
