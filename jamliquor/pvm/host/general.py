"""The general host calls: gas, fetch, lookup, read, write, info (appendix B.5).

A host call is a function of the invocation's context, the guest and its registers. Ten units of gas
were taken before. It returns the value of register 7, or ``PANIC`` or ``OUT_OF_GAS``; then it has
changed nothing.
"""

from __future__ import annotations

import struct
from typing import Final

from jamliquor.pvm.host.codes import FULL, LARGE, NONE, PANIC, SELF
from jamliquor.pvm.host.context import AccumulateContext, GeneralContext
from jamliquor.pvm.machine import Machine
from jamliquor.state import keys
from jamliquor.state.accounts import STORAGE_OCTETS, threshold, with_footprint

__all__ = ["deliver", "fetch", "gas", "info", "lookup", "read", "write"]

_INFO: Final = struct.Struct("<32sQQQQQIQIII")
_MAX: Final = 2**64 - 1


def deliver(guest: Machine, value: bytes | None, address: int, offset: int, limit: int) -> int:
    """Write the part of a value that the guest asked for; its whole length, NONE or PANIC."""
    if value is None:
        return NONE
    size = len(value)
    start = min(offset, size)
    part = value[start : start + min(limit, size - start)]
    if part and not guest.write(address, part):
        return PANIC
    return size


def gas(_context: GeneralContext | AccumulateContext, guest: Machine, _r: list[int]) -> int:
    """``gas``: what is left."""
    return guest.gas


def fetch(context: GeneralContext | AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``fetch``: a value of the invocation."""
    return deliver(guest, context.source.value(r[10], r[11], r[12]), r[7], r[8], r[9])


def lookup(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``lookup``: a preimage that a service holds."""
    preimage_hash = guest.read(r[8], 32)
    if preimage_hash is None:
        return PANIC
    service = context.service if r[7] == SELF else r[7]
    accounts = context.accounts
    value = None
    if accounts.account(service) is not None:
        value = accounts.preimage(service, preimage_hash)
    return deliver(guest, value, r[9], r[10], r[11])


def read(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``read``: a storage item of a service."""
    service = context.service if r[7] == SELF else r[7]
    account = context.accounts.account(service)
    size = r[9]
    if size > LARGE and (account is None or STORAGE_OCTETS + size > account.octets):
        # The service stores nothing under a key of this size.
        return NONE if guest.is_readable(r[8], size) else PANIC
    digest = guest.hash(keys.STORAGE_MARK, r[8], size)
    if digest is None:
        return PANIC
    value = None if account is None else context.accounts.entry(keys.item(service, digest))
    return deliver(guest, value, r[10], r[11], r[12])


def write(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``write``: put a storage item of the service, or remove it; the length it had, or NONE."""
    if r[8] > LARGE or r[10] > LARGE:
        answer = _write_large(context, guest, r)
        if answer is not None:
            return answer
    key_size, value_size = r[8], r[10]
    digest = guest.hash(keys.STORAGE_MARK, r[7], key_size)
    if digest is None:
        return PANIC
    value = guest.read(r[9], value_size) if value_size else None
    if value is None and value_size:
        return PANIC
    accounts = context.accounts
    state_key = keys.item(context.service, digest)
    old = accounts.entry(state_key)
    account = changed = context.account
    items, octets = account.items, account.octets
    if old is not None:
        items -= 1
        octets -= STORAGE_OCTETS + key_size + len(old)
    if value is not None:
        items += 1
        octets += STORAGE_OCTETS + key_size + value_size
    if items != account.items or octets != account.octets:
        changed = with_footprint(account, items, octets)
    if threshold(context.params, changed) > account.balance:
        return FULL
    if changed is not account:
        context.account = changed
    if value is not None or old is not None:
        accounts.set_entry(state_key, value)
    return NONE if old is None else len(old)


def _write_large(context: AccumulateContext, guest: Machine, r: list[int]) -> int | None:
    """The answer to a write of what the service cannot afford or have, found without copying it.

    None if it may be affordable.
    """
    key_size, value_size = r[8], r[10]
    if not (guest.is_readable(r[7], key_size) and guest.is_readable(r[9], value_size)):
        return PANIC
    account = context.account
    size = STORAGE_OCTETS + key_size + value_size
    if value_size:
        least = account._replace(items=1, octets=size)
        return FULL if threshold(context.params, least) > account.balance else None
    if size <= account.octets:
        return None
    return FULL if threshold(context.params, account) > account.balance else NONE


def info(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
    """``info``: the record of a service with its threshold balance, 96 octets."""
    account = context.accounts.account(context.service if r[7] == SELF else r[7])
    value = None
    if account is not None:
        value = _INFO.pack(
            account.code_hash,
            account.balance,
            min(threshold(context.params, account), _MAX),
            account.min_item_gas,
            account.min_memo_gas,
            account.octets,
            account.items,
            account.deposit_offset,
            account.created,
            account.last_accumulated,
            account.parent,
        )
    return deliver(guest, value, r[8], r[9], r[10])
