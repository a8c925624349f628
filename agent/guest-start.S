// Where a guest begins, and where its interrupts arrive. Everything else is in guest.c.

        .section .text.start
        .global _start
_start: ldr     x0, =__stack
        mov     sp, x0
        adr     x0, vectors
        msr     vbar_el1, x0
        isb
        bl      guest_main
        b       .

        .text
        .balign 2048
vectors:
        .rept   5
        b       unexpected
        .balign 128
        .endr
        b       interrupt                       // from EL1 with its own stack
        .balign 128
        .rept   10
        b       unexpected
        .balign 128
        .endr

interrupt:
        stp     x0, x1, [sp, #-176]!
        stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        stp     x6, x7, [sp, #48]
        stp     x8, x9, [sp, #64]
        stp     x10, x11, [sp, #80]
        stp     x12, x13, [sp, #96]
        stp     x14, x15, [sp, #112]
        stp     x16, x17, [sp, #128]
        stp     x18, x30, [sp, #144]
        bl      guest_interrupt
        ldp     x2, x3, [sp, #16]
        ldp     x4, x5, [sp, #32]
        ldp     x6, x7, [sp, #48]
        ldp     x8, x9, [sp, #64]
        ldp     x10, x11, [sp, #80]
        ldp     x12, x13, [sp, #96]
        ldp     x14, x15, [sp, #112]
        ldp     x16, x17, [sp, #128]
        ldp     x18, x30, [sp, #144]
        ldp     x0, x1, [sp], #176
        eret

unexpected:
        mrs     x0, esr_el1
        mrs     x1, far_el1
        bl      guest_fault
        b       .
