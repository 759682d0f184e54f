//! Programs too large to keep decoded: a piece is decoded when execution comes to it.
//!
//! A piece is a basic block, or the first operations of a long one. Whoever enters it has the gas
//! for all of it, so decoding is paid for by what is executed, however the code is written.

use crate::blob::Blob;
use crate::decode::{operands, Op, BAD_JUMP, LEAVE};
use crate::opcode;
use crate::program::Target;

/// Most instructions a piece.
const PIECE: usize = 64;

/// A program kept as its blob.
pub(crate) struct Streamed {
    code: Box<[u8]>,
    bitmask: Box<[u8]>,
    jump_count: u64,
    jump_width: usize,
    jumps: Box<[u8]>,
}

/// Decoded operations from one position on; the last ones leave it.
#[derive(Default)]
pub(crate) struct Piece {
    pub ops: Vec<Op>,
    positions: Vec<u32>,
}

impl Piece {
    fn push(&mut self, position: usize, op: Op) {
        self.ops.push(op);
        self.positions.push(position as u32);
    }

    pub fn position(&self, index: usize) -> u64 {
        u64::from(self.positions[index])
    }
}

impl Streamed {
    pub fn new(blob: &Blob<'_>) -> Streamed {
        Streamed {
            code: blob.code.into(),
            bitmask: blob.bitmask.into(),
            jump_count: blob.jump_count,
            jump_width: blob.jump_width,
            jumps: blob.jumps.into(),
        }
    }

    pub fn size(&self) -> usize {
        self.code.len() + self.bitmask.len() + self.jumps.len()
    }

    fn blob(&self) -> Blob<'_> {
        Blob {
            code: &self.code,
            bitmask: &self.bitmask,
            jump_count: self.jump_count,
            jump_width: self.jump_width,
            jumps: &self.jumps,
        }
    }

    pub fn jump(&self, index: u32) -> Target {
        if u64::from(index) >= self.jump_count {
            return Target::Nowhere;
        }
        let blob = self.blob();
        match i64::try_from(blob.jump(index as usize)) {
            Ok(position) if blob.is_block_start(position) => Target::Position(position as u32),
            _ => Target::Nowhere,
        }
    }

    /// Decodes from `pc` on at most `most` instructions, at least one, into `piece`.
    /// False if no instruction begins at `pc`.
    pub fn decode(&self, pc: u64, most: u64, piece: &mut Piece) -> bool {
        let blob = self.blob();
        let Some(start) = usize::try_from(pc).ok().filter(|&at| blob.is_opcode(at)) else {
            return false;
        };
        let most = (most.min(PIECE as u64) as usize).max(1);
        piece.ops.clear();
        piece.positions.clear();
        let (mut at, mut target) = (start, None);
        while piece.ops.len() < most && blob.is_opcode(at) {
            let skip = blob.skip(at);
            let decoded = operands(&blob, at, skip);
            piece.push(at, decoded.op);
            target = decoded.target;
            at += 1 + skip;
            if opcode::ends_block(decoded.op.opcode) {
                break;
            }
        }
        let len = piece.ops.len();
        for (index, op) in piece.ops.iter_mut().enumerate() {
            op.cost = (len - index) as u32;
        }
        // Execution falls from the last instruction into this one, a trap if nothing begins there.
        piece.push(
            at,
            Op {
                ext: at as u32,
                ..Op::of(LEAVE, 0)
            },
        );
        if let Some(position) = target {
            piece.ops[len - 1].ext = piece.ops.len() as u32;
            if blob.is_block_start(position) {
                piece.push(
                    at,
                    Op {
                        ext: position as u32,
                        ..Op::of(LEAVE, 0)
                    },
                );
            } else {
                let source = piece.positions[len - 1] as usize;
                piece.push(source, Op::of(BAD_JUMP, 0));
            }
        }
        true
    }
}
