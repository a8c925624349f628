/** Deterministic discrete-event simulation: events, cores, a lock, and the trace. Knows neither virtio nor any board. */
export { type TraceNames, writeChromeTrace } from './chrome-trace.ts'
export { EventKernel, type EventKernelOptions } from './event-kernel.ts'
export { CoreLevel, PreemptiveCores } from './preemptive-cores.ts'
export { TicketLock } from './ticket-lock.ts'
export { type TraceColumns, TraceForm, type TraceOptions, TraceRecorder } from './trace-recorder.ts'
