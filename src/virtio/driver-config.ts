/**
 * The driver's view of the configuration space (virtio 1.4 §2.5). No read is atomic beyond its field's width (CFG-DRV-01), so
 * reads are bracketed by the generation and repeated until both agree (CFG-DRV-02, museum 27). A field whose feature was not
 * offered is never read and holds its declaration's initial value (CFG-DRV-03).
 */
import { VirtioError } from '../internal/error.ts'
import { CONFIG_BYTES } from './config-bytes.ts'
import { type ConfigField, type ConfigFields, ConfigLayout, type ConfigValues } from './config-layout.ts'
import type { DriverTransport } from './driver-transport.ts'

/** A device that changes its configuration faster than it can be read this often is broken. */
const READ_ATTEMPTS = 64

export class DriverConfig<F extends ConfigFields> {
  /** One accessor per field: each access reads the device. */
  readonly fields: ConfigValues<F>
  readonly #transport: DriverTransport
  readonly #layout: ConfigLayout<F>
  readonly #present: readonly string[]

  /** `isOffered` tells of a feature by its name. Throws `VirtioError` CONFIG_TOO_SHORT when a field lies past the end. */
  constructor(transport: DriverTransport, fields: F, isOffered: (feature: string) => boolean) {
    this.#transport = transport
    this.#layout = new ConfigLayout(fields)
    this.#present = Object.keys(fields).filter((key) => {
      const gate = fields[key]?.feature
      return gate === undefined || isOffered(gate)
    })
    // CFG-DRV-05: a lower bound is the only check; the device may have more than we know.
    const needed = Math.max(0, ...this.#present.map((key) => this.#layout.offsetOf(key) + this.#field(key).lengthBytes))
    // A transport often says more than there is (4096 bytes for any device of QEMU's), and reads all ones behind the end.
    const specified = CONFIG_BYTES[transport.deviceId]
    if (specified !== undefined && needed > specified) {
      const what = `device type ${transport.deviceId} has ${specified} bytes of configuration in virtio 1.4`
      throw new VirtioError('CONFIG_TOO_SHORT', `${what}, the contract declares a field up to ${needed}`)
    }
    if (transport.configLengthBytes < needed) {
      throw new VirtioError(
        'CONFIG_TOO_SHORT',
        `the device has ${transport.configLengthBytes} bytes of configuration, the driver needs ${needed}`,
      )
    }
    this.fields = Object.defineProperties(
      {} as ConfigValues<F>,
      Object.fromEntries(
        Object.keys(fields).map((key) => [key, { get: () => this.#read([key])[key], enumerable: true }]),
      ),
    )
  }

  /** All fields, of one version. Throws `VirtioError` CONFIG_UNSTABLE, or CONFIG_VALUE for a u64 of 2^53 or more. */
  read(): ConfigValues<F> {
    return this.#read(this.#present)
  }

  /**
   * Writes one field; the device ignores what is not the driver's to write. Throws `VirtioError` INVALID_OPTION for a field that does
   * not exist, CONFIG_VALUE for a value that does not fit.
   */
  write<K extends keyof F & string>(key: K, value: ConfigValues<F>[K]): void {
    this.#layout.requireKeys([key])
    const bytes = new Uint8Array(this.#layout.lengthBytes)
    this.#layout.encode({ ...this.#layout.initialValues(), [key]: value }, bytes)
    this.#access(key, (offset, width) => this.#transport.writeConfig(offset, bytes.subarray(offset, offset + width)))
  }

  #read(keys: readonly string[]): ConfigValues<F> {
    const bytes = new Uint8Array(this.#layout.lengthBytes)
    this.#layout.encode(this.#layout.initialValues(), bytes)
    const wanted = keys.filter((key) => this.#present.includes(key))
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      const before = this.#transport.readConfigGeneration()
      for (const key of wanted) {
        this.#access(key, (offset, width) => this.#transport.readConfig(offset, bytes.subarray(offset, offset + width)))
      }
      if (this.#transport.readConfigGeneration() === before) return this.#layout.decode(bytes, wanted)
    }
    throw new VirtioError('CONFIG_UNSTABLE', `the configuration changed during each of ${READ_ATTEMPTS} reads`)
  }

  /** One field in accesses of its natural width, a u64 in two halves and byte arrays byte by byte (MMIO-REG-DRV-05). */
  #access(key: string, access: (offset: number, width: number) => void): void {
    const { kind, lengthBytes } = this.#field(key)
    const width = kind === 'u16' ? 2 : kind === 'u32' || kind === 'u64' || kind === 'le64' ? 4 : 1
    const start = this.#layout.offsetOf(key)
    for (let done = 0; done < lengthBytes; done += width) access(start + done, width)
  }

  #field(key: string): ConfigField<unknown> {
    return this.#layout.fields[key]!
  }
}
