"""Chain specifications: parameters in their encoded form, and the files of JIP-4 that hold them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from jamliquor.crypto.dns_name import dns_name, public_key
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

_KEY_OCTETS: Final = 31

ENCODED_SIZE = sum(octets for _, octets in LAYOUT)

# Zero means something only for these: a chain may ask no deposits, and give services no gas.
_MAY_BE_ZERO = frozenset(
    name
    for name, _ in LAYOUT
    if name.endswith(("_deposit", "_gas", "_dependencies", "_tickets", "_imports", "_exports"))
)


def encode_params(params: ChainParams) -> bytes:
    """The parameters as ``fetch`` gives them to services: 134 octets (appendix B, kind 0)."""
    encoded: bytes | None = params.codecs.get(encode_params)
    if encoded is None:
        encoded = b"".join(getattr(params, name).to_bytes(octets, "little") for name, octets in LAYOUT)
        params.codecs[encode_params] = encoded
    return encoded


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


class Bootnode(NamedTuple):
    """A node to begin with.

    Attributes:
        ed25519: its public key, 32 octets.
        address: IPv4 or IPv6, as text.
        port: 1 to 65535.
    """

    ed25519: bytes
    address: str
    port: int

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{dns_name(self.ed25519)}@{address}:{self.port}"


class ChainSpec(NamedTuple):
    """A chain specification (JIP-4).

    Attributes:
        params: named like the chain; what the file cannot say has the value of the full chain.
        genesis_header: its encoding.
        genesis_state: entries by their keys of 31 octets.
        bootnodes: whom to ask first.
    """

    params: ChainParams
    genesis_header: bytes
    genesis_state: dict[bytes, bytes]
    bootnodes: tuple[Bootnode, ...] = ()

    def record(self) -> dict[str, Any]:
        """The JSON object of the file; state entries in the order of their keys."""
        return {
            "id": self.params.name,
            "bootnodes": [str(node) for node in self.bootnodes],
            "genesis_header": self.genesis_header.hex(),
            "genesis_state": {
                key.hex(): self.genesis_state[key].hex() for key in sorted(self.genesis_state)
            },
            "protocol_parameters": encode_params(self.params).hex(),
        }


def parse_bootnode(text: str) -> Bootnode:
    """A node from ``<name>@<ip>:<port>``; an IPv6 address may stand in square brackets.

    Raises:
        ValueError: it is something else, and why.
    """
    import ipaddress  # noqa: PLC0415 - for those who read a whole file

    name, at, place = text.partition("@")
    address, colon, port = place.rpartition(":")
    if not at or not colon:
        raise ValueError("<name>@<ip>:<port> belongs here")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise ValueError(f"{port!r} is no port")
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        raise ValueError(f"{address!r} is neither an IPv4 nor an IPv6 address") from None
    return Bootnode(public_key(name), str(ip), int(port))


def parse_spec(spec: object) -> ChainSpec:
    """A whole chain specification, parsed from JSON. What its octets mean is not looked at.

    Raises:
        DecodeError: a key is missing or holds something else than it should.
    """
    params = params_of_spec(spec)
    spec = _object(spec)
    state = spec.get("genesis_state")
    if not isinstance(state, dict):
        raise DecodeError("an object belongs here", path="genesis_state")
    entries: dict[bytes, bytes] = {}
    for text, value in state.items():
        path = f"genesis_state.{text}"
        key = _octets(text, path)
        if len(key) != _KEY_OCTETS:
            raise DecodeError(f"a key of {len(key)} octets, not {_KEY_OCTETS}", path=path)
        if key in entries:
            raise DecodeError("the key occurs twice", path=path)
        entries[key] = _octets(value, path)
    header = _octets(spec.get("genesis_header"), "genesis_header")
    return ChainSpec(params, header, entries, _bootnodes(spec.get("bootnodes", [])))


def params_of_spec(spec: object) -> ChainParams:
    """The parameters of a chain specification, parsed from JSON; the rest may be missing.

    Raises:
        DecodeError: a key is missing or holds something else than it should.
    """
    spec = _object(spec)
    data = _octets(spec.get("protocol_parameters"), "protocol_parameters")
    name = spec.get("id")
    if not isinstance(name, str):
        raise DecodeError("a string belongs here", path="id")
    try:
        return decode_params(data, name)
    except DecodeError as error:
        path = ".".join(filter(None, ("protocol_parameters", error.path)))
        raise DecodeError(error.reason, path=path, offset=error.offset) from None


def _object(spec: object) -> dict[str, object]:
    if not isinstance(spec, dict):
        raise DecodeError("not a JSON object")
    return spec


def _bootnodes(found: object) -> tuple[Bootnode, ...]:
    if not isinstance(found, list):
        raise DecodeError("a list belongs here", path="bootnodes")
    nodes = []
    for index, text in enumerate(found):
        path = f"bootnodes[{index}]"
        if not isinstance(text, str):
            raise DecodeError("a string belongs here", path=path)
        try:
            nodes.append(parse_bootnode(text))
        except ValueError as error:
            raise DecodeError(str(error), path=path) from None
    return tuple(nodes)


def _octets(text: object, path: str) -> bytes:
    if not isinstance(text, str):
        raise DecodeError("a hex string belongs here", path=path)
    digits = text.removeprefix("0x")
    # fromhex alone would allow spaces.
    if not digits.isalnum() and digits:
        raise DecodeError("not hexadecimal", path=path)
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise DecodeError("not hexadecimal", path=path) from None
