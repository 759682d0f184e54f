//! The interpreter: one loop over decoded operations.
//!
//! Gas is paid a block at a time. Entering a block takes the cost of all of it; an exit inside it
//! gives back what was not executed. When the gas does not cover a block, as many of its operations
//! as it does cover are copied, an end is put behind them, and the same loop runs the copy. So gas
//! is exact to the instruction everywhere, at one subtraction a block.

use crate::alu::*;
use crate::decode::{Op, BAD_JUMP, LEAVE, OUT_OF_GAS};
use crate::memory::{Memory, Store};
use crate::opcode::*;
use crate::program::{Form, Listed, Program, Target};
use crate::stream::{Piece, Streamed};

/// Gas that an instruction costs which cannot access memory. The equation of section A.4 leaves
/// gas alone, the text of A.1 charges every attempt; public chains charge it.
const DENIED_GAS: i64 = 1;

/// The address whose dynamic jump halts the machine.
const HALT_ADDRESS: u32 = 0xffff_0000;

/// Why the loop ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    Halt,
    Panic,
    OutOfGas,
    HostCall,
    /// Memory holds the reason.
    Denied,
    /// The block entered costs more than the gas left, which is untouched.
    Short,
    /// Execution goes on at this position, outside the operations at hand.
    Leave(u32),
}

/// Why a run ended, and where.
pub(crate) struct End {
    pub stop: Stop,
    /// Position of the instruction that stopped.
    pub pc: u64,
    /// Position behind it, after a host call, and the call's number.
    pub next: u64,
    pub call: u64,
}

/// What the loop works on.
pub(crate) struct Context<'a, S: Store> {
    pub program: &'a Program,
    pub registers: &'a mut [u64; 13],
    pub gas: &'a mut i64,
    pub memory: &'a mut Memory<S>,
}

impl End {
    /// No instruction begins at `pc`, so that a trap is met there.
    fn trap(pc: u64, gas: &mut i64) -> End {
        *gas -= 1;
        let stop = if *gas < 0 {
            Stop::OutOfGas
        } else {
            Stop::Panic
        };
        End {
            stop,
            pc,
            next: 0,
            call: 0,
        }
    }

    fn at(stop: Stop, ops: &[Op], index: usize, position: impl Fn(usize) -> u64) -> End {
        let (next, call) = match stop {
            Stop::HostCall => (position(index + 1), ops[index].imm as i64 as u64),
            _ => (0, 0),
        };
        End {
            stop,
            pc: position(index),
            next,
            call,
        }
    }
}

/// Runs from the instruction at `pc`, with no less than no gas.
pub(crate) fn execute<S: Store>(context: Context<'_, S>, pc: u64) -> End {
    match &context.program.form {
        Form::Listed(listed) => execute_listed(context, listed, pc),
        Form::Streamed(streamed) => execute_streamed(context, streamed, pc),
    }
}

fn execute_listed<S: Store>(mut context: Context<'_, S>, listed: &Listed, pc: u64) -> End {
    let Some(start) = listed.index_of(pc) else {
        return End::trap(pc, context.gas);
    };
    let (mut stop, mut index) = interpret(&listed.ops, &mut context, start);
    if stop == Stop::Short {
        let affordable = *context.gas as usize;
        let mut part: Vec<Op> = listed.ops[index..index + affordable].to_vec();
        for (at, op) in part.iter_mut().enumerate() {
            op.opcode = unfused(op.opcode);
            op.cost = (affordable - at) as u32;
        }
        part.push(Op::of(OUT_OF_GAS, 0));
        let (end, offset) = interpret(&part, &mut context, 0);
        (stop, index) = (end, index + offset);
    }
    if stop == Stop::OutOfGas {
        *context.gas = -1;
    }
    End::at(stop, &listed.ops, index, |index| listed.position(index))
}

fn execute_streamed<S: Store>(mut context: Context<'_, S>, streamed: &Streamed, pc: u64) -> End {
    let mut piece = Piece::default();
    let mut pc = pc;
    loop {
        if !streamed.decode(pc, *context.gas as u64, &mut piece) {
            return End::trap(pc, context.gas);
        }
        match interpret(&piece.ops, &mut context, 0) {
            (Stop::Leave(position), _) => pc = u64::from(position),
            // A piece is cut to the gas, so this one is a single instruction without any.
            (Stop::Short, _) => {
                *context.gas = -1;
                return End {
                    stop: Stop::OutOfGas,
                    pc,
                    next: 0,
                    call: 0,
                };
            }
            (stop, index) => {
                return End::at(stop, &piece.ops, index, |index| piece.position(index));
            }
        }
    }
}

fn interpret<S: Store>(ops: &[Op], context: &mut Context<'_, S>, start: usize) -> (Stop, usize) {
    let base = ops.as_ptr();
    let program = context.program;
    let memory = &mut *context.memory;
    let view = memory.view();
    let mut regs = *context.registers;
    let mut gas = *context.gas;
    // SAFETY: `start` is the index of an operation.
    let mut ip = unsafe { base.add(start) };

    // SAFETY, for every use of these macros: decoding bounds register operands by 12, resolves
    // targets to indices of operations, and puts an operation that ends the run or jumps behind
    // every run of operations, so that `ip` never leaves them.
    macro_rules! reg {
        ($index:expr) => {
            *unsafe { regs.get_unchecked_mut($index as usize) }
        };
    }
    macro_rules! imm {
        ($op:expr) => {
            $op.imm as i64 as u64
        };
    }
    macro_rules! imm2 {
        ($op:expr) => {
            $op.ext as i32 as i64 as u64
        };
    }
    macro_rules! advance {
        () => {{
            ip = unsafe { ip.add(1) };
            unsafe { &*ip }
        }};
    }

    let stop = 'run: {
        macro_rules! enter {
            ($target:expr) => {{
                ip = $target;
                let cost = i64::from(unsafe { (*ip).cost });
                if gas < cost {
                    break 'run Stop::Short;
                }
                gas -= cost;
                continue;
            }};
        }
        macro_rules! load {
            ($type:ty, $address:expr) => {{
                let address = $address as u32;
                const LEN: usize = std::mem::size_of::<$type>();
                // SAFETY: the memory that `view` belongs to is borrowed by this function.
                match unsafe { S::read::<LEN>(view, address) } {
                    Some(octets) => <$type>::from_le_bytes(octets),
                    None => match memory.load_slow(address, LEN as u32) {
                        Some(value) => value as $type,
                        None => break 'run Stop::Denied,
                    },
                }
            }};
        }
        macro_rules! store {
            ($type:ty, $address:expr, $value:expr) => {{
                let address = $address as u32;
                let value = $value as $type;
                const LEN: usize = std::mem::size_of::<$type>();
                // SAFETY: as for loads; `regs` and the operations lie outside guest memory.
                if !unsafe { S::write::<LEN>(view, address, value.to_le_bytes()) }
                    && !memory.store_slow(address, LEN as u32, u64::from(value))
                {
                    break 'run Stop::Denied;
                }
            }};
        }
        macro_rules! jump {
            ($op:expr) => {
                enter!(unsafe { base.add($op.ext as usize) })
            };
        }
        macro_rules! next_block {
            () => {
                enter!(unsafe { ip.add(1) })
            };
        }
        macro_rules! branch {
            ($op:expr, $condition:expr) => {
                if $condition {
                    jump!($op)
                } else {
                    next_block!()
                }
            };
        }
        macro_rules! dynamic_jump {
            ($address:expr) => {{
                let address = $address as u32;
                match program.dynamic_target(address) {
                    Target::Op(target) => enter!(unsafe { base.add(target) }),
                    Target::Position(position) => break 'run Stop::Leave(position),
                    Target::Nowhere if address == HALT_ADDRESS => break 'run Stop::Halt,
                    Target::Nowhere => break 'run Stop::Panic,
                }
            }};
        }
        macro_rules! sbrk {
            ($op:expr) => {
                match memory.sbrk_slow(reg!($op.a)) {
                    Some(address) => reg!($op.d) = address,
                    None => break 'run Stop::Denied,
                }
            };
        }
        macro_rules! dispatch {
            ($op:ident; $($name:ident)*; $($fused:ident = $first:ident + $second:ident,)*) => {
                match $op.opcode {
                    $($name => exec!($name, $op),)*
                    $($fused => {
                        exec!($first, $op);
                        let second = advance!();
                        exec!($second, second)
                    })*
                    TRAP | BAD_JUMP => break 'run Stop::Panic,
                    ECALLI => break 'run Stop::HostCall,
                    OUT_OF_GAS => break 'run Stop::OutOfGas,
                    LEAVE => break 'run Stop::Leave($op.ext),
                    // SAFETY: decoding makes no other operation.
                    _ => unsafe { std::hint::unreachable_unchecked() },
                }
            };
        }

        if gas < i64::from(ops[start].cost) {
            break 'run Stop::Short;
        }
        gas -= i64::from(ops[start].cost);
        loop {
            let op = unsafe { &*ip };
            instructions!(dispatch, op);
            ip = unsafe { ip.add(1) };
        }
    };

    if stop == Stop::Denied {
        // SAFETY: `ip` is at the operation that was denied.
        gas += i64::from(unsafe { (*ip).cost }) - DENIED_GAS;
    }
    *context.registers = regs;
    *context.gas = gas;
    // SAFETY: both point into `ops`.
    (stop, unsafe { ip.offset_from(base) } as usize)
}

macro_rules! define_fusion {
    (; $($name:ident)*; $($fused:ident = $first:ident + $second:ident,)*) => {
        fn fused(first: u8, second: u8) -> Option<u8> {
            match (first, second) {
                $(($first, $second) => Some($fused),)*
                _ => None,
            }
        }

        /// The opcode of a fused operation's own instruction; other opcodes are their own.
        fn unfused(opcode: u8) -> u8 {
            match opcode {
                $($fused => $first,)*
                other => other,
            }
        }
    };
}

instructions!(define_fusion,);

/// Gives adjacent operations that often meet one dispatch. The second of a pair stays what it is,
/// so that execution can still begin there.
pub(crate) fn fuse(ops: &mut [Op]) {
    let mut at = 0;
    while at + 1 < ops.len() {
        match fused(ops[at].opcode, ops[at + 1].opcode) {
            Some(opcode) if ops[at].cost > 1 => {
                ops[at].opcode = opcode;
                at += 2;
            }
            _ => at += 1,
        }
    }
}
