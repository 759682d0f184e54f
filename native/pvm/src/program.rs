//! Programs decoded once into operations of a fixed size, with their targets resolved.
//!
//! One instruction becomes one [`Op`] of 16 octets, in the order of the code, so that execution
//! falls through from each to the next. Behind them lie stubs, one for each jump or branch whose
//! target is no basic block: it panics in the name of its instruction. Every operation knows how
//! much gas the rest of its block costs; a block is paid for where it is entered.

use crate::blob::{Blob, InvalidProgram};
use crate::opcode::{self, Form};

/// The stub behind a jump to nowhere; costs nothing, its instruction has paid.
pub(crate) const BAD_JUMP: u8 = 2;
/// Ends a block that the gas does not reach the end of.
pub(crate) const OUT_OF_GAS: u8 = 3;
/// Entry of the jump table that is no basic block.
pub(crate) const NOWHERE: u32 = u32::MAX;

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

/// The dynamic jump table, resolved.
pub(crate) enum Jumps {
    Listed(Box<[u32]>),
    /// `count` entries of no octets, which all are zero.
    Zeroes {
        count: u64,
        target: u32,
    },
}

/// A valid program, ready to run; immutable and shared.
pub struct Program {
    pub(crate) ops: Box<[Op]>,
    /// Position in the code of each operation, stubs included.
    positions: Box<[u32]>,
    /// How many operations are not stubs; their positions ascend.
    instructions: usize,
    jumps: Jumps,
}

impl Program {
    /// Decodes a program blob.
    pub fn decode(data: &[u8]) -> Result<Program, InvalidProgram> {
        let blob = Blob::parse(data)?;
        let mut decoder = Decoder::new(&blob);
        decoder.instructions();
        decoder.resolve();
        decoder.costs();
        crate::interpreter::fuse(&mut decoder.ops[..decoder.positions.len()]);
        let instructions = decoder.positions.len() - decoder.stubs;
        Ok(Program {
            jumps: decoder.jumps(),
            ops: decoder.ops.into_boxed_slice(),
            positions: decoder.positions.into_boxed_slice(),
            instructions,
        })
    }

    /// Host memory that the decoded form occupies, in bytes.
    pub fn size(&self) -> usize {
        let jumps = match &self.jumps {
            Jumps::Listed(entries) => std::mem::size_of_val(&**entries),
            Jumps::Zeroes { .. } => 0,
        };
        std::mem::size_of::<Program>()
            + std::mem::size_of_val(&*self.ops)
            + std::mem::size_of_val(&*self.positions)
            + jumps
    }

    /// Operation of the instruction at `pc`, if one begins there.
    pub(crate) fn index_of(&self, pc: u64) -> Option<usize> {
        let pc = u32::try_from(pc).ok()?;
        self.positions[..self.instructions].binary_search(&pc).ok()
    }

    pub(crate) fn position(&self, index: usize) -> u64 {
        u64::from(self.positions[index])
    }

    /// Operation that the dynamic jump to `address` leads to (`djump` without its halting case).
    #[inline]
    pub(crate) fn dynamic_target(&self, address: u32) -> Option<usize> {
        let index = (address / 2).checked_sub(1)?;
        let target = match &self.jumps {
            Jumps::Listed(entries) => *entries.get(index as usize)?,
            Jumps::Zeroes { count, target } if u64::from(index) < *count => *target,
            Jumps::Zeroes { .. } => return None,
        };
        (target != NOWHERE && address % 2 == 0).then_some(target as usize)
    }
}

struct Decoder<'a> {
    blob: &'a Blob<'a>,
    ops: Vec<Op>,
    positions: Vec<u32>,
    /// Jumps and branches, with the position they lead to.
    targets: Vec<(u32, i64)>,
    /// For each octet of the code: the operation there, if a basic block may begin with it.
    index_at: Vec<u32>,
    block_start: Vec<bool>,
    stubs: usize,
}

impl<'a> Decoder<'a> {
    fn new(blob: &'a Blob<'a>) -> Self {
        let len = blob.code.len();
        let mut block_start = vec![false; len + 1];
        block_start[0] = true;
        Decoder {
            blob,
            ops: Vec::new(),
            positions: Vec::new(),
            targets: Vec::new(),
            index_at: vec![NOWHERE; len + 1],
            block_start,
            stubs: 0,
        }
    }

    fn push(&mut self, position: usize, op: Op) {
        self.ops.push(op);
        self.positions.push(position as u32);
    }

    /// One operation an opcode octet, and a trap wherever execution can run off the instructions.
    fn instructions(&mut self) {
        let len = self.blob.code.len();
        let mut at = 0;
        while at < len {
            if !self.blob.is_opcode(at) {
                at += 1;
                continue;
            }
            let skip = self.blob.skip(at);
            let next = at + 1 + skip;
            let opcode = self.blob.code[at];
            match opcode::form(opcode) {
                Some(form) => {
                    self.index_at[at] = self.ops.len() as u32;
                    if opcode::is_terminator(opcode) {
                        self.block_start[next] = true;
                    }
                    let op = self.operands(opcode, form, at, skip);
                    self.push(at, op);
                }
                None => self.push(at, Op::of(opcode::TRAP, 0)),
            }
            if next >= len || !self.blob.is_opcode(next) {
                self.push(next, Op::of(opcode::TRAP, 0));
            }
            at = next;
        }
    }

    fn operands(&mut self, opcode: u8, form: Form, at: usize, skip: usize) -> Op {
        let octet = |distance: usize| self.octet(at + distance);
        let (low, high) = (octet(1) % 16, octet(1) / 16);
        let reg = |nibble: u8| nibble.min(12);
        let rest = |used: usize| skip.saturating_sub(used).min(4);
        let mut op = Op::of(opcode, 0);
        let mut target = None;
        match form {
            Form::None => {}
            Form::Imm => op.imm = self.signed(at + 1, skip.min(4)),
            Form::RegImm64 => {
                op.a = reg(low);
                (op.imm, op.ext) = (self.signed(at + 2, 4), self.signed(at + 6, 4) as u32);
            }
            Form::ImmImm => {
                let x = usize::from(octet(1) % 8).min(4);
                op.imm = self.signed(at + 2, x);
                op.ext = self.signed(at + 2 + x, rest(x + 1)) as u32;
            }
            Form::Offset => target = Some(self.signed(at + 1, skip.min(4))),
            Form::RegImm => (op.a, op.imm) = (reg(low), self.signed(at + 2, rest(1))),
            Form::RegImmImm | Form::RegImmOffset => {
                let x = usize::from(high % 8).min(4);
                (op.a, op.imm) = (reg(low), self.signed(at + 2, x));
                let y = self.signed(at + 2 + x, rest(x + 1));
                if form == Form::RegImmOffset {
                    target = Some(y);
                } else {
                    op.ext = y as u32;
                }
            }
            Form::RegReg => (op.d, op.a) = (reg(low), reg(high)),
            Form::RegRegImm => {
                (op.a, op.b, op.imm) = (reg(low), reg(high), self.signed(at + 2, rest(1)));
            }
            Form::RegRegOffset => {
                (op.a, op.b) = (reg(low), reg(high));
                target = Some(self.signed(at + 2, rest(1)));
            }
            Form::RegRegImmImm => {
                let x = usize::from(octet(2) % 8).min(4);
                (op.a, op.b, op.imm) = (reg(low), reg(high), self.signed(at + 3, x));
                op.ext = self.signed(at + 3 + x, rest(x + 2)) as u32;
            }
            Form::RegRegReg => (op.a, op.b, op.d) = (reg(low), reg(high), reg(octet(2))),
        }
        if let Some(offset) = target {
            self.targets
                .push((self.ops.len() as u32, at as i64 + i64::from(offset)));
        }
        op
    }

    /// The code is followed by endless zeroes.
    fn octet(&self, at: usize) -> u8 {
        self.blob.code.get(at).copied().unwrap_or(0)
    }

    /// `len <= 4` octets at `at`, sign-extended; none are zero.
    fn signed(&self, at: usize, len: usize) -> i32 {
        let mut octets = [0u8; 4];
        for (distance, octet) in octets[..len].iter_mut().enumerate() {
            *octet = self.octet(at + distance);
        }
        let unused = 32 - 8 * len as u32;
        i32::from_le_bytes(octets)
            .checked_shl(unused)
            .map_or(0, |value| value >> unused)
    }

    /// The operation that begins the basic block at `position`, or [`NOWHERE`].
    fn block_at(&self, position: i64) -> u32 {
        match usize::try_from(position) {
            Ok(at) if at < self.index_at.len() && self.block_start[at] => self.index_at[at],
            _ => NOWHERE,
        }
    }

    fn resolve(&mut self) {
        for (index, position) in std::mem::take(&mut self.targets) {
            let mut target = self.block_at(position);
            if target == NOWHERE {
                target = self.ops.len() as u32;
                let source = self.positions[index as usize] as usize;
                self.push(source, Op::of(BAD_JUMP, 0));
                self.stubs += 1;
            }
            self.ops[index as usize].ext = target;
        }
    }

    /// Counts each block from its end; a host call ends one too, so that it stops with exact gas.
    fn costs(&mut self) {
        let instructions = self.ops.len() - self.stubs;
        let mut cost = 0;
        for op in self.ops[..instructions].iter_mut().rev() {
            let ends = opcode::is_terminator(op.opcode) || op.opcode == opcode::ECALLI;
            cost = if ends { 1 } else { cost + 1 };
            op.cost = cost;
        }
    }

    fn jumps(&self) -> Jumps {
        let Blob {
            jump_count,
            jump_width,
            ..
        } = *self.blob;
        if jump_width == 0 {
            return Jumps::Zeroes {
                count: jump_count,
                target: self.block_at(0),
            };
        }
        let resolve = |index| {
            i64::try_from(self.blob.jump(index)).map_or(NOWHERE, |position| self.block_at(position))
        };
        Jumps::Listed((0..jump_count as usize).map(resolve).collect())
    }
}
