"""What a block on a state will be judged by, known before anybody has signed it."""

from __future__ import annotations

from typing import Final, NamedTuple

from jamliquor.params import ChainParams
from jamliquor.state import keys
from jamliquor.state.state import State
from jamliquor.stf import disputes, safrole
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import Disputes

__all__ = ["NO_DISPUTES", "Outlook", "outlook"]

NO_DISPUTES: Final = Disputes((), (), ())

# Nothing that an author needs depends on the entropy that its own signature adds.
_NO_OUTPUT: Final = bytes(32)


class Outlook(NamedTuple):
    """A block's surroundings: its parent's state, its slot, and the two chapters that precede all.

    Attributes:
        prior: the state after the parent.
        judged: what the block's disputes come to (section 10).
        rotated: Safrole's posterior values (section 6), except that ``entropy[0]`` lacks what the
            author's signature will add and means nothing.
    """

    prior: State
    slot: int
    judged: disputes.Judged
    rotated: safrole.Rotated

    @property
    def params(self) -> ChainParams:
        """The chain's parameters."""
        return self.prior.params


def outlook(prior: State, slot: int, disputed: Disputes = NO_DISPUTES) -> Outlook:
    """The outlook for a block at ``slot``, later than the parent's, that carries some disputes.

    Disputes change who is pending, never who may seal the slot. Their signatures are not verified
    here: an author imports its own block before anybody else sees it.

    Raises:
        SafroleError: ``bad_slot``.
        DisputesError: the disputes are not valid on this state.
    """
    component = prior.component
    safrole.check_slot(component(keys.TIME), slot)
    judged = disputes.judge(
        prior.params,
        disputes.DisputesPrior.of(component),
        disputed,
        SignatureChecks(),
    )
    rotated = safrole.rotate(
        prior.params,
        safrole.SafrolePrior.of(component),
        slot,
        _NO_OUTPUT,
        judged.records.offenders,
    )
    return Outlook(prior, slot, judged, rotated)
