; Copies one half of the heap onto the other, in words.
; In: r7, the number of passes; r8, octets a pass, a multiple of 16. Out: r7, words copied.
    load_imm r2, 0
    branch_eq_imm r7, 0, done
pass:
    load_imm r3, 0x20000            ; from
    add_64 r3, r8, r4               ; to
    move_reg r5, r4                 ; end of the source
    branch_ge_u r3, r5, counted
word:
    load_ind_u64 r6, r3, 0
    store_ind_u64 r6, r4, 0
    load_ind_u64 r6, r3, 8
    store_ind_u64 r6, r4, 8
    add_imm_64 r3, r3, 16
    add_imm_64 r4, r4, 16
    add_imm_64 r2, r2, 2
    branch_lt_u r3, r5, word
counted:
    add_imm_64 r7, r7, -1
    branch_ne_imm r7, 0, pass
done:
    move_reg r7, r2
    load_imm r8, 0
    jump_ind r0, 0
