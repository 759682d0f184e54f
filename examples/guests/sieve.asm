; Sieve of Eratosthenes.
; In: r7, the limit, below the octets of the heap. Out: r7, the number of primes below it.
    load_imm r8, 0x20000            ; one octet a candidate, set where composite
    load_imm r2, 2                  ; the candidate
    load_imm r3, 0                  ; primes found
    branch_ge_u r2, r7, done
candidate:
    add_64 r8, r2, r4
    load_ind_u8 r5, r4, 0
    branch_ne_imm r5, 0, next
    add_imm_64 r3, r3, 1
    mul_64 r2, r2, r4               ; smaller multiples have smaller factors
    branch_ge_u r4, r7, next
mark:
    add_64 r8, r4, r5
    store_imm_ind_u8 r5, 0, 1
    add_64 r4, r2, r4
    branch_lt_u r4, r7, mark
next:
    add_imm_64 r2, r2, 1
    branch_lt_u r2, r7, candidate
done:
    move_reg r7, r3
    load_imm r8, 0
    jump_ind r0, 0
