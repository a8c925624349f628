// The agent: what runs at EL2 on each core of QEMU's ZCU102. It decides nothing. It lets guests run, says why they stopped, and
// carries out what the broker's process asks for: register accesses, stage-2 invalidations, copies.
//
// Each core has a mailbox of 4 KiB (layout: src/platform-qemu/mailbox.ts, the names are the same). The process writes a list of
// operations and a new sequence number; the core carries them out in order and answers with the same number. RUN is the last of a
// list: it is answered when the guest has stopped. A core that nobody asks sleeps in WFI, a little at a time.
//
// The MMU is off at EL2, so every access here is aligned. Guests have 4 KiB pages at stage 2 and nothing at stage 1.

        .equ    MAILBOXES,      0x880100000
        .equ    MAILBOX_SHIFT,  12

        .equ    ASKED,          0x00            // sequence number of the list to carry out
        .equ    ANSWERED,       0x08            // of the last one that was
        .equ    COUNT,          0x10            // operations in the list
        .equ    CONTEXT,        0x18            // of the guest that runs
        .equ    MAY_SLEEP,      0x20            // the timer of this core reaches it
        .equ    HEARTBEAT,      0x28            // core 0: the process is alive as long as this changes
        .equ    STOP_KIND,      0x30            // why the guest stopped: 1 synchronous, 2 interrupt, 3 a fault of the agent's own
        .equ    STOP_ESR,       0x38
        .equ    STOP_FAR,       0x40
        .equ    STOP_HPFAR,     0x48
        .equ    STOP_LIST,      0x50            // the list register of the guest that stopped
        .equ    GICH_LR0,       0xf9040100
        .equ    OPERATIONS,     0x100           // each: operation, two arguments, result
        .equ    STACK,          0x1000

        .equ    READ32,         1               // (address) -> value
        .equ    WRITE32,        2               // (address, value)
        .equ    RUN,            3               // (context): until the guest stops
        .equ    FLUSH_PAGE,     4               // (VTTBR, guest address)
        .equ    FLUSH_VM,       5               // (VTTBR)
        .equ    COPY_PAGE,      6               // (to, from)
        .equ    TIMER,          7               // (1: fires at once, 0: off)
        .equ    POWER_OFF,      8

        .equ    CTX_SP,         0xf8            // behind x0 to x30
        .equ    CTX_PC,         0x100
        .equ    CTX_PSTATE,     0x108
        .equ    CTX_VBAR,       0x110
        .equ    CTX_ELR,        0x118
        .equ    CTX_SPSR,       0x120
        .equ    CTX_VTTBR,      0x128

        .equ    SPIN_ROUNDS,    20000
        .equ    NAP_TICKS,      6250            // of 62.5 MHz: 100 us
        .equ    NAPS_ALONE,     50000           // this many without a heartbeat, and the machine switches itself off

        .equ    PSCI_CPU_ON,    0xc4000003
        .equ    PSCI_OFF,       0x84000008

        .equ    HCR,            (1 << 31) | (1 << 5) | (1 << 4) | (1 << 3) | 1  // RW AMO IMO FMO VM
        .equ    VTCR,           (1 << 31) | (2 << 16) | (3 << 12) | (1 << 10) | (1 << 8) | (1 << 6) | 25

        .text
        .global _start
_start:
        mrs     x19, mpidr_el1
        and     x19, x19, #0xff
        cbnz    x19, secondary
        mov     x25, #1                         // core 0 starts the others
1:      ldr     x0, =PSCI_CPU_ON
        mov     x1, x25
        adr     x2, _start
        mov     x3, #0
        smc     #0
        add     x25, x25, #1
        cmp     x25, #4
        b.ne    1b
secondary:
        ldr     x20, =MAILBOXES
        add     x20, x20, x19, lsl #MAILBOX_SHIFT
        msr     tpidr_el2, x20
        add     x0, x20, #STACK
        mov     sp, x0
        adr     x0, vectors
        msr     vbar_el2, x0
        ldr     x0, =HCR
        msr     hcr_el2, x0
        ldr     x0, =VTCR
        msr     vtcr_el2, x0
        mov     x0, #0x33ff                     // nothing of the FPU traps
        msr     cptr_el2, x0
        mov     x0, #3
        msr     cnthctl_el2, x0
        msr     cntvoff_el2, xzr
        msr     cntp_ctl_el0, xzr
        msr     cnthp_ctl_el2, xzr
        mrs     x0, midr_el1
        msr     vpidr_el2, x0
        mrs     x0, mpidr_el1
        msr     vmpidr_el2, x0
        ldr     x0, =0x30d00800                 // SCTLR_EL1: MMU and caches off
        msr     sctlr_el1, x0
        tlbi    alle1
        dsb     ish
        isb
        mov     w21, #0

// ---- waiting

// x20 mailbox, w21 last list carried out, w22 rounds until a nap, x26 heartbeat last seen, x27 naps since
serve:
        ldr     w22, =SPIN_ROUNDS
        mov     x27, #0
        mov     x26, #0
look:   ldr     w0, [x20, #ASKED]
        cmp     w0, w21
        b.ne    carry_out
        subs    w22, w22, #1
        b.ne    look
        ldr     w0, [x20, #MAY_SLEEP]
        cbz     w0, awake
        ldr     w0, =NAP_TICKS
        msr     cntp_tval_el0, x0
        mov     x0, #1
        msr     cntp_ctl_el0, x0
        isb
        wfi
        msr     cntp_ctl_el0, xzr
        isb
        cbnz    x19, awake
        ldr     x0, [x20, #HEARTBEAT]
        cmp     x0, x26
        mov     x26, x0
        csinc   x27, xzr, x27, ne
        ldr     x0, =NAPS_ALONE
        cmp     x27, x0
        b.hi    power_off
awake:  mov     w22, #64
        b       look

power_off:
        ldr     x0, =PSCI_OFF
        smc     #0
        b       .

// ---- operations

// x24 the operation, x23 how many are left
carry_out:
        dmb     ish
        ldr     x23, [x20, #COUNT]
        add     x24, x20, #OPERATIONS
operate:
        cbz     x23, answer
        ldp     x0, x1, [x24]
        ldr     x2, [x24, #16]
        cmp     x0, #READ32
        b.eq    read32
        cmp     x0, #WRITE32
        b.eq    write32
        cmp     x0, #RUN
        b.eq    run
        cmp     x0, #FLUSH_PAGE
        b.eq    flush_page
        cmp     x0, #FLUSH_VM
        b.eq    flush_vm
        cmp     x0, #COPY_PAGE
        b.eq    copy_page
        cmp     x0, #TIMER
        b.eq    timer
        cmp     x0, #POWER_OFF
        b.eq    power_off
        mov     x0, #3
        str     x0, [x20, #STOP_KIND]
        b       answer
done:   dsb     sy
        add     x24, x24, #32
        sub     x23, x23, #1
        b       operate

answer: dsb     sy
        ldr     w21, [x20, #ASKED]
        str     w21, [x20, #ANSWERED]
        b       serve

read32: ldr     w0, [x1]
        str     x0, [x24, #24]
        b       done

write32:
        str     w2, [x1]
        b       done

flush_page:
        dsb     ishst
        msr     vttbr_el2, x1
        isb
        lsr     x2, x2, #12
        tlbi    ipas2e1is, x2
        dsb     ish
        tlbi    vmalle1is
        dsb     ish
        isb
        b       done

flush_vm:
        dsb     ishst
        msr     vttbr_el2, x1
        isb
        tlbi    vmalls12e1is
        dsb     ish
        isb
        b       done

copy_page:
        mov     x0, #256
1:      ldp     x3, x4, [x2], #16
        stp     x3, x4, [x1], #16
        subs    x0, x0, #1
        b.ne    1b
        b       done

timer:  msr     cnthp_cval_el2, xzr
        msr     cnthp_ctl_el2, x1
        isb
        b       done

// ---- guests

run:    str     x1, [x20, #CONTEXT]
        ldr     x2, [x1, #CTX_VTTBR]
        msr     vttbr_el2, x2
        ldr     x2, [x1, #CTX_SP]
        msr     sp_el1, x2
        ldp     x2, x3, [x1, #CTX_PC]
        msr     elr_el2, x2
        msr     spsr_el2, x3
        ldp     x2, x3, [x1, #CTX_VBAR]
        msr     vbar_el1, x2
        msr     elr_el1, x3
        ldr     x2, [x1, #CTX_SPSR]
        msr     spsr_el1, x2
        isb
        mov     x0, x1
        .irp    n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        ldr     x\n, [x0, #8 * \n]
        .endr
        ldp     x0, x1, [x0]
        eret

        .macro  save_guest
        stp     x0, x1, [sp, #-16]!
        mrs     x1, tpidr_el2
        ldr     x0, [x1, #CONTEXT]
        .irp    n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        str     x\n, [x0, #8 * \n]
        .endr
        ldp     x2, x3, [sp], #16
        stp     x2, x3, [x0]
        mov     x20, x1
        mrs     x2, sp_el1
        str     x2, [x0, #CTX_SP]
        mrs     x2, elr_el2
        mrs     x3, spsr_el2
        stp     x2, x3, [x0, #CTX_PC]
        mrs     x2, vbar_el1
        mrs     x3, elr_el1
        stp     x2, x3, [x0, #CTX_VBAR]
        mrs     x2, spsr_el1
        str     x2, [x0, #CTX_SPSR]
        mrs     x19, mpidr_el1
        and     x19, x19, #0xff
        mrs     x1, esr_el2
        str     x1, [x20, #STOP_ESR]
        mrs     x2, far_el2
        str     x2, [x20, #STOP_FAR]
        mrs     x2, hpfar_el2
        str     x2, [x20, #STOP_HPFAR]
        ldr     x2, =GICH_LR0
        ldr     w2, [x2]
        str     x2, [x20, #STOP_LIST]
        .endm

guest_synchronous:
        save_guest
        mov     x3, #1
        str     x3, [x20, #STOP_KIND]
        b       answer

guest_interrupt:
        save_guest
        mov     x3, #2
        str     x3, [x20, #STOP_KIND]
        b       answer

// A fault of the agent's own: told like a stop, so that the process does not wait for ever.
own_fault:
        mrs     x20, tpidr_el2
        mov     x3, #3
        str     x3, [x20, #STOP_KIND]
        mrs     x2, esr_el2
        str     x2, [x20, #STOP_ESR]
        mrs     x2, far_el2
        str     x2, [x20, #STOP_FAR]
        mrs     x2, elr_el2
        str     x2, [x20, #STOP_HPFAR]
        add     x0, x20, #STACK
        mov     sp, x0
        mrs     x19, mpidr_el1
        and     x19, x19, #0xff
        b       answer

        .balign 2048
vectors:
        .irp    entry, own_fault, own_fault, own_fault, own_fault, own_fault, own_fault, own_fault, own_fault
        b       \entry
        .balign 128
        .endr
        b       guest_synchronous
        .balign 128
        b       guest_interrupt
        .balign 128
        .irp    entry, own_fault, own_fault, own_fault, own_fault, own_fault, own_fault
        b       \entry
        .balign 128
        .endr
        .ltorg
