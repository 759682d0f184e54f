; Sends one transfer for each input:
;
;   receiver (4 octets), amount (8), gas (8), memo (at most 128, zeroes follow)
;
; Transfers to it are kept as balance.

.metadata "jamliquor transfers"
.standard 4096 24
.read_only "the input holds no transfer" "the transfer was refused"
.let NO_TRANSFER READ_ONLY
.let REFUSED READ_ONLY+27

.include "common.asm"

operand:
    branch_lt_u_imm r9, 20, malformed
    branch_gt_u_imm r9, 148, malformed
    add_64 r8, r9, r5               ; the end
    add_imm_64 r4, r8, 20
    load_imm r10, MEMO
    fallthrough
copy:
    load_imm r2, 0
    branch_ge_u r4, r5, behind
    load_ind_u8 r2, r4, 0
    fallthrough
behind:
    store_ind_u8 r2, r10, 0
    add_imm_64 r4, r4, 1
    add_imm_64 r10, r10, 1
    branch_lt_u_imm r10, MEMO+128, copy
    load_ind_u32 r7, r8, 0
    load_ind_u64 r9, r8, 12
    load_ind_u64 r8, r8, 4
    load_imm r10, MEMO
    ecalli transfer
    branch_eq_imm r7, 0, next_input
    load_imm r10, REFUSED
    load_imm r11, 24
    jump complain
malformed:
    load_imm r10, NO_TRANSFER
    load_imm r11, 27
    jump complain

transfer:
    jump next_input
