//! Exports of the virtual machine.
//!
//! A program is decoded once and shared by machines. A machine's registers, gas and exit live in a
//! block that both sides read and write (`jam_pvm_machine_state`), so that a run is one call.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use jamliquor_pvm::{
    Access, Control, Engine, ExitReason, HostFailure, Limits, PooledMachine, Program, RunState,
    MAX_DECODED,
};

use crate::status::{bytes, bytes_mut, free, guard, Failure, JAM_ERR_HOST, JAM_OK};

/// Verdict of `jam_pvm_program_new`: the blob is not the encoding of a program.
pub const JAM_PVM_INVALID: i32 = 1;
/// Verdict of memory functions: some octet of the range lacks the access.
pub const JAM_PVM_INACCESSIBLE: i32 = 1;

/// Makes machines under common limits; used by any thread.
pub struct JamPvmEngine {
    engine: Engine,
}

/// A decoded program; immutable, used by any thread.
pub struct JamPvmProgram {
    program: Arc<Program>,
}

/// A machine; one call at a time.
pub struct JamPvmMachine {
    busy: AtomicBool,
    machine: PooledMachine,
}

/// What both sides read and write between runs: 18 words of 64 bits.
#[repr(C)]
pub struct JamPvmState {
    /// The 13 registers.
    pub registers: [u64; 13],
    /// Gas left; -1 when it ran out.
    pub gas: i64,
    /// The instruction that caused the last exit, or the one to begin with.
    pub pc: u64,
    /// 0 halt, 1 panic, 2 out of gas, 3 fault, 4 host call; all ones: begin at `pc`.
    pub exit: u64,
    /// Number of the host call, or address of the page that faulted.
    pub argument: u64,
    /// Where a run continues, the instruction counter of the paper's invocations.
    pub next_pc: u64,
}

const _: () = assert!(std::mem::size_of::<JamPvmState>() == std::mem::size_of::<RunState>());

impl From<HostFailure> for Failure {
    fn from(failure: HostFailure) -> Self {
        Failure {
            code: JAM_ERR_HOST,
            message: failure.0,
        }
    }
}

/// Runs `body` on a live machine unless another thread is inside it.
///
/// # Safety
/// `machine` must be a live machine of this library.
unsafe fn with_machine(
    machine: *mut JamPvmMachine,
    body: impl FnOnce(&mut dyn Control) -> Result<i32, Failure>,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises a live machine; the flag is shared by all callers.
        let busy = unsafe { &(*machine).busy };
        if busy.swap(true, Ordering::Acquire) {
            return Err(Failure::argument("the machine is in use by another thread"));
        }
        struct Release<'a>(&'a AtomicBool);
        impl Drop for Release<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }
        let _release = Release(busy);
        // SAFETY: the flag was ours to take, so nobody else borrows the machine itself.
        body(unsafe { (*machine).machine.control() })
    })
}

fn verdict(accessible: bool) -> i32 {
    if accessible {
        JAM_OK
    } else {
        JAM_PVM_INACCESSIBLE
    }
}

/// Makes an engine whose machines together keep `resident` bytes of guest pages in memory. Above
/// that, pages go to an unlinked file of at most `quota` bytes in `directory` (UTF-8); an empty
/// directory makes the cap final. `paged` chooses memory by table walk also on 64-bit hosts.
///
/// # Safety
/// `directory` must be readable for `directory_len` bytes, `out` writable.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_engine_new(
    resident: usize,
    directory: *const u8,
    directory_len: usize,
    quota: u64,
    paged: bool,
    out: *mut *mut JamPvmEngine,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let directory = unsafe { bytes(directory, directory_len) }?;
        let directory = std::str::from_utf8(directory)
            .map_err(|_| Failure::argument("the directory is not UTF-8"))?;
        let spill_directory = (!directory.is_empty()).then(|| PathBuf::from(directory));
        let engine = Engine::new(Limits {
            resident,
            spill_directory,
            spill_quota: quota,
            paged,
        });
        // SAFETY: the caller promises a writable pointer.
        unsafe { *out = Box::into_raw(Box::new(JamPvmEngine { engine })) };
        Ok(JAM_OK)
    })
}

/// Writes four counters: bytes resident, their peak, frames spilled, frames restored.
///
/// # Safety
/// `engine` must be live, `out` writable for four words.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_engine_counters(
    engine: *const JamPvmEngine,
    out: *mut u64,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises a live engine.
        let counters = unsafe { (*engine).engine.counters() };
        let words = [
            counters.resident,
            counters.peak,
            counters.spilled,
            counters.restored,
        ];
        // SAFETY: the caller promises four writable words.
        unsafe { out.cast::<[u64; 4]>().write_unaligned(words) };
        Ok(JAM_OK)
    })
}

/// Destroys the engine; its machines live on. Null is allowed.
///
/// # Safety
/// `engine` must be null or live, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_engine_free(engine: *mut JamPvmEngine) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(engine) }
}

/// Decodes a program blob, all at once if it has at most `max_decoded` instructions (0xffffffff:
/// the core's own limit), else a piece at a time when executed. `JAM_PVM_INVALID`: it is none, `offset` is the byte that shows it, and
/// `jam_last_error` says why.
///
/// # Safety
/// `data` must be readable for `len` bytes, `out` and `offset` writable.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_program_new(
    data: *const u8,
    len: usize,
    max_decoded: u32,
    out: *mut *mut JamPvmProgram,
    offset: *mut u64,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        match Program::decode(
            unsafe { bytes(data, len) }?,
            MAX_DECODED.min(max_decoded as usize),
        ) {
            Ok(program) => {
                let program = Box::new(JamPvmProgram {
                    program: Arc::new(program),
                });
                // SAFETY: the caller promises a writable pointer.
                unsafe { *out = Box::into_raw(program) };
                Ok(JAM_OK)
            }
            Err(invalid) => {
                // SAFETY: the caller promises a writable word.
                unsafe { *offset = invalid.offset as u64 };
                Err(Failure {
                    code: JAM_PVM_INVALID,
                    message: invalid.reason.to_owned(),
                })
            }
        }
    })
}

/// Bytes of host memory that the decoded program occupies.
///
/// # Safety
/// `program` must be live.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_program_size(program: *const JamPvmProgram) -> usize {
    // SAFETY: the caller promises a live program.
    unsafe { (*program).program.size() }
}

/// Destroys the handle; machines keep the program. Null is allowed.
///
/// # Safety
/// `program` must be null or live, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_program_free(program: *mut JamPvmProgram) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(program) }
}

/// Makes a machine about to execute the instruction at `pc`: registers zero, memory inaccessible.
///
/// # Safety
/// `engine` and `program` must be live, `out` writable.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_new(
    engine: *const JamPvmEngine,
    program: *const JamPvmProgram,
    pc: u64,
    gas: i64,
    out: *mut *mut JamPvmMachine,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises live handles.
        let (engine, program) = unsafe { (&(*engine).engine, &(*program).program) };
        let machine = engine.machine(Arc::clone(program), pc, gas)?;
        let machine = JamPvmMachine {
            busy: AtomicBool::new(false),
            machine,
        };
        // SAFETY: the caller promises a writable pointer.
        unsafe { *out = Box::into_raw(Box::new(machine)) };
        Ok(JAM_OK)
    })
}

/// The block that the machine shares with its owner, which stays in place until it is freed and
/// may be touched only between calls.
///
/// # Safety
/// `machine` must be live, and in no other call.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_state(machine: *mut JamPvmMachine) -> *mut JamPvmState {
    // SAFETY: the caller promises a live machine that nobody uses; the layouts are the same.
    unsafe { std::ptr::from_mut((*machine).machine.control().state()).cast() }
}

/// Destroys the machine; null is allowed.
///
/// # Safety
/// `machine` must be null or live, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_free(machine: *mut JamPvmMachine) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(machine) }
}

/// Runs until the next exit and returns its reason as in `JamPvmState`.
///
/// # Safety
/// `machine` must be live.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_run(machine: *mut JamPvmMachine) -> i32 {
    // SAFETY: passed on from this function's own contract.
    unsafe { with_machine(machine, |control| Ok(control.run()? as i32)) }
}

/// Runs as `jam_pvm_machine_run`, but goes on behind host calls whose number's bit in `offered` is
/// not set: each takes `cost` gas and leaves `answer` in register 7. One that the gas does not
/// suffice for ends the run, not charged yet.
///
/// # Safety
/// `machine` must be live.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_run_offering(
    machine: *mut JamPvmMachine,
    offered: u64,
    cost: i64,
    answer: u64,
) -> i32 {
    let run = |control: &mut dyn Control| loop {
        let reason = control.run()?;
        let state = control.state();
        let known = state.argument < 64 && offered >> state.argument & 1 == 1;
        if reason != ExitReason::HostCall || known || state.gas < cost {
            return Ok(reason as i32);
        }
        state.gas -= cost;
        state.registers[7] = answer;
    };
    // SAFETY: passed on from this function's own contract.
    unsafe { with_machine(machine, run) }
}

/// Whether a range can be read (`writable` false) or written; else `JAM_PVM_INACCESSIBLE`.
///
/// # Safety
/// `machine` must be live.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_check(
    machine: *mut JamPvmMachine,
    address: u64,
    len: u64,
    writable: bool,
) -> i32 {
    let check = |control: &mut dyn Control| {
        Ok(verdict(if writable {
            control.is_writable(address, len)
        } else {
            control.is_readable(address, len)
        }))
    };
    // SAFETY: passed on from this function's own contract.
    unsafe { with_machine(machine, check) }
}

/// Copies guest memory to `out` if all of it can be read; else `JAM_PVM_INACCESSIBLE`.
///
/// # Safety
/// `machine` must be live, `out` writable for `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_read(
    machine: *mut JamPvmMachine,
    address: u64,
    out: *mut u8,
    len: usize,
) -> i32 {
    // SAFETY: passed on from this function's own contract.
    unsafe {
        let out = bytes_mut(out, len);
        with_machine(machine, |control| Ok(verdict(control.read(address, out?)?)))
    }
}

/// Writes the Blake2b-256 hash of `prefix` with `len` bytes of guest memory behind it to `out`, if
/// all of them can be read; else `JAM_PVM_INACCESSIBLE`.
///
/// # Safety
/// `machine` must be live, `prefix` readable for `prefix_len` bytes, `out` writable for 32.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_hash(
    machine: *mut JamPvmMachine,
    prefix: *const u8,
    prefix_len: usize,
    address: u64,
    len: usize,
    out: *mut u8,
) -> i32 {
    // SAFETY: passed on from this function's own contract.
    unsafe {
        let prefix = bytes(prefix, prefix_len);
        let out = bytes_mut(out, 32);
        with_machine(machine, |control| {
            // Before anything is allocated: a guest may name any length.
            if !control.is_readable(address, len as u64) {
                return Ok(JAM_PVM_INACCESSIBLE);
            }
            let mut hashed = prefix?.to_vec();
            hashed.resize(prefix_len + len, 0);
            control.read(address, &mut hashed[prefix_len..])?;
            out?.copy_from_slice(&jamliquor_trie::blake2b(&hashed));
            Ok(JAM_OK)
        })
    }
}

/// Copies `data` to guest memory if all of the range can be written, or, with `force`, if it lies
/// inside the address space; else writes nothing and returns `JAM_PVM_INACCESSIBLE`.
///
/// # Safety
/// `machine` must be live, `data` readable for `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_write(
    machine: *mut JamPvmMachine,
    address: u64,
    data: *const u8,
    len: usize,
    force: bool,
) -> i32 {
    // SAFETY: passed on from this function's own contract.
    unsafe {
        let data = bytes(data, len);
        with_machine(machine, |control| {
            let data = data?;
            Ok(verdict(if force {
                control.initialize(address, data)?
            } else {
                control.write(address, data)?
            }))
        })
    }
}

/// Sets the access of pages: 0 none, 1 read, 2 write. Contents stay; pages below 2^16 stay shut.
///
/// # Safety
/// `machine` must be live.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_set_access(
    machine: *mut JamPvmMachine,
    first: u32,
    count: u32,
    access: u32,
) -> i32 {
    let set = |control: &mut dyn Control| {
        let access = match access {
            0 => Access::None,
            1 => Access::Read,
            2 => Access::Write,
            _ => return Err(Failure::argument("access is 0, 1 or 2")),
        };
        control.set_access(first, count, access)?;
        Ok(JAM_OK)
    };
    // SAFETY: passed on from this function's own contract.
    unsafe { with_machine(machine, set) }
}

/// Fills pages with zeroes, whatever their access.
///
/// # Safety
/// `machine` must be live.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_zero(
    machine: *mut JamPvmMachine,
    first: u32,
    count: u32,
) -> i32 {
    let zero = |control: &mut dyn Control| {
        control.zero(first, count)?;
        Ok(JAM_OK)
    };
    // SAFETY: passed on from this function's own contract.
    unsafe { with_machine(machine, zero) }
}

/// The end of the heap that `sbrk` grows, or `u64::MAX` from a machine in use.
///
/// # Safety
/// `machine` must be live.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_heap(machine: *mut JamPvmMachine) -> u64 {
    let mut end = u64::MAX;
    // SAFETY: passed on from this function's own contract.
    unsafe {
        with_machine(machine, |control| {
            end = control.heap().0;
            Ok(JAM_OK)
        })
    };
    end
}

/// Sets the end of the heap and the address that it cannot grow past.
///
/// # Safety
/// `machine` must be live.
#[no_mangle]
pub unsafe extern "C" fn jam_pvm_machine_set_heap(
    machine: *mut JamPvmMachine,
    end: u64,
    limit: u64,
) -> i32 {
    let set = |control: &mut dyn Control| {
        control.set_heap(end, limit);
        Ok(JAM_OK)
    };
    // SAFETY: passed on from this function's own contract.
    unsafe { with_machine(machine, set) }
}
