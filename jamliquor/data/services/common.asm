; What the example services share: both entry points, and a walk over the inputs.
;
; Refinement returns the work item's payload, so what a service accumulates is what was sent to it.
; Accumulation jumps to `operand` with each of these (r8 its address, r9 its length) and to
; `transfer` with each deferred transfer (in BUFFER); both go on with `jump next_input`. The
; service defines the two. Between inputs it may use every register but r0; across host calls only
; r7 (and r8 by `query`) change.

.let INDEX READ_WRITE               ; the next input
.let MEMO READ_WRITE+0x100          ; 128 octets
.let BUFFER READ_WRITE+0x1000       ; the input at hand
.let BUFFER_SIZE 0x11000            ; more than a report may hold
.let OPERAND_GAS BUFFER+129         ; behind the discriminator and four hashes
.let PAYLOAD_HASH BUFFER+97         ; the last of these

; An address in the jump table is twice the entry's number, from 1.
.jumps 2 gas_read length_read refine_read
.let GAS_READ 2
.let LENGTH_READ 4
.let REFINE_READ 6

    jump refine:4                   ; entry 0; the four octets put what follows at entry 5
next_input:
    load_imm r7, BUFFER
    load_imm r8, 0
    load_imm r9, BUFFER_SIZE
    load_imm r10, 15                ; input number r11
    load_u64 r11, INDEX
    add_imm_64 r2, r11, 1
    store_u64 r2, INDEX
    ecalli fetch
    branch_eq_imm r7, -1, no_more
    load_u8 r2, BUFFER
    branch_eq_imm r2, 1, transfer
    load_imm r2, OPERAND_GAS
    load_imm_jump r6, GAS_READ, natural
gas_read:
    load_ind_u8 r7, r2, 0           ; 0 in front of an output, else the error of the work item
    add_imm_64 r2, r2, 1
    branch_ne_imm r7, 0, next_input
    load_imm_jump r6, LENGTH_READ, natural
length_read:
    move_reg r8, r2
    move_reg r9, r3
    jump operand

no_more:
    load_imm r8, 0
    jump_ind r0, 0

; The argument: core, item, service, the payload's length (naturals), the payload, a hash.
refine:
    move_reg r2, r7
    load_imm r12, 4
    fallthrough
refine_next:
    load_imm_jump r6, REFINE_READ, natural
refine_read:
    add_imm_64 r12, r12, -1
    branch_ne_imm r12, 0, refine_next
    move_reg r7, r2
    move_reg r8, r3
    jump_ind r0, 0

; Reads a general natural (appendix C.1.1): r2 its address, then the address behind it; r3 its
; value. Returns to r6; changes r4, r5, r9.
natural:
    load_ind_u8 r3, r2, 0
    add_imm_64 r2, r2, 1
    branch_lt_u_imm r3, 0x80, natural_read
    xor_imm r4, r3, 0xff
    shlo_l_imm_64 r4, r4, 56
    leading_zero_bits_64 r4, r4
    load_imm r5, 8
    min_u r4, r5, r4                ; octets that follow: leading ones, at most 8
    load_imm r5, 0x7f
    shlo_r_64 r5, r4, r5
    and r3, r5, r3                  ; the bits of the first octet that count
    shlo_l_imm_64 r5, r4, 3
    shlo_l_64 r3, r5, r3
    load_ind_u64 r9, r2, 0
    neg_add_imm_64 r5, r5, 64
    shlo_l_64 r9, r5, r9            ; of the eight octets read, keep those that follow
    shlo_r_64 r9, r5, r9
    or r3, r9, r3
    add_64 r2, r4, r2
    fallthrough
natural_read:
    jump_ind r6, 0

; Says the text at r10, of r11 octets, to the operator as a warning (JIP-1), then takes the next
; input.
complain:
    load_imm r7, 1
    load_imm r8, 0
    load_imm r9, 0
    ecalli log
    jump next_input
