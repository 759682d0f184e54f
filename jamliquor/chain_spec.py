"""Chain parameters in their encoded form, and the part of a JIP-4 chain-spec file that holds them."""

from __future__ import annotations

from typing import Any

from jamliquor.errors import DecodeError
from jamliquor.params import FULL, ChainParams

LAYOUT: tuple[tuple[str, int], ...] = (
    ("item_deposit", 8),
    ("octet_deposit", 8),
    ("base_deposit", 8),
    ("core_count", 2),
    ("preimage_expunge_period", 4),
    ("epoch_length", 4),
    ("report_accumulation_gas", 8),
    ("authorization_gas", 8),
    ("refine_gas", 8),
    ("block_accumulation_gas", 8),
    ("recent_history_length", 2),
    ("max_work_items", 2),
    ("max_report_dependencies", 2),
    ("max_block_tickets", 2),
    ("max_lookup_anchor_age", 4),
    ("tickets_per_validator", 2),
    ("authorization_pool_size", 2),
    ("slot_seconds", 2),
    ("authorization_queue_size", 2),
    ("rotation_period", 2),
    ("max_extrinsics", 2),
    ("assurance_timeout", 2),
    ("validator_count", 2),
    ("max_authorization_code_size", 4),
    ("max_bundle_size", 4),
    ("max_service_code_size", 4),
    ("erasure_piece_size", 4),
    ("max_imports", 4),
    ("segment_pieces", 4),
    ("max_report_variable_size", 4),
    ("memo_size", 4),
    ("max_exports", 4),
    ("ticket_submission_end", 4),
)
"""Fields of :class:`ChainParams` and their octets, as ``fetch`` gives them to services (appendix B)."""

ENCODED_SIZE = sum(octets for _, octets in LAYOUT)

# Zero means something only for these: a chain may ask no deposits, and give services no gas.
_MAY_BE_ZERO = frozenset(
    name
    for name, _ in LAYOUT
    if name.endswith(("_deposit", "_gas", "_dependencies", "_tickets", "_imports", "_exports"))
)


def encode_params(params: ChainParams) -> bytes:
    """The parameters as ``fetch`` gives them to services: 134 octets (appendix B, kind 0)."""
    return b"".join(getattr(params, name).to_bytes(octets, "little") for name, octets in LAYOUT)


def decode_params(data: bytes, name: str) -> ChainParams:
    """The parameters from their encoding; what it leaves out has the value of the full chain.

    Raises:
        DecodeError: of another length, or with values that no chain can have.
    """
    if len(data) != ENCODED_SIZE:
        raise DecodeError(
            f"{len(data)} octets where release 0.7.2 has {ENCODED_SIZE}", offset=len(data)
        )
    values: dict[str, Any] = {}
    at = 0
    for field, octets in LAYOUT:
        values[field] = int.from_bytes(data[at : at + octets], "little")
        if values[field] == 0 and field not in _MAY_BE_ZERO:
            raise DecodeError("cannot be zero", path=field, offset=at)
        at += octets
    if values["ticket_submission_end"] > values["epoch_length"]:
        raise DecodeError("lies behind the epoch's end", path="ticket_submission_end", offset=at - 4)
    segment_size = values["erasure_piece_size"] * values["segment_pieces"]
    if segment_size != FULL.segment_size:
        reason = f"segments would have {segment_size} octets, not {FULL.segment_size}"
        raise DecodeError(reason, path="segment_pieces", offset=at - 20)
    return ChainParams(name=name, **values)


def params_of_spec(spec: object) -> ChainParams:
    """The parameters of a JIP-4 chain specification, parsed from JSON.

    Raises:
        DecodeError: a key is missing or holds something else than it should.
    """
    if not isinstance(spec, dict):
        raise DecodeError("not a JSON object")
    encoded = spec.get("protocol_parameters")
    if not isinstance(encoded, str):
        raise DecodeError("a hex string belongs here", path="protocol_parameters")
    name = spec.get("id")
    if not isinstance(name, str):
        raise DecodeError("a string belongs here", path="id")
    try:
        data = bytes.fromhex(encoded.removeprefix("0x"))
    except ValueError:
        raise DecodeError("not hexadecimal", path="protocol_parameters") from None
    try:
        return decode_params(data, name)
    except DecodeError as error:
        path = ".".join(filter(None, ("protocol_parameters", error.path)))
        raise DecodeError(error.reason, path=path, offset=error.offset) from None
