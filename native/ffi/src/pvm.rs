//! Exports of the virtual machine.
