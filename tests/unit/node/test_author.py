"""The author: in its slots, in time, once, and valid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jamliquor.author import sealing
from jamliquor.author.keys import Keyring
from jamliquor.author.outlook import outlook
from jamliquor.chain import events
from jamliquor.codec import codec
from jamliquor.node import author, prover
from jamliquor.node.author import (
    AuthorSettings,
    ClockWrong,
    NotAValidator,
    check_clock,
    check_validator,
)
from jamliquor.node.signer import read_record
from jamliquor.params import TINY
from jamliquor.state import keys
from jamliquor.store.segments import entries
from jamliquor.types.block import Block
from jamliquor.types.header import Header
from tests.support.maker import secrets
from tests.support.validating import START, Clock, Validator, begun, node_of

SECONDS = TINY.slot_seconds


@pytest.fixture
def clock() -> Clock:
    return Clock(float(START * SECONDS))


@pytest.fixture
def everybody(clock: Clock, tmp_path: Path) -> Iterator[list[Validator]]:
    made = [Validator(index, clock, tmp_path / str(index)) for index in range(6)]
    yield made
    for each in made:
        each.signer.close()
        each.node.close()


def owner(slot: int) -> int:
    """Which validator seals a slot of the genesis' epoch."""
    ahead = outlook(begun().state, slot)
    for index in range(6):
        if sealing.claim(ahead, Keyring([secrets()[index]])) is not None:
            return index
    raise AssertionError("nobody may seal the slot")


def step(everybody: list[Validator], clock: Clock, until: float) -> None:
    """Move the clock in quarters of a second; blocks reach everybody at once."""
    while clock.now < until:
        for each in everybody:
            each.author.tick()
            for slot, octets in each.sent:
                for other in everybody:
                    if other is not each:
                        other.node.receive(octets, "test", now=slot)
            each.sent.clear()
        clock.now += 0.25


def header_of(octets: bytes) -> Header:
    return codec(Block, TINY).decode(octets).header


def skipped(folder: Path) -> list[tuple[int, str]]:
    found = [entry.event for entry in entries(folder / "events")]
    return [(each.slot, each.reason.decode()) for each in found if isinstance(each, events.Skipped)]


def test_validators_make_a_chain_and_win_an_epoch_with_their_tickets(
    everybody: list[Validator], clock: Clock
) -> None:
    step(everybody, clock, (START + 14) * SECONDS)
    heads = {each.node.head for each in everybody}
    assert len(heads) == 1
    record = everybody[0].node.head_record
    assert record.number == 13
    assert record.ticketed
    assert sum(each.author.authored for each in everybody) == 13
    for each in everybody:
        signed = [
            slot for slot, _ in read_record(each.folder / "signed", each.secret.bandersnatch.public)
        ]
        assert len(signed) == each.author.authored
        assert skipped(each.folder) == []


@pytest.mark.parametrize(("late", "built_upon"), [(1.75, True), (2.5, False)])
def test_a_late_parent(everybody: list[Validator], clock: Clock, late: float, built_upon: bool) -> None:
    slot = START + 1
    first, second = everybody[owner(slot)], everybody[owner(slot + 1)]
    assert first is not second
    clock.now = slot * SECONDS
    first.author.tick()
    [(_, parent)] = first.sent
    clock.now = (slot + 1) * SECONDS
    arrived = False
    while not second.sent:
        second.author.tick()
        clock.now += 0.25
        if not arrived and clock.now >= (slot + 1) * SECONDS + late:
            second.node.receive(parent, "test", now=slot + 1)
            arrived = True
    [(_, made)] = second.sent
    expected = first.node.head if built_upon else begun().hash
    assert header_of(made).parent == expected


def test_no_second_block_for_a_slot_after_a_crash(clock: Clock, tmp_path: Path) -> None:
    slot = START + 1
    index = owner(slot)
    clock.now = START * SECONDS
    before = Validator(index, clock, tmp_path / "one")
    clock.now = slot * SECONDS
    before.author.tick()
    assert [sent for sent, _ in before.sent] == [slot]
    # The chain is lost, the record of what was signed is not, and the clock was set back.
    before.signer.close()
    before.node.close()
    clock.now = START * SECONDS
    again = Validator(index, clock, tmp_path / "one")
    clock.now = slot * SECONDS
    again.author.tick()
    assert again.sent == []
    assert again.author.skipped == 1
    assert any("nothing is signed up to" in line for line in again.lines)
    again.signer.close()
    again.node.close()
    assert skipped(tmp_path / "one")[-1][0] == slot


@pytest.mark.parametrize(("begin", "size"), [(0.0, 2), (4.75, 1), (4.85, 0), (4.95, None)])
def test_the_later_the_smaller_and_never_late(
    clock: Clock, tmp_path: Path, begin: float, size: int | None
) -> None:
    slot = START + 1
    validator = Validator(owner(slot), clock, tmp_path / "one")
    clock.now = slot * SECONDS + begin
    validator.author.tick()
    validator.signer.close()
    validator.node.close()
    found = [entry.event for entry in entries(validator.folder / "events")]
    authored = [event for event in found if isinstance(event, events.Authored)]
    assert [event.size for event in authored] == ([] if size is None else [size])
    if size is None:
        assert skipped(validator.folder) == [(slot, "no time was left for it")]


def test_work_that_takes_too_long_is_not_sent(clock: Clock, tmp_path: Path) -> None:
    slot = START + 1
    validator = Validator(owner(slot), clock, tmp_path / "one")
    clock.now, clock.cost = float(slot * SECONDS), 2.0
    validator.author.tick()
    validator.signer.close()
    validator.node.close()
    assert validator.sent == []
    assert skipped(validator.folder) == [(slot, "no time was left for it")]


def test_slots_that_passed_have_a_reason(clock: Clock, tmp_path: Path) -> None:
    index = owner(START + 2)
    validator = Validator(index, clock, tmp_path / "one")
    clock.now = float((START + 5) * SECONDS)
    validator.author.tick()
    validator.signer.close()
    validator.node.close()
    ours = [slot for slot in range(START + 1, START + 5) if owner(slot) == index]
    reason = "it passed while the process did not run"
    assert skipped(validator.folder) == [(slot, reason) for slot in ours]


def test_a_block_that_cannot_be_sent_is_kept(clock: Clock, tmp_path: Path) -> None:
    slot = START + 1
    validator = Validator(owner(slot), clock, tmp_path / "one")

    def fail(octets: bytes, slot: int, block_hash: bytes) -> None:
        raise OSError("nobody listens")

    validator.publish = fail
    clock.now = float(slot * SECONDS)
    validator.author.tick()
    assert validator.node.head_record.slot == slot
    assert any("nobody listens" in line for line in validator.lines)
    validator.signer.close()
    validator.node.close()


def test_proved_tickets_outlive_a_restart(clock: Clock, tmp_path: Path) -> None:
    slot = START + 1
    other = (owner(slot) + 1) % 6
    first = Validator(other, clock, tmp_path / "one")
    first.author.tick()
    clock.now += 3
    first.author.tick()
    made = first.prover.made
    assert made == 2
    first.signer.close()
    first.node.close()
    second = Validator(other, clock, tmp_path / "one")
    second.author.tick()
    assert second.prover.made >= made
    assert len(second.pools.tickets) >= made
    second.signer.close()
    second.node.close()


def test_the_prover_is_released_when_the_contest_is_over(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each contest: its memory is not needed until the next."""
    released: list[float] = []
    monkeypatch.setattr(prover.bandersnatch, "release_prover", lambda: released.append(clock.now))
    end = (START + TINY.ticket_submission_end - 1) * SECONDS
    validator = Validator((owner(START + 1) + 1) % 6, clock, tmp_path / "one")
    while clock.now < end + 2 * SECONDS:
        validator.author.tick()
        clock.now += 1
    validator.signer.close()
    validator.node.close()
    assert validator.prover.made == TINY.tickets_per_validator
    assert len(released) == 1 and released[0] <= end


def test_the_next_ring_is_prepared_when_the_staging_set_changes(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[bytes] = []
    monkeypatch.setattr(author.ring, "prepare", lambda root, size: prepared.append(root))
    validator = Validator(0, clock, tmp_path / "one")
    for _ in range(3):
        validator.author.tick()
        clock.now += 1
    state = begun().state
    assert prepared == [state.component(keys.SAFROLE).ring_root]
    staging = state.component(keys.STAGING_VALIDATORS)
    changed = state.child({keys.STAGING_VALIDATORS: (staging[1], *staging[1:])}, {})
    for each in (changed, changed, state):
        validator.author._prepare(each)
    assert len(prepared) == 3 and prepared[0] == prepared[2] != prepared[1]
    validator.signer.close()
    validator.node.close()


def test_a_clock_that_goes_back_is_an_error(clock: Clock, tmp_path: Path) -> None:
    validator = Validator(0, clock, tmp_path / "one")
    clock.now += 30
    validator.author.tick()
    clock.now -= 20
    with pytest.raises(ClockWrong, match="went back"):
        validator.author.tick()
    validator.signer.close()
    validator.node.close()


def test_the_clock_is_compared_with_the_best_block(everybody: list[Validator], clock: Clock) -> None:
    settings = AuthorSettings()
    step(everybody, clock, (START + 2) * SECONDS)
    node = everybody[0].node
    at = node.head_record.slot * SECONDS
    check_clock(node, at, settings)
    with pytest.raises(ClockWrong, match="behind: the best block's slot begins in 3600 s"):
        check_clock(node, at - 3600, settings)
    with pytest.raises(ClockWrong, match="3600 s old"):
        check_clock(node, at + 3600, settings)
    # A chain may wait for its first block as long as it likes.
    check_clock(node_of(begun()), at + 10**6, settings)


def test_strangers_are_told() -> None:
    node = node_of(begun())
    check_validator(node, secrets()[3])
    with pytest.raises(NotAValidator):
        check_validator(node, secrets()[7])
