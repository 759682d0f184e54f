//! One instruction taken apart into an operation of a fixed size (section A.5).

use crate::blob::Blob;
use crate::opcode::{self, Form};

/// The stub behind a jump to nowhere; costs nothing, its instruction has paid.
pub(crate) const BAD_JUMP: u8 = 2;
/// Ends a block that the gas does not reach the end of.
pub(crate) const OUT_OF_GAS: u8 = 3;
/// Ends a piece of a streamed program: execution goes on at position `ext`.
pub(crate) const LEAVE: u8 = 4;

/// One decoded instruction.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Op {
    /// A valid opcode, possibly fused with the next operation's, or one of this module's.
    pub opcode: u8,
    /// Registers, each below 13.
    pub a: u8,
    pub b: u8,
    pub d: u8,
    /// The first immediate; all but `load_imm_64`'s are the sign extension of 32 bits.
    pub imm: i32,
    /// The second immediate, or the index of the operation jumped to, or upper bits.
    pub ext: u32,
    /// Gas from here to the end of the block.
    pub cost: u32,
}

impl Op {
    pub const fn of(opcode: u8, cost: u32) -> Op {
        Op {
            opcode,
            a: 0,
            b: 0,
            d: 0,
            imm: 0,
            ext: 0,
            cost,
        }
    }
}

/// An operation, and the position it jumps to if it names one.
pub(crate) struct Decoded {
    pub op: Op,
    pub target: Option<i64>,
}

/// The instruction at the opcode `at`, whose skip length is `skip`; invalid ones trap.
pub(crate) fn operands(blob: &Blob<'_>, at: usize, skip: usize) -> Decoded {
    let opcode = blob.code[at];
    let Some(form) = opcode::form(opcode) else {
        return Decoded {
            op: Op::of(opcode::TRAP, 0),
            target: None,
        };
    };
    let octet = |distance: usize| octet_at(blob, at + distance);
    let (low, high) = (octet(1) % 16, octet(1) / 16);
    let reg = |nibble: u8| nibble.min(12);
    let rest = |used: usize| skip.saturating_sub(used).min(4);
    let mut op = Op::of(opcode, 0);
    let mut target = None;
    match form {
        Form::None => {}
        Form::Imm => op.imm = signed(blob, at + 1, skip.min(4)),
        Form::RegImm64 => {
            op.a = reg(low);
            (op.imm, op.ext) = (signed(blob, at + 2, 4), signed(blob, at + 6, 4) as u32);
        }
        Form::ImmImm => {
            let x = usize::from(octet(1) % 8).min(4);
            op.imm = signed(blob, at + 2, x);
            op.ext = signed(blob, at + 2 + x, rest(x + 1)) as u32;
        }
        Form::Offset => target = Some(signed(blob, at + 1, skip.min(4))),
        Form::RegImm => (op.a, op.imm) = (reg(low), signed(blob, at + 2, rest(1))),
        Form::RegImmImm | Form::RegImmOffset => {
            let x = usize::from(high % 8).min(4);
            (op.a, op.imm) = (reg(low), signed(blob, at + 2, x));
            let y = signed(blob, at + 2 + x, rest(x + 1));
            if form == Form::RegImmOffset {
                target = Some(y);
            } else {
                op.ext = y as u32;
            }
        }
        Form::RegReg => (op.d, op.a) = (reg(low), reg(high)),
        Form::RegRegImm => {
            (op.a, op.b, op.imm) = (reg(low), reg(high), signed(blob, at + 2, rest(1)));
        }
        Form::RegRegOffset => {
            (op.a, op.b) = (reg(low), reg(high));
            target = Some(signed(blob, at + 2, rest(1)));
        }
        Form::RegRegImmImm => {
            let x = usize::from(octet(2) % 8).min(4);
            (op.a, op.b, op.imm) = (reg(low), reg(high), signed(blob, at + 3, x));
            op.ext = signed(blob, at + 3 + x, rest(x + 2)) as u32;
        }
        Form::RegRegReg => (op.a, op.b, op.d) = (reg(low), reg(high), reg(octet(2))),
    }
    Decoded {
        op,
        target: target.map(|offset| at as i64 + i64::from(offset)),
    }
}

/// The code is followed by endless zeroes.
fn octet_at(blob: &Blob<'_>, at: usize) -> u8 {
    blob.code.get(at).copied().unwrap_or(0)
}

/// `len <= 4` octets at `at`, sign-extended; none are zero.
fn signed(blob: &Blob<'_>, at: usize, len: usize) -> i32 {
    let mut octets = [0u8; 4];
    for (distance, octet) in octets[..len].iter_mut().enumerate() {
        *octet = octet_at(blob, at + distance);
    }
    let unused = 32 - 8 * len as u32;
    i32::from_le_bytes(octets)
        .checked_shl(unused)
        .map_or(0, |value| value >> unused)
}
