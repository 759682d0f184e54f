"""The host calls of accumulation (appendix B.7), with failures in the order the paper gives them.

The conventions are those of :mod:`jamliquor.pvm.host.general`.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.pvm.host.codes import (
    CASH,
    CORE,
    FULL,
    HUH,
    LARGE,
    LOW,
    NONE,
    OK,
    OUT_OF_GAS,
    PANIC,
    SELF,
    WHO,
)
from jamliquor.pvm.host.context import AccumulateContext
from jamliquor.pvm.machine import Machine
from jamliquor.state import keys
from jamliquor.state.accounts import REQUEST_OCTETS, credited, threshold
from jamliquor.types.accumulation import DeferredTransfer
from jamliquor.types.state import Privileges, ServiceAccount, ValidatorSet

__all__ = [
    "assign",
    "bless",
    "checkpoint",
    "designate",
    "eject",
    "forget",
    "new",
    "provide",
    "query",
    "solicit",
    "transfer",
    "upgrade",
    "yield_",
]

_INDICES: Final = 2**32
_FREE_GAS: Final = struct.Struct("<IQ")
_VALIDATOR_OCTETS: Final = 336
_TOO_LONG: Final = 2**64 - 1
"""A length that no memory has."""


def bless(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``bless``: name the privileged services.

    The free gas that a service other than the manager names is not even read: it never counts
    (equation 12.19), nor can it be seen.
    """
    cores = context.params.core_count
    manager, delegator, registrar = r[7], r[9], r[10]
    assigners = guest.read(r[8], 4 * cores)
    size = min(_FREE_GAS.size * r[12], _TOO_LONG)
    if assigners is None or not guest.is_readable(r[11], size):
        return PANIC
    if manager >= _INDICES or delegator >= _INDICES or registrar >= _INDICES:
        return WHO
    free = context.chain.privileges.always_accumulate
    if context.is_manager:
        free = _free_gas(guest, r[11], size)
    privileges = Privileges(manager, struct.unpack(f"<{cores}I", assigners), delegator, registrar, free)
    context.chain = context.chain._replace(privileges=privileges)
    return OK


def _free_gas(guest: Machine, address: int, size: int) -> dict[int, int]:
    """Services and their gas from readable memory, by service; of equal ones the last counts."""
    free: dict[int, int] = {}
    piece = LARGE // _FREE_GAS.size * _FREE_GAS.size
    for at in range(0, size, piece):
        data = guest.read(address + at, min(piece, size - at))
        free.update(_FREE_GAS.iter_unpack(data or b""))
    return dict(sorted(free.items()))


def assign(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``assign``: set the authorization queue of a core, and who may do so next."""
    core, assigner = r[7], r[9]
    size = context.params.authorization_queue_size
    data = guest.read(r[8], 32 * size)
    if data is None:
        return PANIC
    if core >= context.params.core_count:
        return CORE
    chain = context.chain
    if context.service != chain.privileges.assigners[core]:
        return HUH
    if assigner >= _INDICES:
        return WHO
    queue = tuple(data[at : at + 32] for at in range(0, len(data), 32))
    assigners = _replaced(chain.privileges.assigners, core, assigner)
    context.chain = chain._replace(
        queues=_replaced(chain.queues, core, queue),
        privileges=chain.privileges._replace(assigners=assigners),
    )
    return OK


def designate(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``designate``: set the validators of the epoch after the next."""
    data = guest.read(r[7], _VALIDATOR_OCTETS * context.params.validator_count)
    if data is None:
        return PANIC
    if context.service != context.chain.privileges.delegator:
        return HUH
    validators = codec(ValidatorSet, context.params).decode(data)
    context.chain = context.chain._replace(staging=validators)
    return OK


def checkpoint(context: AccumulateContext, guest: Machine, _r: list[int]) -> int:
    """``checkpoint``: what is done so far survives a panic or running out of gas."""
    context.checkpoint()
    return guest.gas


def new(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``new``: make a service; its index."""
    length, offset, desired = r[8], r[11], r[12]
    code_hash = guest.read(r[7], 32)
    if code_hash is None or length >= _INDICES:
        return PANIC
    params, accounts, privileges = context.params, context.accounts, context.chain.privileges
    if offset != 0 and context.service != privileges.manager:
        return HUH
    created = ServiceAccount(
        version=0,
        code_hash=code_hash,
        balance=0,
        min_item_gas=r[9],
        min_memo_gas=r[10],
        octets=REQUEST_OCTETS + length,
        deposit_offset=offset,
        items=2,
        created=context.slot,
        last_accumulated=0,
        parent=context.service,
    )
    deposit = threshold(params, created)
    parent = context.account
    if parent.balance - deposit < threshold(params, parent):
        return CASH
    if context.service == privileges.registrar and desired < params.min_public_service:
        if accounts.account(desired) is not None:
            return FULL
        index = desired
    else:
        index = context.take_index()
    context.account = parent._replace(balance=parent.balance - deposit)
    accounts.set_account(index, created._replace(balance=deposit))
    accounts.set_request(index, code_hash, length, ())
    context.created.append(index)
    return index


def upgrade(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``upgrade``: change the service's code hash and least amounts of gas."""
    code_hash = guest.read(r[7], 32)
    if code_hash is None:
        return PANIC
    context.account = context.account._replace(
        code_hash=code_hash, min_item_gas=r[8], min_memo_gas=r[9]
    )
    return OK


def transfer(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``transfer``: send balance, with gas that is paid at once if nothing else is amiss."""
    destination, amount, gas = r[7], r[8], r[9]
    memo = guest.read(r[10], context.params.memo_size)
    if memo is None:
        return PANIC
    receiver = context.accounts.account(destination)
    if receiver is None:
        return WHO
    if gas < receiver.min_memo_gas:
        return LOW
    account = context.account
    left = account.balance - amount
    if left < threshold(context.params, account):
        return CASH
    if guest.gas < gas:
        return OUT_OF_GAS
    guest.gas -= gas
    context.account = account._replace(balance=left)
    context.transfers.append(DeferredTransfer(context.service, destination, amount, memo, gas))
    return OK


def eject(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``eject``: remove a service that gave itself up to this one, and take its balance."""
    ejected = r[7]
    preimage_hash = guest.read(r[8], 32)
    if preimage_hash is None:
        return PANIC
    accounts = context.accounts
    account = accounts.account(ejected) if ejected != context.service else None
    if account is None or account.code_hash != context.service.to_bytes(32, "little"):
        return WHO
    length = max(REQUEST_OCTETS, account.octets) - REQUEST_OCTETS
    times = accounts.request(ejected, preimage_hash, length) if account.items == 2 else None
    if times is None or len(times) != 2 or not _expunged(context, times[1]):
        return HUH
    accounts.set_account(ejected, None)
    accounts.set_request(ejected, preimage_hash, length, None)
    accounts.set_entry(keys.preimage(ejected, preimage_hash), None)
    context.account = credited(context.account, account.balance)
    return OK


def query(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``query``: the state of a request; registers 7 and 8."""
    preimage_hash = guest.read(r[7], 32)
    if preimage_hash is None:
        return PANIC
    times = context.accounts.request(context.service, preimage_hash, r[8])
    first, second, third = (*(times or ()), 0, 0, 0)[:3]
    guest.set_register(8, second + (third << 32))
    return NONE if times is None else len(times) + (first << 32)


def solicit(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``solicit``: ask for a preimage, or ask again for one that was forgotten."""
    length = r[8]
    preimage_hash = guest.read(r[7], 32)
    if preimage_hash is None:
        return PANIC
    times = context.accounts.request(context.service, preimage_hash, length)
    account = context.account
    if times is None:
        account = account._replace(
            items=account.items + 2, octets=account.octets + REQUEST_OCTETS + length
        )
        times = ()
    elif len(times) == 2:
        times = (*times, context.slot)
    else:
        return HUH
    if account.balance < threshold(context.params, account):
        return FULL
    if length >= _INDICES:
        # No request has such a length; without a deposit for it the answer above comes first.
        return HUH
    context.accounts.set_request(context.service, preimage_hash, length, times)
    context.account = account
    return OK


def forget(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``forget``: take a request back, as far as its state allows."""
    length = r[8]
    preimage_hash = guest.read(r[7], 32)
    if preimage_hash is None:
        return PANIC
    accounts = context.accounts
    times = accounts.request(context.service, preimage_hash, length)
    if times is None:
        return HUH
    if not times or (len(times) == 2 and _expunged(context, times[1])):
        accounts.set_request(context.service, preimage_hash, length, None)
        accounts.set_entry(keys.preimage(context.service, preimage_hash), None)
        account = context.account
        context.account = account._replace(
            items=account.items - 2, octets=account.octets - REQUEST_OCTETS - length
        )
        return OK
    if len(times) == 1:
        times = (times[0], context.slot)
    elif len(times) == 3 and _expunged(context, times[1]):
        times = (times[2], context.slot)
    else:
        return HUH
    accounts.set_request(context.service, preimage_hash, length, times)
    return OK


def yield_(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``yield``: set the service's accumulation output."""
    output = guest.read(r[7], 32)
    if output is None:
        return PANIC
    context.yielded = output
    return OK


def provide(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``provide``: supply a preimage that a service has asked for."""
    service = context.service if r[7] == SELF else r[7]
    size = r[9]
    accounts = context.accounts
    account = accounts.account(service)
    if size > LARGE and (account is None or REQUEST_OCTETS + size > account.octets):
        # The service has asked for nothing of this size.
        if not guest.is_readable(r[8], size):
            return PANIC
        return WHO if account is None else HUH
    data = guest.read(r[8], size)
    if data is None:
        return PANIC
    if account is None:
        return WHO
    preimage_hash = blake2b(data)
    if accounts.request(service, preimage_hash, size) != ():
        return HUH
    if (service, preimage_hash) in context.provisions:
        return HUH
    context.provisions[service, preimage_hash] = data
    return OK


def _expunged(context: AccumulateContext, since: int) -> bool:
    """Whether a preimage unavailable since a slot may be removed from the state."""
    return since < context.slot - context.params.preimage_expunge_period


def _replaced(items: tuple[Any, ...], index: int, item: object) -> tuple[Any, ...]:
    return (*items[:index], item, *items[index + 1 :])
