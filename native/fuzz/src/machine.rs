//! Program blobs and execution: the same exits, registers, gas and memory over flat memory, over
//! page tables, and over page tables that spill to a file, decoded at once or while it runs.

#![no_main]

use std::cell::OnceCell;
use std::sync::Arc;

use jamliquor_pvm::{Access, Blob, Engine, ExitReason, HostFailure, Limits, Program, MAX_DECODED};
use libfuzzer_sys::fuzz_target;

const GAS: i64 = 4000;
const EXITS: usize = 40;
const REGISTERS: usize = 13;
const FIRST_PAGE: u32 = 16;
const PAGES: u32 = 56;
const POINTERS: [u64; 8] = [
    0,
    0x1_0000,
    0x1_1ffc,
    0x2_0000,
    0xffff_0000,
    u64::MAX,
    1 << 63,
    0x7fff_ffff,
];

thread_local! {
    static ENGINES: OnceCell<[Engine; 3]> = const { OnceCell::new() };
}

fn engines() -> [Engine; 3] {
    let roomy = Limits {
        resident: 16 << 20,
        spill_directory: None,
        spill_quota: 0,
        paged: false,
    };
    let paged = Limits {
        paged: true,
        ..roomy.clone()
    };
    let tight = Limits {
        resident: 48 * 4096,
        spill_directory: Some(std::env::temp_dir()),
        spill_quota: 64 << 20,
        paged: true,
    };
    [roomy, paged, tight].map(Engine::new)
}

/// A program in which every octet of `data` means something: a length, an opcode, operands.
fn woven(data: &[u8]) -> Vec<u8> {
    let (mut code, mut starts) = (Vec::new(), Vec::new());
    let mut rest = data;
    while let [length, opcode, tail @ ..] = rest {
        let length = usize::from(length % 12).min(tail.len());
        starts.push(code.len());
        code.push(*opcode);
        code.extend_from_slice(&tail[..length]);
        rest = &tail[length..];
    }
    let mut mask = vec![0u8; code.len().div_ceil(8)];
    for at in &starts {
        mask[at / 8] |= 1 << (at % 8);
    }
    let jumps: Vec<_> = starts
        .iter()
        .step_by((starts.len() / 4).max(1))
        .take(8)
        .collect();
    let mut blob = vec![jumps.len() as u8, 2];
    natural(&mut blob, code.len());
    jumps
        .iter()
        .for_each(|at| blob.extend_from_slice(&(**at as u16).to_le_bytes()));
    blob.extend(code);
    blob.extend(mask);
    blob
}

/// A length below 2^14 in its general encoding.
fn natural(out: &mut Vec<u8>, value: usize) {
    if value < 128 {
        out.push(value as u8);
    } else {
        out.extend([0x80 | (value >> 8) as u8, value as u8]);
    }
}

#[derive(Debug, PartialEq)]
struct Seen {
    exits: Vec<(ExitReason, [u64; REGISTERS], i64, u64, u64, u64)>,
    heap: u64,
    pages: Vec<Option<Vec<u8>>>,
}

/// Everything that can be seen of a machine at its exits and at its end, unless the host runs short.
fn life(
    engine: &Engine,
    program: &Arc<Program>,
    registers: [u64; REGISTERS],
) -> Result<Seen, HostFailure> {
    let mut pooled = engine.machine(Arc::clone(program), 0, GAS)?;
    let machine = pooled.control();
    machine.state().registers = registers;
    machine.set_access(FIRST_PAGE, PAGES, Access::Write)?;
    machine.set_access(FIRST_PAGE + 1, 1, Access::Read)?;
    for page in FIRST_PAGE..FIRST_PAGE + PAGES {
        // More pages than the tight engine may keep.
        machine.initialize(u64::from(page) * 4096, &[0x80, 0xff, page as u8])?;
    }
    machine.set_heap(0x4_8000, 0x6_0000);
    let mut exits = Vec::new();
    for _ in 0..EXITS {
        let exit = machine.run()?;
        let state = *machine.state();
        let meant = matches!(exit, ExitReason::Fault | ExitReason::HostCall);
        let argument = if meant { state.argument } else { 0 };
        exits.push((
            exit,
            state.registers,
            state.gas,
            state.pc,
            state.next_pc,
            argument,
        ));
        match exit {
            ExitReason::HostCall => machine.state().registers[7] = POINTERS[argument as usize % 8],
            ExitReason::Fault => {
                let page = (argument / 4096) as u32;
                machine.set_access(page, 1, Access::Write)?;
            }
            _ => break,
        }
    }
    let heap = machine.heap().0;
    let pages = (FIRST_PAGE..FIRST_PAGE + PAGES + 8)
        .map(|page| {
            let mut out = vec![0; 4096];
            let readable = machine.read(u64::from(page) * 4096, &mut out)?;
            Ok(readable.then_some(out))
        })
        .collect::<Result<_, HostFailure>>()?;
    Ok(Seen { exits, heap, pages })
}

fuzz_target!(|data: &[u8]| {
    let blob_is_good = Blob::parse(data).is_ok();
    assert_eq!(Program::decode(data, MAX_DECODED).is_ok(), blob_is_good);
    assert_eq!(Program::decode(data, 0).is_ok(), blob_is_good);
    if data.len() < REGISTERS || data.len() > 8000 {
        return;
    }
    let (head, body) = data.split_at(REGISTERS);
    let mut registers = [0; REGISTERS];
    for (register, octet) in registers.iter_mut().zip(head) {
        *register = POINTERS[usize::from(octet % 8)].wrapping_add(u64::from(octet / 8));
    }
    let blob = woven(body);
    let [program, streamed] = [MAX_DECODED, 0]
        .map(|most| Arc::new(Program::decode(&blob, most).expect("woven programs are valid")));
    ENGINES.with(|cell| {
        let [flat, paged, tight] = cell.get_or_init(engines);
        let seen = life(flat, &program, registers);
        assert!(seen.is_ok(), "room enough: {seen:?}");
        assert_eq!(seen, life(paged, &program, registers), "page tables differ");
        assert_eq!(
            seen,
            life(flat, &streamed, registers),
            "streamed code differs"
        );
        let spilling = life(tight, &program, registers);
        assert!(
            spilling.is_err() || seen == spilling,
            "spilled memory differs"
        );
    });
});
