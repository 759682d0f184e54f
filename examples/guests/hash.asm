; A mixing hash with the quarter rounds of the Blake family.
; In: r7, the number of 4 KiB passes. Out: r7, the digest of the heap's first page.
    load_imm_64 r2, 0x6a09e667f3bcc908
    load_imm_64 r3, 0xbb67ae8584caa73b
    load_imm_64 r4, 0x3c6ef372fe94f82b
    load_imm_64 r5, 0xa54ff53a5f1d36f1
    branch_eq_imm r7, 0, done
pass:
    load_imm r8, 0x20000
    load_imm r9, 0x21000
    fallthrough                     ; a jump leads to the beginning of a block only
word:
    load_ind_u64 r6, r8, 0
    add_64 r2, r3, r2
    add_64 r2, r6, r2
    xor r5, r2, r5
    rot_r_64_imm r5, r5, 32
    add_64 r4, r5, r4
    xor r3, r4, r3
    rot_r_64_imm r3, r3, 24
    load_ind_u64 r6, r8, 8
    add_64 r2, r3, r2
    add_64 r2, r6, r2
    xor r5, r2, r5
    rot_r_64_imm r5, r5, 16
    add_64 r4, r5, r4
    xor r3, r4, r3
    rot_r_64_imm r3, r3, 63
    add_imm_64 r8, r8, 16
    branch_lt_u r8, r9, word
    add_imm_64 r7, r7, -1
    branch_ne_imm r7, 0, pass
done:
    xor r2, r3, r7
    xor r7, r4, r7
    xor r7, r5, r7
    load_imm r8, 0
    jump_ind r0, 0
