"""Chain parameters in their encoded form, and whole chain specifications."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from jamliquor.chain_spec import (
    LAYOUT,
    decode_params,
    encode_params,
    params_of_spec,
    parse_bootnode,
    parse_spec,
)
from jamliquor.errors import DecodeError
from jamliquor.params import FULL, TINY, ChainParams
from jamliquor.state.keys import component


@pytest.mark.parametrize("params", [TINY, FULL])
def test_round_trip(params: ChainParams) -> None:
    encoded = encode_params(params)
    assert len(encoded) == 134
    assert decode_params(encoded, params.name) == params
    spec = {"id": params.name, "protocol_parameters": "0x" + encoded.hex(), "bootnodes": []}
    assert params_of_spec(spec) == params


def test_fields_stand_where_the_paper_has_them() -> None:
    encoded = encode_params(FULL)
    assert encoded[:8] == (10).to_bytes(8, "little")
    assert encoded[24:26] == (341).to_bytes(2, "little")
    assert encoded[92:94] == (1023).to_bytes(2, "little")
    assert encoded[-4:] == (500).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("field", "value"),
    [("epoch_length", 0), ("validator_count", 0), ("ticket_submission_end", 13), ("segment_pieces", 7)],
)
def test_values_that_no_chain_can_have(field: str, value: int) -> None:
    encoded = bytearray(encode_params(TINY))
    at = 0
    for name, octets in LAYOUT:
        if name == field:
            encoded[at : at + octets] = value.to_bytes(octets, "little")
        at += octets
    with pytest.raises(DecodeError) as caught:
        decode_params(bytes(encoded), "odd")
    assert caught.value.path == field


ALICE = "eecgwpgwq3noky4ijm4jmvjtmuzv44qvigciusxakq5epnrfj2utb"


def _record() -> dict[str, Any]:
    return {
        "id": "ours",
        "bootnodes": [f"{ALICE}@192.168.50.18:62061"],
        "genesis_header": "0xAB",
        "genesis_state": {"0b" + "00" * 30: "01020304", "01" + "00" * 30: ""},
        "protocol_parameters": encode_params(TINY).hex(),
    }


def test_a_whole_file() -> None:
    spec = parse_spec(_record())
    assert spec.params == replace(TINY, name="ours")
    assert spec.genesis_header == b"\xab"
    assert spec.genesis_state == {component(11): b"\1\2\3\4", component(1): b""}
    again = spec.record()
    assert list(again["genesis_state"]) == sorted(again["genesis_state"])
    assert parse_spec(again) == spec
    assert json.loads(json.dumps(again)) == again


def test_bootnodes_are_optional() -> None:
    record = _record()
    del record["bootnodes"]
    assert parse_spec(record).bootnodes == ()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (f"{ALICE}@10.0.0.1:1", f"{ALICE}@10.0.0.1:1"),
        (f"{ALICE}@[::1]:65535", f"{ALICE}@[::1]:65535"),
        (f"{ALICE}@fe80:0::1:80", f"{ALICE}@[fe80::1]:80"),
    ],
)
def test_bootnodes(text: str, written: str) -> None:
    node = parse_bootnode(text)
    assert str(node) == written
    assert parse_bootnode(written) == node


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "belongs here"),
        (ALICE, "belongs here"),
        (f"{ALICE}@10.0.0.1", "belongs here"),
        (f"{ALICE}@10.0.0.1:0", "is no port"),
        (f"{ALICE}@10.0.0.1:65536", "is no port"),
        (f"{ALICE}@10.0.0.1:+1", "is no port"),
        (f"{ALICE}@10.0.0.256:1", "neither an IPv4 nor"),
        (f"{ALICE}@example.org:1", "neither an IPv4 nor"),
        (f"{ALICE[:-1]}@10.0.0.1:1", "53 letters"),
    ],
)
def test_what_is_no_bootnode(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_bootnode(text)
    with pytest.raises(DecodeError, match=reason) as caught:
        parse_spec(_record() | {"bootnodes": [f"{ALICE}@10.0.0.1:1", text]})
    assert caught.value.path == "bootnodes[1]"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"id": 7}, "id"),
        ({"bootnodes": {}}, "bootnodes"),
        ({"bootnodes": [7]}, "bootnodes[0]"),
        ({"genesis_header": None}, "genesis_header"),
        ({"genesis_header": "abc"}, "genesis_header"),
        ({"genesis_header": "ab cd"}, "genesis_header"),
        ({"genesis_state": []}, "genesis_state"),
        ({"genesis_state": {"0b": "00"}}, "genesis_state.0b"),
        ({"genesis_state": {"0b" * 31: 7}}, "genesis_state." + "0b" * 31),
        ({"genesis_state": {"0b" * 31: "", "0B" * 31: ""}}, "genesis_state." + "0B" * 31),
        ({"protocol_parameters": "00"}, "protocol_parameters"),
    ],
)
def test_what_is_no_specification(change: dict[str, Any], path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_spec(_record() | change)
    assert caught.value.path == path
