//! A program in flight: registers, gas, memory and where it stands.

use std::sync::Arc;

use crate::budget::HostFailure;
use crate::interpreter::{execute, Context, Stop};
use crate::memory::{Access, Denied, Memory, Store};
use crate::program::Program;

/// Number of registers.
pub const REGISTERS: usize = 13;

/// Why a run ended (section A.1), and what `exit` holds in a [`RunState`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum ExitReason {
    Halt = 0,
    Panic = 1,
    OutOfGas = 2,
    Fault = 3,
    HostCall = 4,
}

/// `exit` before the first run, and after the host moved the program counter.
const FRESH: u64 = u64::MAX;

/// What the host reads and writes between runs.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RunState {
    pub registers: [u64; REGISTERS],
    /// Gas left; -1 when it ran out.
    pub gas: i64,
    /// The instruction that caused the last exit, or the one to begin with. After a host call a run
    /// continues behind it, unless `exit` was set to all ones, which begins at `pc` itself.
    pub pc: u64,
    /// An [`ExitReason`], or all ones.
    pub exit: u64,
    /// The host call's number, or the address of the page that faulted.
    pub argument: u64,
    /// Where a run continues: behind the host call; zero after halt and panic; else `pc`.
    pub next_pc: u64,
}

/// What a host does with a machine, whatever its store.
pub trait Control: Send {
    /// The block shared with the host; stays in place while the machine lives.
    fn state(&mut self) -> &mut RunState;
    /// Runs until the next exit.
    fn run(&mut self) -> Result<ExitReason, HostFailure>;
    fn is_readable(&self, address: u64, len: u64) -> bool;
    fn is_writable(&self, address: u64, len: u64) -> bool;
    /// False, and `out` unspecified, if not all of the range is readable.
    fn read(&mut self, address: u64, out: &mut [u8]) -> Result<bool, HostFailure>;
    /// False, and nothing written, if not all of the range is writable.
    fn write(&mut self, address: u64, data: &[u8]) -> Result<bool, HostFailure>;
    /// Writes whatever the access; false, and nothing written, past the address space.
    fn initialize(&mut self, address: u64, data: &[u8]) -> Result<bool, HostFailure>;
    fn set_access(&mut self, first: u32, count: u32, access: Access) -> Result<(), HostFailure>;
    fn zero(&mut self, first: u32, count: u32) -> Result<(), HostFailure>;
    /// The end of the heap, and the address it cannot grow past.
    fn heap(&self) -> (u64, u64);
    fn set_heap(&mut self, end: u64, limit: u64);
}

/// A machine over memory of one kind.
pub struct Machine<S: Store> {
    program: Arc<Program>,
    state: Box<RunState>,
    memory: Memory<S>,
}

impl<S: Store> Machine<S> {
    /// A machine about to execute the instruction at `pc`, with registers zero.
    pub fn new(program: Arc<Program>, memory: Memory<S>, pc: u64, gas: i64) -> Self {
        let registers = [0; REGISTERS];
        let state = RunState {
            registers,
            gas,
            pc,
            exit: FRESH,
            argument: 0,
            next_pc: pc,
        };
        Machine {
            program,
            state: Box::new(state),
            memory,
        }
    }

    /// Ends the machine and hands its memory back.
    pub fn into_memory(self) -> Memory<S> {
        self.memory
    }

    fn finish(&mut self, exit: ExitReason, argument: u64, next_pc: u64) -> ExitReason {
        self.state.exit = exit as u64;
        self.state.argument = argument;
        self.state.next_pc = next_pc;
        exit
    }

    fn denied(&mut self) -> Result<ExitReason, HostFailure> {
        match self.memory.take_denied() {
            Some(Denied::Fault(address)) => {
                Ok(self.finish(ExitReason::Fault, u64::from(address), self.state.pc))
            }
            Some(Denied::Panic) | None => Ok(self.finish(ExitReason::Panic, 0, 0)),
            Some(Denied::Host(failure)) => {
                // Nothing was attempted.
                self.state.gas += 1;
                self.state.exit = FRESH;
                Err(failure)
            }
        }
    }
}

impl<S: Store + Send> Control for Machine<S>
where
    Memory<S>: Send,
{
    fn state(&mut self) -> &mut RunState {
        &mut self.state
    }

    fn run(&mut self) -> Result<ExitReason, HostFailure> {
        if self.state.exit == ExitReason::HostCall as u64 {
            self.state.pc = self.state.next_pc;
        }
        if self.state.gas < 0 {
            return Ok(self.finish(ExitReason::OutOfGas, 0, self.state.pc));
        }
        let context = Context {
            program: &self.program,
            registers: &mut self.state.registers,
            gas: &mut self.state.gas,
            memory: &mut self.memory,
        };
        let end = execute(context, self.state.pc);
        self.state.pc = end.pc;
        match end.stop {
            Stop::Halt => Ok(self.finish(ExitReason::Halt, 0, 0)),
            Stop::Panic => Ok(self.finish(ExitReason::Panic, 0, 0)),
            Stop::OutOfGas => Ok(self.finish(ExitReason::OutOfGas, 0, end.pc)),
            Stop::HostCall => Ok(self.finish(ExitReason::HostCall, end.call, end.next)),
            Stop::Denied => self.denied(),
            Stop::Short | Stop::Leave(_) => unreachable!("resolved by execute"),
        }
    }

    fn is_readable(&self, address: u64, len: u64) -> bool {
        self.memory.is_readable(address, len)
    }

    fn is_writable(&self, address: u64, len: u64) -> bool {
        self.memory.is_writable(address, len)
    }

    fn read(&mut self, address: u64, out: &mut [u8]) -> Result<bool, HostFailure> {
        self.memory.read(address, out)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<bool, HostFailure> {
        self.memory.write(address, data)
    }

    fn initialize(&mut self, address: u64, data: &[u8]) -> Result<bool, HostFailure> {
        self.memory.initialize(address, data)
    }

    fn set_access(&mut self, first: u32, count: u32, access: Access) -> Result<(), HostFailure> {
        self.memory.set_access(first, count, access)
    }

    fn zero(&mut self, first: u32, count: u32) -> Result<(), HostFailure> {
        self.memory.zero(first, count)
    }

    fn heap(&self) -> (u64, u64) {
        (self.memory.heap, self.memory.heap_limit)
    }

    fn set_heap(&mut self, end: u64, limit: u64) {
        (self.memory.heap, self.memory.heap_limit) = (end, limit.min(1 << 32));
    }
}
