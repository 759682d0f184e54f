"""Chain parameters as one frozen value. Nothing reads a global: every function is passed the value.

The field names are the Gray Paper's constants (appendix I.4.4) in English; the letter stands beside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ChainParams:
    """Every number of the protocol that a chain specification may set.

    Counts are plain, periods are in slots unless the name says seconds, sizes are in octets, gas is
    in units of gas. :data:`FULL` holds the paper's values, :data:`TINY` the community's small chain.
    """

    name: str
    validator_count: int = 1023  # V
    core_count: int = 341  # C
    epoch_length: int = 600  # E
    ticket_submission_end: int = 500  # Y
    tickets_per_validator: int = 2  # N
    max_block_tickets: int = 16  # K
    rotation_period: int = 10  # R
    slot_seconds: int = 6  # P
    preimage_expunge_period: int = 19_200  # D
    max_lookup_anchor_age: int = 14_400  # L
    block_accumulation_gas: int = 3_500_000_000  # G_T
    report_accumulation_gas: int = 10_000_000  # G_A
    authorization_gas: int = 50_000_000  # G_I
    refine_gas: int = 5_000_000_000  # G_R
    item_deposit: int = 10  # B_I
    octet_deposit: int = 1  # B_L
    base_deposit: int = 100  # B_S
    recent_history_length: int = 8  # H
    max_work_items: int = 16  # I
    max_report_dependencies: int = 8  # J
    authorization_pool_size: int = 8  # O
    authorization_queue_size: int = 80  # Q
    max_extrinsics: int = 128  # T
    assurance_timeout: int = 5  # U
    max_authorization_code_size: int = 64_000  # W_A
    max_bundle_size: int = 13_791_360  # W_B
    max_service_code_size: int = 4_000_000  # W_C
    erasure_piece_size: int = 684  # W_E
    max_imports: int = 3_072  # W_M
    segment_pieces: int = 6  # W_P
    max_report_variable_size: int = 48 * 1024  # W_R
    memo_size: int = 128  # W_T
    max_exports: int = 3_072  # W_X
    min_public_service: int = 1 << 16  # S
    segment_size: int = 4_104  # W_G

    # Codecs compiled for these parameters, by type, and what else is made of them once: bounded by the
    # number of types in the program.
    codecs: dict[Any, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False, hash=False
    )

    @property
    def super_majority(self) -> int:
        """Two thirds of the validators plus one: a verdict's votes, an available report's assurers."""
        return self.validator_count * 2 // 3 + 1

    @property
    def one_third(self) -> int:
        """One third of the validators: the positive votes of a wonky verdict."""
        return self.validator_count // 3

    def epoch_of(self, slot: int) -> tuple[int, int]:
        """Epoch index of ``slot`` and its phase within the epoch, in slots (section 6.1)."""
        return divmod(slot, self.epoch_length)


FULL = ChainParams(name="full")

TINY = ChainParams(
    name="tiny",
    validator_count=6,
    core_count=2,
    epoch_length=12,
    ticket_submission_end=10,
    tickets_per_validator=3,
    max_block_tickets=3,
    rotation_period=4,
    preimage_expunge_period=32,
    max_lookup_anchor_age=24,
    block_accumulation_gas=20_000_000,
    refine_gas=1_000_000_000,
    segment_pieces=1_026,
    erasure_piece_size=4,
)

NAMED: dict[str, ChainParams] = {params.name: params for params in (TINY, FULL)}
