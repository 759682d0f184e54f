//! Programs ready to run.
//!
//! Usually all instructions are decoded once: each becomes one [`Op`] of 16 octets, in the order of
//! the code, so that execution falls through from each to the next. Behind them lie stubs, one for
//! each jump or branch whose target is no basic block: it panics in the name of its instruction.
//! Every operation knows how much gas the rest of its block costs.
//!
//! Decoded operations take several times the room of the code, and whoever writes the code decides
//! how many there are. Above a limit a program is kept as its blob and decoded a piece at a time,
//! when it is executed and paid for (see [`Streamed`]).

use crate::blob::{Blob, InvalidProgram};
use crate::decode::{operands, Op, BAD_JUMP};
use crate::interpreter::fuse;
use crate::opcode;
use crate::stream::Streamed;

/// Most instructions that are decoded all at once, and most octets of code; together they bound
/// the decoded form and what decoding takes for a while, at worst about 6 and 20 MB.
pub const MAX_DECODED: usize = 1 << 17;
const MAX_DECODED_CODE: usize = 1 << 20;

/// Marks octets of the code where no operation begins, and table entries that lead nowhere.
const NOWHERE: u32 = u32::MAX;

/// A valid program; immutable and shared.
pub struct Program {
    pub(crate) form: Form,
}

pub(crate) enum Form {
    Listed(Listed),
    Streamed(Streamed),
}

/// Where a dynamic jump leads.
pub(crate) enum Target {
    /// To the operation of this index.
    Op(usize),
    /// To the instruction at this position, which is not among the operations at hand.
    Position(u32),
    Nowhere,
}

/// All operations of a program, jumps resolved to indices.
pub(crate) struct Listed {
    pub ops: Box<[Op]>,
    /// Position in the code of each operation, stubs included.
    positions: Box<[u32]>,
    /// How many operations are not stubs; their positions ascend.
    instructions: usize,
    jumps: Jumps,
}

enum Jumps {
    Entries(Box<[u32]>),
    /// `count` entries of no octets, which all are zero.
    Zeroes {
        count: u64,
        target: u32,
    },
}

impl Program {
    /// Decodes a program blob; all at once if it has at most `max_decoded` instructions.
    pub fn decode(data: &[u8], max_decoded: usize) -> Result<Program, InvalidProgram> {
        let blob = Blob::parse(data)?;
        let opcodes: usize = blob
            .bitmask
            .iter()
            .map(|octet| octet.count_ones() as usize)
            .sum();
        let form = if opcodes <= max_decoded && blob.code.len() <= MAX_DECODED_CODE {
            Form::Listed(Listed::new(&blob, opcodes))
        } else {
            Form::Streamed(Streamed::new(&blob))
        };
        Ok(Program { form })
    }

    /// Host memory that the program occupies, in bytes.
    pub fn size(&self) -> usize {
        std::mem::size_of::<Program>()
            + match &self.form {
                Form::Listed(listed) => listed.size(),
                Form::Streamed(streamed) => streamed.size(),
            }
    }

    /// Where the dynamic jump to `address` leads (`djump` without its halting case).
    #[inline]
    pub(crate) fn dynamic_target(&self, address: u32) -> Target {
        // The table's index plus one; odd addresses and those below two lead nowhere.
        match (address / 2).checked_sub(1) {
            Some(index) if address.is_multiple_of(2) => match &self.form {
                Form::Listed(listed) => listed.jump(index),
                Form::Streamed(streamed) => streamed.jump(index),
            },
            _ => Target::Nowhere,
        }
    }
}

impl Listed {
    fn new(blob: &Blob<'_>, opcodes: usize) -> Listed {
        let mut lister = Lister::new(blob, opcodes);
        lister.instructions();
        let instructions = lister.ops.len();
        lister.costs();
        lister.resolve();
        fuse(&mut lister.ops[..instructions]);
        Listed {
            jumps: lister.jumps(),
            ops: lister.ops.into_boxed_slice(),
            positions: lister.positions.into_boxed_slice(),
            instructions,
        }
    }

    fn size(&self) -> usize {
        let jumps = match &self.jumps {
            Jumps::Entries(entries) => std::mem::size_of_val(&**entries),
            Jumps::Zeroes { .. } => 0,
        };
        std::mem::size_of_val(&*self.ops) + std::mem::size_of_val(&*self.positions) + jumps
    }

    /// Operation of the instruction at `pc`, if one begins there.
    pub fn index_of(&self, pc: u64) -> Option<usize> {
        let pc = u32::try_from(pc).ok()?;
        self.positions[..self.instructions].binary_search(&pc).ok()
    }

    pub fn position(&self, index: usize) -> u64 {
        u64::from(self.positions[index])
    }

    #[inline]
    fn jump(&self, index: u32) -> Target {
        let target = match &self.jumps {
            Jumps::Entries(entries) => entries.get(index as usize).copied().unwrap_or(NOWHERE),
            Jumps::Zeroes { count, target } if u64::from(index) < *count => *target,
            Jumps::Zeroes { .. } => NOWHERE,
        };
        if target == NOWHERE {
            return Target::Nowhere;
        }
        Target::Op(target as usize)
    }
}

struct Lister<'a> {
    blob: &'a Blob<'a>,
    ops: Vec<Op>,
    positions: Vec<u32>,
    /// Jumps and branches, with the position they lead to.
    targets: Vec<(u32, i64)>,
    /// For each octet of the code: the operation there.
    index_at: Vec<u32>,
}

impl<'a> Lister<'a> {
    fn new(blob: &'a Blob<'a>, opcodes: usize) -> Self {
        Lister {
            blob,
            ops: Vec::with_capacity(opcodes + 1),
            positions: Vec::with_capacity(opcodes + 1),
            targets: Vec::new(),
            index_at: vec![NOWHERE; blob.code.len()],
        }
    }

    fn push(&mut self, position: usize, op: Op) {
        self.ops.push(op);
        self.positions.push(position as u32);
    }

    /// One operation an opcode octet, and a trap wherever execution can run off the instructions.
    fn instructions(&mut self) {
        let blob = self.blob;
        let mut at = 0;
        while at < blob.code.len() {
            if !blob.is_opcode(at) {
                at += 1;
                continue;
            }
            let skip = blob.skip(at);
            let decoded = operands(blob, at, skip);
            self.index_at[at] = self.ops.len() as u32;
            if let Some(target) = decoded.target {
                self.targets.push((self.ops.len() as u32, target));
            }
            self.push(at, decoded.op);
            at += 1 + skip;
            if !blob.is_opcode(at) {
                self.push(at, Op::of(opcode::TRAP, 0));
            }
        }
    }

    /// Counts each block from its end; a host call ends one too, so that it stops with exact gas.
    fn costs(&mut self) {
        let mut cost = 0;
        for op in self.ops.iter_mut().rev() {
            cost = if opcode::ends_block(op.opcode) {
                1
            } else {
                cost + 1
            };
            op.cost = cost;
        }
    }

    fn resolve(&mut self) {
        for (index, position) in std::mem::take(&mut self.targets) {
            let mut target = self.block_at(position);
            if target == NOWHERE {
                target = self.ops.len() as u32;
                self.push(self.positions[index as usize] as usize, Op::of(BAD_JUMP, 0));
            }
            self.ops[index as usize].ext = target;
        }
    }

    /// The operation that begins the basic block at `position`, or [`NOWHERE`].
    fn block_at(&self, position: i64) -> u32 {
        if self.blob.is_block_start(position) {
            self.index_at[position as usize]
        } else {
            NOWHERE
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
        Jumps::Entries((0..jump_count as usize).map(resolve).collect())
    }
}
