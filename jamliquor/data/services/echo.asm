; Echo: keeps the last input under the key "last", and yields its hash.
;
; An input that is empty removes what was kept. Transfers are kept as balance.

.metadata "jamliquor echo"
.standard 4096 24
.read_only "last" "the balance does not suffice to keep the input"
.let KEY READ_ONLY
.let NO_BALANCE READ_ONLY+4

.include "common.asm"

operand:
    move_reg r10, r9
    move_reg r9, r8
    load_imm r7, KEY
    load_imm r8, 4
    ecalli write
    branch_eq_imm r7, -5, full      ; FULL
    load_imm r7, PAYLOAD_HASH
    ecalli yield
    jump next_input
full:
    load_imm r10, NO_BALANCE
    load_imm r11, 46
    jump complain

transfer:
    jump next_input
