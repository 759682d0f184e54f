; Shell sort of pseudo-random words.
; In: r7, the number of 32-bit words, at most a quarter of the heap's octets.
; Out: r7, zero if they ascend in the end; r8 is zero.
    load_imm r6, 0x20000
    shlo_l_imm_64 r7, r7, 2
    add_64 r6, r7, r7               ; end of the words
    load_imm r2, 0x2545f491
    move_reg r3, r6
    branch_ge_u r3, r7, sorted
fill:
    mul_imm_32 r2, r2, 1664525
    add_imm_32 r2, r2, 1013904223
    store_ind_u32 r2, r3, 0
    add_imm_64 r3, r3, 4
    branch_lt_u r3, r7, fill
    sub_64 r7, r6, r8
    shlo_r_imm_64 r8, r8, 1         ; the gap, in octets
    and_imm r8, r8, -4
    branch_eq_imm r8, 0, sorted
gap:
    add_64 r6, r8, r3               ; the word to insert
    branch_ge_u r3, r7, narrow
insert:
    load_ind_u32 r4, r3, 0
    move_reg r5, r3
    fallthrough
shift:
    sub_64 r5, r8, r9               ; its predecessor at this gap
    branch_lt_s r9, r6, place
    load_ind_u32 r10, r9, 0
    branch_ge_u r4, r10, place
    store_ind_u32 r10, r5, 0
    move_reg r5, r9
    jump shift
place:
    store_ind_u32 r4, r5, 0
    add_imm_64 r3, r3, 4
    branch_lt_u r3, r7, insert
narrow:
    shlo_r_imm_64 r8, r8, 1
    and_imm r8, r8, -4
    branch_ne_imm r8, 0, gap
sorted:
    load_imm r8, 0
    add_imm_64 r3, r6, 4
    branch_ge_u r3, r7, ascending
check:
    load_ind_u32 r4, r3, -4
    load_ind_u32 r5, r3, 0
    branch_lt_u r5, r4, descending
    add_imm_64 r3, r3, 4
    branch_lt_u r3, r7, check
ascending:
    load_imm r7, 0
    jump_ind r0, 0
descending:
    load_imm r7, 1
    jump_ind r0, 0
