//! Runs guest programs and prints nanoseconds an instruction.
//!
//! Arguments: one `name=blob,r7,r8` a program, as `run.py` gives them.

mod yardstick;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jamliquor_pvm::{Access, Engine, ExitReason, Limits, Program, MAX_DECODED};

const HEAP: u32 = 0x20000;
const HEAP_PAGES: u32 = 512;
const GAS: i64 = 1 << 40;
const REPEATS: u32 = 7;

struct Guest {
    name: String,
    blob: Vec<u8>,
    registers: [u64; 2],
}

fn parse(argument: &str) -> Guest {
    let (name, rest) = argument.split_once('=').expect("name=blob,r7,r8");
    let mut fields = rest.split(',');
    let path = fields.next().expect("a path");
    let mut number = || fields.next().expect("a number").parse().expect("a number");
    Guest {
        name: name.to_owned(),
        blob: std::fs::read(path).expect("a readable blob"),
        registers: [number(), number()],
    }
}

/// The best time of several runs, the instructions executed, and r7 in the end.
fn ours(guest: &Guest, paged: bool, max_decoded: usize) -> (Duration, i64, u64) {
    let engine = Engine::new(Limits {
        resident: 24 << 20,
        spill_directory: None,
        spill_quota: 0,
        paged,
    });
    let program = Arc::new(Program::decode(&guest.blob, max_decoded).expect("a valid program"));
    let mut best = (Duration::MAX, 0, 0);
    for _ in 0..REPEATS {
        let mut machine = engine
            .machine(Arc::clone(&program), 0, GAS)
            .expect("a machine");
        let control = machine.control();
        control
            .set_access(HEAP / 4096, HEAP_PAGES, Access::Write)
            .expect("room for states");
        control.state().registers[0] = 0xffff_0000;
        control.state().registers[7..9].copy_from_slice(&guest.registers);
        let start = Instant::now();
        let exit = control.run().expect("room for pages");
        let time = start.elapsed();
        assert_eq!(exit, ExitReason::Halt, "{}", guest.name);
        let state = control.state();
        if time < best.0 {
            best = (time, GAS - state.gas, state.registers[7]);
        }
    }
    best
}

fn nanoseconds(time: Duration, instructions: i64) -> f64 {
    time.as_nanos() as f64 / instructions as f64
}

fn main() {
    for guest in std::env::args().skip(1).map(|argument| parse(&argument)) {
        let (flat, instructions, result) = ours(&guest, false, MAX_DECODED);
        let (paged, _, same) = ours(&guest, true, MAX_DECODED);
        let (streamed, ..) = ours(&guest, false, 0);
        let (theirs, gas, third) = yardstick::run(&guest);
        assert_eq!((result, result), (same, third), "{}", guest.name);
        assert_eq!(instructions, gas, "{}", guest.name);
        println!(
            "{{\"guest\": \"{}\", \"instructions\": {}, \"flat\": {}, \"paged\": {}, \"streamed\": {}, \"polkavm\": {}}}",
            guest.name,
            instructions,
            nanoseconds(flat, instructions),
            nanoseconds(paged, instructions),
            nanoseconds(streamed, instructions),
            nanoseconds(theirs, instructions),
        );
    }
}
