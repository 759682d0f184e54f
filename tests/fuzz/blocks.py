"""Targets that import blocks: octets changed anyhow, and blocks changed and signed again."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable
from typing import Any

from jamliquor.author import statements
from jamliquor.chain.importer import Importer
from jamliquor.codec import codec
from jamliquor.errors import DecodeError, HostError, InvalidBlock, Unjudged
from jamliquor.params import TINY
from jamliquor.pvm.reference import ReferenceEngine
from jamliquor.state import keys
from jamliquor.state.state import COMPONENT_TYPES, State
from jamliquor.stf.reports import report_hash
from jamliquor.types.block import Block
from jamliquor.types.extrinsic import Extrinsic
from tests.fuzz.octets import story
from tests.fuzz.structure import varied, varied_octets
from tests.fuzz.target import Check, Target, demand
from tests.support.maker import Made, Maker

SIGNED_GUARANTEES = 1
SIGNED_ASSURANCES = 2
MARKED_OFFENDERS = 4
RIGHT_ROOT = 8
RIGHT_MARKS = 16


def bases() -> list[Made]:
    """The blocks of the story, one of each height and fork."""
    return list(story().maker.made.values())


def judge(importer: Importer, block: Block | bytes) -> Any:
    """The root after a block, or why there is none; anything else is a finding."""
    try:
        return importer.import_block(block).root
    except (DecodeError, InvalidBlock, Unjudged) as error:
        return str(error)


def on_parent(made: Made, reference: bool = False) -> Importer:
    """An importer that knows a block's parent alone."""
    maker = story().maker
    if not reference:
        importer = maker.new_importer(kept_states=2)
    else:
        importer = Importer(TINY, ReferenceEngine(), kept_states=2)
    line = [(one.hash, one.slot) for one in maker.path(made.parent)]
    importer.add_ancestors([(maker.root, 0), *line])
    importer.start(made.parent, maker.state(made.parent))
    return importer


# Octets: the first one chooses the parent that is known.


def _octets() -> Check:
    importers = [on_parent(made) for made in bases()]

    def check(data: bytes) -> None:
        if data:
            importer = importers[data[0] % len(importers)]
            first = judge(importer, data[1:])
            demand(judge(importer, data[1:]) == first, "another verdict at the second time")

    return check


def _octet_seeds() -> Iterable[bytes]:
    return [bytes([index]) + made.encoded for index, made in enumerate(bases())]


# Changed and sealed again: everything but what was changed is as it should be.


def _sealed() -> Check:
    maker, found = story().maker, bases()
    decode = codec(Block, TINY).decode

    def check(data: bytes) -> None:
        if len(data) < 2:
            return
        made = found[data[0] % len(found)]
        try:
            block = decode(data[2:])
        except DecodeError:
            return
        changed = resealed(maker, made, block, data[1])
        verdict = judge(on_parent(made), changed)
        encoded = codec(Block, TINY).encode(changed)
        demand(judge(on_parent(made), encoded) == verdict, "octets are judged otherwise")
        if isinstance(verdict, bytes) and data[1] & 0x80:
            other = judge(on_parent(made, reference=True), encoded)
            demand(other == verdict, f"backends disagree: {other!r}")

    return check


def resealed(maker: Maker, made: Made, block: Block, flags: int) -> Block:
    """A changed block with the signatures that ``flags`` ask for, and a seal."""
    header, extrinsic = block
    ahead = maker.outlook(made.parent, made.slot)
    if flags & SIGNED_GUARANTEES:
        extrinsic = _signed_guarantees(maker, ahead, extrinsic)
    if flags & SIGNED_ASSURANCES:
        active = ahead.prior.component(keys.ACTIVE_VALIDATORS)
        extrinsic = extrinsic._replace(
            assurances=tuple(
                _signed_assurance(maker, active, made.parent, item) for item in extrinsic.assurances
            )
        )
    given = made.block.header
    root, marks = (given if flags & flag else header for flag in (RIGHT_ROOT, RIGHT_MARKS))
    changes: dict[str, Any] = {
        "slot": header.slot,
        "author_index": header.author_index,
        "parent_state_root": root.parent_state_root,
        "epoch_mark": marks.epoch_mark,
        "tickets_mark": marks.tickets_mark,
        "offenders_mark": marks.offenders_mark,
    }
    if flags & MARKED_OFFENDERS:
        disputes = extrinsic.disputes
        changes["offenders_mark"] = tuple(item.key for item in (*disputes.culprits, *disputes.faults))
    return maker.altered(made.block, **changes, **extrinsic._asdict())


def _signed_guarantees(maker: Maker, ahead: Any, extrinsic: Extrinsic) -> Extrinsic:
    signed = []
    for item in extrinsic.guarantees:
        validators = statements.assignment(ahead, ahead.slot).validators
        hashed = report_hash(TINY, item.report)
        credentials = []
        for credential in item.credentials:
            if credential.validator < len(validators):
                key = maker.keyring.ed25519(validators[credential.validator].ed25519)
                if key is not None:
                    credential = statements.credential(key, credential.validator, hashed)
            credentials.append(credential)
        signed.append(item._replace(credentials=tuple(credentials)))
    return extrinsic._replace(guarantees=tuple(signed))


def _signed_assurance(maker: Maker, active: Any, parent: bytes, item: Any) -> Any:
    key = maker.keyring.ed25519(active[item.validator % len(active)].ed25519)
    if key is None or item.validator >= len(active):
        return item
    bits = int.from_bytes(item.availabilities, "little")
    cores = [core for core in range(TINY.core_count) if bits >> core & 1]
    return statements.assurance(TINY, key, item.validator, parent, cores)


def _sealed_seeds() -> Iterable[bytes]:
    signed = SIGNED_GUARANTEES | SIGNED_ASSURANCES | MARKED_OFFENDERS | RIGHT_ROOT
    return [
        bytes([index, 0x80 | signed | flag]) + made.encoded
        for index, made in enumerate(bases())
        for flag in (0, RIGHT_MARKS)
    ]


def _vary_block(data: bytes, choice: random.Random) -> bytes | None:
    """A change in the extrinsic mostly, whose rules are many."""
    subject = codec(Block, TINY)

    def vary(block: Block, choice: random.Random) -> Block:
        if choice.random() < 0.15:
            return block._replace(header=varied(block.header, choice))
        return block._replace(extrinsic=varied(block.extrinsic, choice))

    changed = varied_octets(subject, data[2:], choice, vary)
    return None if changed is None else data[:2] + changed


# States of strangers: one component is other octets, and a block comes on it.


def _states() -> Check:
    found = bases()
    indices = sorted(COMPONENT_TYPES)

    def check(data: bytes) -> None:
        if len(data) < 2:
            return
        made = found[data[0] % len(found)]
        key = keys.component(indices[data[1] % len(indices)])
        prior = story().maker.state(made.parent)
        changed = State(TINY, prior.trie.apply({key: data[2:]}))
        importer = story().maker.new_importer(kept_states=2)
        with contextlib.suppress(DecodeError, HostError):
            importer.start(made.parent, changed)
            root = {"parent_state_root": changed.root}
            judge(importer, made.block._replace(header=made.block.header._replace(**root)))

    return check


def _vary_state(data: bytes, choice: random.Random) -> bytes | None:
    if len(data) < 2:
        return None
    indices = sorted(COMPONENT_TYPES)
    subject = codec(COMPONENT_TYPES[indices[data[1] % len(indices)]], TINY)
    changed = varied_octets(subject, data[2:], choice)
    return None if changed is None else data[:2] + changed


def _state_seeds() -> Iterable[bytes]:
    for index, made in enumerate(bases()):
        if index % 4:
            continue
        state = story().maker.state(made.parent)
        for at, component in enumerate(sorted(COMPONENT_TYPES)):
            value = state.get(keys.component(component))
            assert value is not None
            yield bytes([index, at]) + value


TARGETS = (
    Target("block-octets", _octets, _octet_seeds, 8192),
    Target("blocks-sealed", _sealed, _sealed_seeds, 8192, _vary_block),
    Target("states", _states, _state_seeds, 8192, _vary_state),
)
