; A key-value store. An input is a sequence of commands:
;
;   1, key length (1 octet), value length (2 octets), key, value    put; an empty value deletes
;   2, key length (1 octet), key                                    delete
;
; At a command that is none the rest of its input is left out. Transfers are kept as balance.

.metadata "jamliquor key_value"
.standard 4096 24
.read_only "the input holds no command here" "the balance does not suffice to store the value"
.let NO_COMMAND READ_ONLY
.let NO_BALANCE READ_ONLY+31

.include "common.asm"

operand:
    move_reg r4, r8                 ; the next command
    add_64 r8, r9, r5               ; the end
    fallthrough
command:
    branch_ge_u r4, r5, next_input
    load_ind_u8 r2, r4, 0
    load_ind_u8 r8, r4, 1
    branch_eq_imm r2, 2, delete
    branch_ne_imm r2, 1, malformed
    load_ind_u16 r10, r4, 2
    add_imm_64 r7, r4, 4
    jump store
delete:
    load_imm r10, 0
    add_imm_64 r7, r4, 2
    fallthrough
store:
    add_64 r7, r8, r9               ; the value stands behind the key
    add_64 r9, r10, r4
    branch_lt_u r5, r4, malformed
    ecalli write
    branch_ne_imm r7, -5, command   ; FULL
    load_imm r10, NO_BALANCE
    load_imm r11, 47
    jump complain
malformed:
    load_imm r10, NO_COMMAND
    load_imm r11, 31
    jump complain

transfer:
    jump next_input
