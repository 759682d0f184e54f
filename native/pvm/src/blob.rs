//! The program blob of section A.1: the function `deblob`, strict in every byte.

use crate::opcode;

/// Most octets between two opcodes that belong to the first.
const MAX_SKIP: usize = 24;

/// Why and where a blob is not the encoding of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidProgram {
    /// Index of the first byte that no valid blob could have there.
    pub offset: usize,
    /// What is wrong with it, in words.
    pub reason: &'static str,
}

/// The parts of a valid blob, borrowed from it.
#[derive(Clone, Copy, Debug)]
pub struct Blob<'a> {
    /// Instruction data, the paper's **c**.
    pub code: &'a [u8],
    /// Opcode bitmask **k**, packed, least significant bit first.
    pub bitmask: &'a [u8],
    /// Number of entries of the dynamic jump table **j**.
    pub jump_count: u64,
    /// Octets an entry.
    pub jump_width: usize,
    /// The entries, `jump_count * jump_width` octets.
    pub jumps: &'a [u8],
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64, reason: &'static str) -> Result<&'a [u8], InvalidProgram> {
        let left = self.data.len() - self.at;
        if count > left as u64 {
            return Err(InvalidProgram {
                offset: self.data.len(),
                reason,
            });
        }
        let start = self.at;
        self.at += count as usize;
        Ok(&self.data[start..self.at])
    }

    /// A general natural (section C.1); only its shortest form is an encoding.
    fn natural(&mut self) -> Result<u64, InvalidProgram> {
        const REASON: &str = "no natural in its shortest form";
        let refused = InvalidProgram {
            offset: self.at,
            reason: REASON,
        };
        let first = self.take(1, REASON)?[0];
        let extra = first.leading_ones() as usize;
        let mut low = [0u8; 8];
        low[..extra].copy_from_slice(self.take(extra as u64, REASON).map_err(|_| refused)?);
        let low = u64::from_le_bytes(low);
        let (value, least) = if extra == 8 {
            (low, 1 << 56)
        } else {
            let high = u64::from(first) & (0x7f >> extra);
            (
                high << (8 * extra) | low,
                if extra > 0 { 1 << (7 * extra) } else { 0 },
            )
        };
        (value >= least).then_some(value).ok_or(refused)
    }
}

impl<'a> Blob<'a> {
    /// Splits `data`, which must be the encoding of exactly one program.
    pub fn parse(data: &'a [u8]) -> Result<Blob<'a>, InvalidProgram> {
        let mut reader = Reader { data, at: 0 };
        let jump_count = reader.natural()?;
        let jump_width = reader.take(1, "the blob ends before the jump table's width")?[0] as usize;
        let code_len = reader.natural()?;
        let table = jump_count.saturating_mul(jump_width as u64);
        let jumps_at = reader.at;
        let jumps = reader.take(table, "the blob ends inside the jump table")?;
        check_entries(jumps, jump_width, jumps_at)?;
        let code = reader.take(code_len, "the blob ends inside the instructions")?;
        if code.len() >= (u32::MAX / 2) as usize {
            return Err(InvalidProgram {
                offset: reader.at,
                reason: "more than 2 GiB of code",
            });
        }
        let bitmask = reader.take(code_len.div_ceil(8), "the blob ends inside the bitmask")?;
        let used = code.len() % 8;
        if used != 0 && bitmask[bitmask.len() - 1] >> used != 0 {
            let offset = reader.at - 1;
            return Err(InvalidProgram {
                offset,
                reason: "padding of the bitmask is not zero",
            });
        }
        if reader.at != data.len() {
            return Err(InvalidProgram {
                offset: reader.at,
                reason: "bytes after the bitmask",
            });
        }
        Ok(Blob {
            code,
            bitmask,
            jump_count,
            jump_width,
            jumps,
        })
    }

    /// Whether the bitmask marks octet `at` as an opcode; never past the code.
    pub fn is_opcode(&self, at: usize) -> bool {
        at < self.code.len() && self.bitmask[at / 8] >> (at % 8) & 1 == 1
    }

    /// The paper's skip function: octets between this opcode and the next, at most 24.
    pub fn skip(&self, at: usize) -> usize {
        (0..MAX_SKIP)
            .find(|skip| at + 1 + skip >= self.code.len() || self.is_opcode(at + 1 + skip))
            .unwrap_or(MAX_SKIP)
    }

    /// Whether a jump may lead to `position`: a valid opcode behind an instruction that ends a
    /// basic block, or at the very beginning (section A.3).
    pub fn is_block_start(&self, position: i64) -> bool {
        let Ok(at) = usize::try_from(position) else {
            return false;
        };
        if !self.is_opcode(at) || opcode::form(self.code[at]).is_none() {
            return false;
        }
        let before = (1..=at.min(MAX_SKIP + 1)).find(|back| self.is_opcode(at - back));
        at == 0 || before.is_some_and(|back| opcode::is_terminator(self.code[at - back]))
    }

    /// Entry `index` of the jump table, which must exist.
    pub fn jump(&self, index: usize) -> u64 {
        let entry = &self.jumps[index * self.jump_width..][..self.jump_width.min(8)];
        let mut octets = [0u8; 8];
        octets[..entry.len()].copy_from_slice(entry);
        u64::from_le_bytes(octets)
    }
}

/// Entries are register-sized values: octets past the eighth hold nothing.
fn check_entries(jumps: &[u8], width: usize, start: usize) -> Result<(), InvalidProgram> {
    if width <= 8 {
        return Ok(());
    }
    match jumps
        .iter()
        .enumerate()
        .find(|(at, octet)| at % width >= 8 && **octet != 0)
    {
        Some((at, _)) => Err(InvalidProgram {
            offset: start + at,
            reason: "a jump table entry exceeds 64 bits",
        }),
        None => Ok(()),
    }
}
