//! The interpreter of the `polkavm` crate, driven through its public interface.

use std::time::{Duration, Instant};

use polkavm::{
    BackendKind, Config, Engine, GasMeteringKind, InterruptKind, Module, ModuleConfig, ProgramBlob,
    ProgramCounter, ProgramParts, Reg,
};

use polkavm_common::program::InstructionSetKind;

use crate::{Guest, GAS, HEAP_PAGES, REPEATS};

/// The best time of several runs, gas used, and the third argument register in the end.
pub fn run(guest: &Guest) -> (Duration, i64, u64) {
    let mut config = Config::new();
    config.set_backend(Some(BackendKind::Interpreter));
    let engine = Engine::new(&config).expect("an interpreter");
    let mut parts = ProgramParts::empty(InstructionSetKind::JamV1);
    parts.code_and_jump_table = guest.blob.clone().into();
    parts.rw_data_size = HEAP_PAGES * 4096;
    let blob = ProgramBlob::from_parts(parts).expect("a valid program");
    let mut module_config = ModuleConfig::new();
    module_config.set_gas_metering(Some(GasMeteringKind::Sync));
    module_config.set_page_size(4096);
    let module = Module::from_blob(&engine, &module_config, blob).expect("a module");
    let mut best = (Duration::MAX, 0, 0);
    for _ in 0..REPEATS {
        let mut instance = module.instantiate().expect("an instance");
        instance.set_gas(GAS);
        instance.set_reg(Reg::RA, 0xffff_0000);
        instance.set_reg(Reg::A0, guest.registers[0]);
        instance.set_reg(Reg::A1, guest.registers[1]);
        instance.set_next_program_counter(ProgramCounter(0));
        let start = Instant::now();
        let exit = instance.run().expect("a run");
        let time = start.elapsed();
        assert!(
            matches!(exit, InterruptKind::Finished),
            "{}: {exit:?}",
            guest.name
        );
        if time < best.0 {
            best = (time, GAS - instance.gas(), instance.reg(Reg::A0));
        }
    }
    best
}
