"""Overlays over accounts: layers, checkpoints and merging against plain copies."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jamliquor.params import FULL, TINY
from jamliquor.state import keys
from jamliquor.state.accounts import Accounts, Draft, credited, threshold
from tests.support.hosting import HASH, account, state_of

services = st.integers(1, 4)
names = st.sampled_from([b"a", b"b", b"c"])
values = st.none() | st.binary(max_size=2)
step = st.one_of(
    st.tuples(st.just("entry"), names, values),
    st.tuples(st.just("account"), services, st.none() | st.integers(0, 9)),
    st.tuples(st.just("checkpoint"), st.none(), st.none()),
)


@given(st.lists(step), st.booleans())
def test_a_draft_is_two_copies_of_everything(steps: list[Any], fails: bool) -> None:
    state = state_of({1: account(balance=1), 2: account(balance=2)}) | {b"a": b"prior"}
    accounts = Accounts(TINY, state.get)
    draft = Draft(accounts)
    model: dict[Any, Any] = {1: 1, 2: 2, b"a": b"prior"}
    saved = dict(model)
    for kind, key, value in steps:
        if kind == "entry":
            draft.set_entry(key, value)
            model[key] = value
        elif kind == "account":
            draft.set_account(key, None if value is None else account(balance=value))
            model[key] = value
        else:
            draft.checkpoint()
            saved = dict(model)
        for name in (b"a", b"b", b"c"):
            assert draft.entry(name) == model.get(name)
        for service in range(1, 5):
            record = draft.account(service)
            assert (record and record.balance) == model.get(service)
        assert (accounts.entry(b"a"), accounts.entry(b"b")) == (b"prior", None)
    if fails:
        draft.rollback()
        model = saved
    draft.checkpoint()
    accounts.merge(draft.records, draft.entries)
    after = {**state, **accounts.changes()}
    assert {name: after.get(name) for name in (b"a", b"b", b"c")} == {
        name: model.get(name) for name in (b"a", b"b", b"c")
    }
    for service in range(1, 5):
        record = Accounts(TINY, after.get).account(service)
        assert (record and record.balance) == model.get(service)


def test_nothing_changed() -> None:
    accounts = Accounts(TINY, state_of({1: account()}).get)
    assert accounts.account(1) == account()
    assert accounts.changes() == {}


def test_services_that_cannot_be() -> None:
    accounts = Accounts(TINY, {}.get)
    assert [accounts.account(service) for service in (-1, 2**32, 2**64)] == [None] * 3
    assert accounts.request(1, HASH, 2**32) is None


def test_threshold() -> None:
    record = account(items=3, octets=50)
    assert threshold(TINY, record) == threshold(FULL, record) == 100 + 30 + 50
    assert threshold(TINY, record._replace(deposit_offset=179)) == 1
    assert threshold(TINY, record._replace(deposit_offset=181)) == 0


def test_balances_stay_below_their_limit() -> None:
    assert credited(account(balance=5), 6).balance == 11
    assert credited(account(balance=2**64 - 3), 3).balance == 2**64 - 1


def test_provide_only_what_is_wanted() -> None:
    requests = {(1, HASH, 4): (), (2, HASH, 4): (1,), (3, HASH, 4): ()}
    accounts = Accounts(TINY, state_of({1: account(), 2: account()}, requests=requests).get)
    assert accounts.provide(1, HASH, b"data", 9)
    assert not accounts.provide(1, HASH, b"data", 9)
    assert not accounts.provide(2, HASH, b"data", 9)
    # The request of a service that is gone.
    assert not accounts.provide(3, HASH, b"data", 9)
    assert not accounts.provide(1, HASH, b"other", 9)
    assert accounts.changes() == {
        keys.request(1, 4, HASH): b"\x01\x09\0\0\0",
        keys.preimage(1, HASH): b"data",
    }
