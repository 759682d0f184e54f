"""A guest that takes more memory than the engine keeps: the rest goes to a file.

``python -m jamliquor.node.edge.guests MEGABYTES`` prints what the engine counted.
"""

from __future__ import annotations

import json
import sys
import tempfile

from jamliquor.pvm.assembler import assemble
from jamliquor.pvm.engine import Access, ExitReason, NativeEngine, Segment
from jamliquor.pvm.program import InvalidProgram

_PAGE = 4096
_HEAP = 0x20000
_RETURN = 0xFFFF0000
_TOUCH = """\
loop:
 store_ind_u64 r7, r8, 0
 add_imm_64 r8, r8, 4096
 add_imm_64 r7, r7, -1
 branch_ne_imm r7, 0, loop
 jump_ind r0, 0"""


def run(octets: int) -> dict[str, int]:
    """Write to every page of a heap of so many octets, in one guest."""
    pages = octets // _PAGE
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        engine = NativeEngine(spill_directory=folder)
        program = engine.compile(assemble(_TOUCH))
        if isinstance(program, InvalidProgram):
            raise ValueError(f"not a program: {program}")
        machine = engine.machine(
            program,
            gas=1 << 40,
            registers=[_RETURN, 0, 0, 0, 0, 0, 0, pages, _HEAP, 0, 0, 0, 0],
            memory=(Segment(_HEAP, pages * _PAGE, Access.WRITE),),
        )
        reason = machine.run()
        if reason is not ExitReason.HALT:
            raise RuntimeError(f"the guest ended with {reason.name}")
        found = engine.counters
    return {"touched": pages * _PAGE, "peak": found.peak, "spilled_frames": found.spilled}


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]) * 1_000_000)))
