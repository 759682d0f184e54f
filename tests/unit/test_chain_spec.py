"""Chain parameters in their encoded form."""

from __future__ import annotations

import pytest

from jamliquor.chain_spec import LAYOUT, decode_params, encode_params, params_of_spec
from jamliquor.errors import DecodeError
from jamliquor.params import FULL, TINY, ChainParams


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
