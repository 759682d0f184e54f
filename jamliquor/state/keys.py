"""State keys: the constructor C of appendix D.1 and the numbers of the state's components.

Every key has 31 bytes.
"""

from __future__ import annotations

from typing import Final

from jamliquor.crypto.hashing import blake2b

__all__ = [
    "ACCUMULATION_HISTORY",
    "ACCUMULATION_OUTPUTS",
    "ACCUMULATION_QUEUE",
    "ACTIVE_VALIDATORS",
    "AUTHORIZATION_POOLS",
    "AUTHORIZATION_QUEUES",
    "COMPONENT_NAMES",
    "DISPUTES",
    "ENTROPY",
    "PENDING_REPORTS",
    "PREVIOUS_VALIDATORS",
    "PRIVILEGES",
    "RECENT_HISTORY",
    "SAFROLE",
    "STAGING_VALIDATORS",
    "STATISTICS",
    "STORAGE_MARK",
    "TIME",
    "component",
    "describe",
    "item",
    "preimage",
    "request",
    "service",
    "service_item",
    "storage",
]

AUTHORIZATION_POOLS: Final = 1
AUTHORIZATION_QUEUES: Final = 2
RECENT_HISTORY: Final = 3
SAFROLE: Final = 4
DISPUTES: Final = 5
ENTROPY: Final = 6
STAGING_VALIDATORS: Final = 7
ACTIVE_VALIDATORS: Final = 8
PREVIOUS_VALIDATORS: Final = 9
PENDING_REPORTS: Final = 10
TIME: Final = 11
PRIVILEGES: Final = 12
STATISTICS: Final = 13
ACCUMULATION_QUEUE: Final = 14
ACCUMULATION_HISTORY: Final = 15
ACCUMULATION_OUTPUTS: Final = 16

COMPONENT_NAMES: Final[tuple[tuple[int, str], ...]] = (
    (AUTHORIZATION_POOLS, "authorization pools"),
    (AUTHORIZATION_QUEUES, "authorization queues"),
    (RECENT_HISTORY, "recent history"),
    (SAFROLE, "safrole"),
    (DISPUTES, "disputes"),
    (ENTROPY, "entropy"),
    (STAGING_VALIDATORS, "staging validators"),
    (ACTIVE_VALIDATORS, "active validators"),
    (PREVIOUS_VALIDATORS, "previous validators"),
    (PENDING_REPORTS, "pending reports"),
    (TIME, "time"),
    (PRIVILEGES, "privileges"),
    (STATISTICS, "statistics"),
    (ACCUMULATION_QUEUE, "accumulation queue"),
    (ACCUMULATION_HISTORY, "accumulation history"),
    (ACCUMULATION_OUTPUTS, "accumulation outputs"),
)
"""The components in the order of their indices, with their names for people."""

_KEY_BYTES = 31
_SERVICE_RECORD = 255
STORAGE_MARK: Final = (2**32 - 1).to_bytes(4, "little")
"""What is hashed before the key of a storage entry."""

_PREIMAGE_MARK = (2**32 - 2).to_bytes(4, "little")


def component(index: int) -> bytes:
    """C(i): the key of a state component, 0 to 255.

    Raises:
        ValueError: the index is out of range.
    """
    return bytes([index]).ljust(_KEY_BYTES, b"\0")


def service(service_id: int) -> bytes:
    """C(255, s): the key of a service's account record.

    Raises:
        OverflowError: the service identifier does not fit 32 bits; the same for all keys below.
    """
    key = bytearray(_KEY_BYTES)
    key[0] = _SERVICE_RECORD
    key[1:8:2] = service_id.to_bytes(4, "little")
    return bytes(key)


def service_item(service_id: int, h: bytes) -> bytes:
    """C(s, h): the key of an item of a service, from the identifier and a hash of ``h``."""
    return item(service_id, blake2b(h))


def item(service_id: int, digest: bytes) -> bytes:
    """The same, for who has the Blake2b hash of ``h`` already."""
    n0, n1, n2, n3 = service_id.to_bytes(4, "little")
    h0, h1, h2, h3 = digest[:4]
    return bytes((n0, h0, n1, h1, n2, h2, n3, h3)) + digest[4:27]


def storage(service_id: int, key: bytes) -> bytes:
    """The key of a storage entry of a service."""
    return service_item(service_id, STORAGE_MARK + key)


def preimage(service_id: int, preimage_hash: bytes) -> bytes:
    """The key of a preimage that a service holds, by the preimage's hash (32 bytes)."""
    return service_item(service_id, _PREIMAGE_MARK + preimage_hash)


def request(service_id: int, length: int, preimage_hash: bytes) -> bytes:
    """The key of a service's request for a preimage of ``length`` bytes with a hash (32 bytes)."""
    return service_item(service_id, length.to_bytes(4, "little") + preimage_hash)


def describe(key: bytes) -> str:
    """What a key stands for, in words; items of services are named by what is left of their hash.

    Raises:
        ValueError: the key does not have 31 bytes.
    """
    if len(key) != _KEY_BYTES:
        raise ValueError(f"a state key has {_KEY_BYTES} bytes, not {len(key)}")
    for index, name in COMPONENT_NAMES:
        if key == component(index):
            return f"{name} (C{index})"
    record_id = int.from_bytes(key[1:8:2], "little")
    if key == service(record_id):
        return f"service {record_id} record"
    service_id = int.from_bytes(key[0:8:2], "little")
    return f"service {service_id} item 0x{(key[1:8:2] + key[8:]).hex()}"
