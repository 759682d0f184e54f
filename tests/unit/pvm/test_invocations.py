"""The three invocations on real programs: arguments, outputs, gas, what ends them (appendix B)."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import TINY
from jamliquor.pvm.assembler import assemble
from jamliquor.pvm.engine import NativeEngine
from jamliquor.pvm.host.codes import WHAT
from jamliquor.pvm.host.context import Chain, Outcome
from jamliquor.pvm.host.fetch import item_summary
from jamliquor.pvm.invocations import (
    AccumulateInvocation,
    HostCall,
    accumulate_service,
    is_authorized,
    refine,
)
from jamliquor.pvm.program import StandardProgram, encode_standard
from jamliquor.state.accounts import Accounts
from jamliquor.types.accumulation import DeferredTransfer
from jamliquor.types.work import (
    ExtrinsicReference,
    ImportReference,
    RefinementContext,
    WorkError,
    WorkItem,
    WorkPackage,
)
from tests.support.hosting import ENTROPY, HASH, PRIVILEGES, SELF, SLOT, account, state_of

ENGINE = NativeEngine()
CHAIN = Chain((), (), PRIVILEGES)
METADATA = b"\x04name"
ANCHOR = 60

HEAP = 0x2_0000
ECHO = "jump_ind r0, 0"
"""Return what registers 7 and 8 say: at the start, the argument."""


def code_of(source: str) -> bytes:
    return encode_standard(StandardProgram(b"", bytes(64), 1, 4096, assemble(source)))


def accumulating(source: str) -> bytes:
    """Code whose accumulation is ``source`` and whose refinement traps."""
    return code_of(f"jump never:4\n{source}\nnever:\ntrap")


def fetching(kind: int, first: int = 0, second: int = 0) -> str:
    """Assembly that returns what ``fetch`` shows."""
    return f"""
        load_imm r7, {HEAP}
        load_imm r8, 0
        load_imm r9, 4096
        load_imm r10, {kind}
        load_imm r11, {first}
        load_imm r12, {second}
        ecalli 1
        move_reg r8, r7
        load_imm r7, {HEAP}
        branch_lt_s_imm r8, 0, none
        jump_ind r0, 0
    none:
        load_imm r8, 0
        jump_ind r0, 0
    """


def state_with(code: bytes, **fields: Any) -> tuple[dict[bytes, bytes], bytes]:
    """A state in which SELF has this code since slot 50, and the code's hash."""
    blob = METADATA + code
    code_hash = blake2b(blob)
    state = state_of(
        {SELF: account(code_hash=code_hash, **fields)},
        preimages={(SELF, code_hash): blob},
        requests={(SELF, code_hash, len(blob)): (50,)},
    )
    return state, code_hash


class TestAccumulate:
    def run(
        self, code: bytes, gas: int = 1_000, transfers: int = 0, **fields: Any
    ) -> tuple[Outcome, list[HostCall]]:
        seen: list[HostCall] = []
        state, _ = state_with(code, **fields)
        outcome = accumulate_service(
            AccumulateInvocation(TINY, ENGINE, SLOT, ENTROPY, seen.append),
            Accounts(TINY, state.get),
            CHAIN,
            service=SELF,
            gas=gas,
            inputs=[DeferredTransfer(1, SELF, 7, bytes(128), 0)] * transfers,
        )
        return outcome, seen

    def test_argument(self) -> None:
        # Slot 100, service 1000 and three inputs, as general naturals.
        source = """
            load_ind_u32 r2, r7, 0
            branch_ne_imm r2, 0x03e88364, bad
            branch_ne_imm r8, 4, bad
            jump_ind r0, 0
        bad:
            trap
        """
        outcome, _ = self.run(accumulating(source), transfers=3)
        assert outcome.gas_used == 4
        record = outcome.records[SELF]
        assert record is not None
        assert record.balance == 10_021

    def test_an_output_of_32_octets_is_yielded(self) -> None:
        outcome, _ = self.run(accumulating(fetching(1)))
        assert outcome.yielded == ENTROPY
        outcome, _ = self.run(accumulating(fetching(0)))
        assert outcome.yielded is None

    def test_unreadable_output_is_none(self) -> None:
        outcome, _ = self.run(accumulating("load_imm r8, 32\nload_imm r7, 0x10000000\njump_ind r0, 0"))
        assert outcome.yielded is None

    @pytest.mark.parametrize("ending", ["trap", "load_u8 r1, 0x1000000", "loop:\njump loop"])
    def test_failures_fall_back_and_keep_transfers(self, ending: str) -> None:
        outcome, _ = self.run(accumulating(ending), gas=50, transfers=1)
        assert outcome.gas_used == (50 if "loop" in ending else 1)
        assert outcome.entries == {}
        record = outcome.records[SELF]
        assert record is not None
        assert record.balance == 10_007

    @pytest.mark.parametrize("code", [b"", b"no program", bytes(15), code_of("trap")[:-1]])
    def test_invalid_code_uses_no_gas(self, code: bytes) -> None:
        outcome, _ = self.run(code, transfers=1)
        assert outcome.gas_used == 0
        record = outcome.records[SELF]
        assert record is not None
        assert record.balance == 10_007

    def test_no_code(self) -> None:
        accounts = Accounts(TINY, state_of({SELF: account(code_hash=HASH)}).get)
        invocation = AccumulateInvocation(TINY, ENGINE, SLOT, ENTROPY)
        outcome = accumulate_service(invocation, accounts, CHAIN, service=SELF, gas=10, inputs=[])
        assert outcome == Outcome({}, {}, (), CHAIN, (), None, 0, {})
        outcome = accumulate_service(invocation, accounts, CHAIN, service=3, gas=10, inputs=[])
        assert outcome == Outcome({}, {}, (), CHAIN, (), None, 0, {})

    @pytest.mark.parametrize(("excess", "gas_used"), [(0, 2), (1, 0)])
    def test_code_larger_than_allowed(self, excess: int, gas_used: int) -> None:
        blob = assemble("jump never:4\njump never\nnever:\ntrap")
        small = encode_standard(StandardProgram(b"", b"", 1, 4096, blob))
        padding = bytes(TINY.max_service_code_size + excess - len(small))
        code = encode_standard(StandardProgram(padding, b"", 1, 4096, blob))
        outcome, _ = self.run(code)
        assert (len(code), outcome.gas_used) == (TINY.max_service_code_size + excess, gas_used)

    def test_more_gas_than_can_be_counted(self) -> None:
        outcome, _ = self.run(accumulating("trap"), gas=2**64 - 1)
        assert outcome.gas_used == 1

    def test_observer(self) -> None:
        source = f"""
            store_imm_u32 {HEAP}, 0x21696821
            load_imm r7, 3
            load_imm r8, {HEAP}
            load_imm r9, 1
            load_imm r10, {HEAP + 1}
            load_imm r11, 3
            ecalli 100
            load_imm r10, 0
            ecalli 100
            ecalli 0
            ecalli 1234
            trap
        """
        _, seen = self.run(accumulating(source))
        assert [call.name for call in seen] == ["log", "log", "gas", "1234"]
        assert seen[0].message == (3, b"!", b"hi!")
        assert seen[0].result == seen[1].result == seen[3].result == WHAT
        assert seen[1].message is None
        assert seen[2].result == seen[2].gas == 1_000 - 9 - 1 - 30
        assert seen[0].service == SELF
        assert seen[0].arguments == (3, HEAP, 1, HEAP + 1, 3, 0)


def package_of(code_hash: bytes, **fields: Any) -> WorkPackage:
    """Two work items of SELF, authorized by its code."""
    item = WorkItem(SELF, code_hash, 10_000, 500, 2, b"payload", (), ())
    other = item._replace(
        payload=b"other",
        imports=(ImportReference(HASH, 1),),
        extrinsics=(ExtrinsicReference(HASH, 3), ExtrinsicReference(HASH, 4)),
    )
    refinement = RefinementContext(HASH, HASH, HASH, HASH, ANCHOR, ())
    package = WorkPackage(SELF, code_hash, refinement, b"token", b"configuration", (item, other))
    return package._replace(**fields)


class TestIsAuthorized:
    def run(self, code: bytes, anchor: int = ANCHOR, **fields: Any) -> tuple[bytes | WorkError, int]:
        state, code_hash = state_with(code)
        package = package_of(code_hash, **fields)
        package = package._replace(context=package.context._replace(lookup_anchor_slot=anchor))
        return is_authorized(TINY, ENGINE, package, 258, Accounts(TINY, state.get))

    def test_argument_is_the_core(self) -> None:
        assert self.run(code_of(ECHO)) == (b"\2\1", 1)

    @pytest.mark.parametrize(
        ("kind", "shown"), [(8, b"configuration"), (9, b"token"), (1, b""), (2, b""), (14, b"")]
    )
    def test_fetch(self, kind: int, shown: bytes) -> None:
        assert self.run(code_of(fetching(kind)))[0] == shown

    def test_other_calls_do_not_exist(self) -> None:
        source = "ecalli 3\nbranch_ne_imm r7, -2, bad\nload_imm r8, 0\njump_ind r0, 0\nbad:\ntrap"
        assert self.run(code_of(source)) == (b"", 14)

    def test_failures(self) -> None:
        assert self.run(code_of(ECHO), anchor=49) == (WorkError.BAD, 0)
        assert self.run(code_of(ECHO), auth_code_hash=HASH) == (WorkError.BAD, 0)
        assert self.run(code_of(ECHO), auth_code_host=3) == (WorkError.BAD, 0)
        assert self.run(bytes(TINY.max_authorization_code_size)) == (WorkError.PANIC, 0)
        assert self.run(bytes(TINY.max_authorization_code_size + 1)) == (WorkError.BIG, 0)
        assert self.run(code_of("trap")) == (WorkError.PANIC, 1)
        assert self.run(code_of("load_u8 r1, 0x1000000")) == (WorkError.PANIC, 1)


class TestRefine:
    imports = ((), (b"segment",))
    extrinsics = ((), (b"abc", b"defg"))

    def run(
        self, code: bytes, index: int = 1, **fields: Any
    ) -> tuple[bytes | WorkError, list[bytes], int]:
        state, code_hash = state_with(code)
        return refine(
            TINY,
            ENGINE,
            package_of(code_hash, **fields),
            index,
            core=1,
            auth_trace=b"trace",
            imports=self.imports,
            extrinsics=self.extrinsics,
            export_offset=9,
            accounts=Accounts(TINY, state.get),
        )

    def test_argument(self) -> None:
        package = package_of(state_with(code_of(ECHO))[1])
        package_hash = blake2b(codec(WorkPackage, TINY).encode(package))
        expected = b"\1\1\x83\xe8\5other" + package_hash
        assert self.run(code_of(ECHO)) == (expected, [], 1)

    def test_fetch(self) -> None:
        def fetch(kind: int, first: int = 0, second: int = 0, index: int = 1) -> object:
            return self.run(code_of(fetching(kind, first, second)), index)[0]

        code_hash = state_with(code_of(fetching(7)))[1]
        package = package_of(code_hash)
        assert fetch(7) == codec(WorkPackage, TINY).encode(package)
        assert fetch(1) == bytes(32)
        assert fetch(2) == b"trace"
        assert [fetch(3, 1, at) for at in range(3)] == [b"abc", b"defg", b""]
        assert [fetch(3, item, 0) for item in (0, 2)] == [b"", b""]
        assert [fetch(4, at) for at in range(3)] == [b"abc", b"defg", b""]
        assert fetch(4, 0, index=0) == b""
        assert fetch(5, 1, 0) == fetch(6, 0) == b"segment"
        assert fetch(5, 1, 1) == fetch(6, 1) == b""
        assert fetch(10) == codec(RefinementContext, TINY).encode(package.context)
        assert [fetch(13, at) for at in range(3)] == [b"payload", b"other", b""]
        assert fetch(14) == fetch(15) == b""

    def test_fetch_summaries(self) -> None:
        _, code_hash = state_with(code_of(fetching(12, 1)))
        summary = item_summary(package_of(code_hash).items[1])
        gas = struct.pack("<QQ", 10_000, 500)
        assert summary == struct.pack("<I", SELF) + code_hash + gas + struct.pack("<HHHI", 2, 1, 2, 5)
        assert self.run(code_of(fetching(12, 1)))[0] == summary
        _, code_hash = state_with(code_of(fetching(11)))
        items = package_of(code_hash).items
        assert self.run(code_of(fetching(11)))[0] == b"\2" + b"".join(map(item_summary, items))

    def test_exports_are_lost_with_an_error(self) -> None:
        export = f"load_imm r7, {HEAP}\nload_imm r8, 1\necalli 7\n"
        good = self.run(code_of(export + "add_imm_64 r8, r7, -9\njump_ind r0, 0"))
        assert good == (b"", [bytes(4104)], 15)
        assert self.run(code_of(export + "trap")) == (WorkError.PANIC, [], 14)
        loop = export + "fallthrough\nloop:\njump loop"
        assert self.run(code_of(loop)) == (WorkError.OUT_OF_GAS, [], 10_000)

    def test_output_larger_than_a_report_is_cut(self) -> None:
        limit = TINY.max_report_variable_size
        large = f"ecalli 0\nload_imm r1, {1 << 20}\nsbrk r7, r1\nload_imm r8, {{}}\njump_ind r0, 0"
        assert self.run(code_of(large.format(limit)))[0] == bytes(limit)
        assert self.run(code_of(large.format(limit + 9)))[0] == bytes(limit + 1)
        assert self.run(code_of(large.format(1 << 30)))[0] == b""

    def test_failures(self) -> None:
        state, code_hash = state_with(code_of(ECHO))
        missing = package_of(HASH)
        late = package_of(code_hash)
        late = late._replace(context=late.context._replace(lookup_anchor_slot=49))
        nobody = package_of(code_hash)
        nobody = nobody._replace(items=(nobody.items[0]._replace(service=3),))
        for package in (missing, late, nobody):
            result = refine(
                TINY,
                ENGINE,
                package,
                0,
                core=1,
                auth_trace=b"",
                imports=((), ()),
                extrinsics=((), ()),
                export_offset=0,
                accounts=Accounts(TINY, state.get),
            )
            assert result == (WorkError.BAD, [], 0)
        assert self.run(bytes(TINY.max_service_code_size - 5))[0] is WorkError.PANIC
        assert self.run(bytes(TINY.max_service_code_size - 4)) == (WorkError.BIG, [], 0)
