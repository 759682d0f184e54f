; Asks for preimages, gives them up and provides them to itself. An input is a sequence of commands:
;
;   1, hash (32 octets), length (4 octets)      solicit
;   2, hash (32 octets), length (4 octets)      forget
;   3, length (4 octets), octets                provide
;
; At a command that is none, or is refused, the rest of its input is left out. Transfers are kept as
; balance.

.metadata "jamliquor preimages"
.standard 4096 24
.read_only "the input holds no command here" "the command was refused"
.let NO_COMMAND READ_ONLY
.let REFUSED READ_ONLY+31

.include "common.asm"

operand:
    move_reg r4, r8                 ; the next command
    add_64 r8, r9, r5               ; the end
    fallthrough
command:
    branch_ge_u r4, r5, next_input
    load_ind_u8 r2, r4, 0
    add_imm_64 r7, r4, 1
    load_ind_u32 r8, r4, 33
    add_imm_64 r3, r4, 37
    branch_eq_imm r2, 3, provide
    branch_lt_u r5, r3, malformed
    move_reg r4, r3
    branch_eq_imm r2, 1, solicit
    branch_ne_imm r2, 2, malformed
    ecalli forget
    jump answered
solicit:
    ecalli solicit
    jump answered
provide:
    load_imm r7, -1                 ; this service
    load_ind_u32 r9, r4, 1
    add_imm_64 r8, r4, 5
    add_64 r8, r9, r4
    branch_lt_u r5, r4, malformed
    ecalli provide
    fallthrough
answered:
    branch_eq_imm r7, 0, command
    load_imm r10, REFUSED
    load_imm r11, 23
    jump complain
malformed:
    load_imm r10, NO_COMMAND
    load_imm r11, 31
    jump complain

transfer:
    jump next_input
