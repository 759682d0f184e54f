"""The public codec vectors, both ways, and what their JSON says of their fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jamliquor.codec import codec
from jamliquor.errors import DecodeError
from jamliquor.params import NAMED
from jamliquor.types import extrinsic, work
from jamliquor.types.block import Block
from jamliquor.types.header import Header
from tests.support.vectors import vectors

KINDS: dict[str, Any] = {
    "assurances_extrinsic": extrinsic.Assurances,
    "block": Block,
    "disputes_extrinsic": extrinsic.Disputes,
    "extrinsic": extrinsic.Extrinsic,
    "guarantees_extrinsic": extrinsic.Guarantees,
    "header_0": Header,
    "header_1": Header,
    "preimages_extrinsic": extrinsic.Preimages,
    "refine_context": work.RefinementContext,
    "tickets_extrinsic": extrinsic.Tickets,
    "work_item": work.WorkItem,
    "work_package": work.WorkPackage,
    "work_report": work.WorkReport,
    "work_result_0": work.WorkDigest,
    "work_result_1": work.WorkDigest,
}


@pytest.mark.parametrize("path", vectors("codec/*/*.bin"))
def test_decodes_and_encodes_back(path: Path) -> None:
    data = path.read_bytes()
    subject = codec(KINDS[path.stem], NAMED[path.parent.name])
    assert subject.encode(subject.decode(data)) == data


@pytest.mark.parametrize("path", vectors("codec/*/*.bin"))
def test_values_are_those_of_the_json(path: Path) -> None:
    value = codec(KINDS[path.stem], NAMED[path.parent.name]).decode(path.read_bytes())
    expected: list[str] = []
    _leaves(json.loads(path.with_suffix(".json").read_text()), expected)
    found: list[str] = []
    _values(value, found)
    # Names and the shape of choices differ; every octet string and number must be there in order.
    assert sorted(found) == sorted(expected)


def _leaves(node: Any, out: list[str]) -> None:
    if isinstance(node, dict):
        for name, item in node.items():
            if name in _ERRORS and item is None:
                out.append(name)
            else:
                _leaves(item, out)
    elif isinstance(node, list):
        for item in node:
            _leaves(item, out)
    elif isinstance(node, str):
        out.append(node.removeprefix("0x"))
    elif node is not None:
        out.append(str(int(node)))


_ERRORS = {
    "out_of_gas": work.WorkError.OUT_OF_GAS,
    "panic": work.WorkError.PANIC,
    "bad_exports": work.WorkError.BAD_EXPORTS,
}


def _values(node: Any, out: list[str]) -> None:
    if isinstance(node, work.WorkError):
        out.append(next(name for name, error in _ERRORS.items() if error is node))
    elif isinstance(node, bytes):
        out.append(node.hex())
    elif isinstance(node, tuple):
        for item in node:
            _values(item, out)
    elif node is not None:
        out.append(str(int(node)))


@pytest.mark.parametrize("path", vectors("codec/tiny/*.bin"))
def test_every_shorter_or_longer_input_is_refused(path: Path) -> None:
    data = path.read_bytes()
    subject = codec(KINDS[path.stem], NAMED["tiny"])
    for size in {*range(0, len(data), max(1, len(data) // 97)), len(data) - 1}:
        with pytest.raises(DecodeError) as caught:
            subject.decode(data[:size])
        assert caught.value.offset <= size
    with pytest.raises(DecodeError, match="1 octets left over"):
        subject.decode(data + b"\0")
