/** What the guests boot from; null, and said loudly, where it cannot be had. `LINUX_GUESTS=required` makes that an error. */
import { defaultCache, type GuestImages, guestImages, LinuxGuestError } from '../../src/linux/index.ts'

export function imagesOrNull(): GuestImages | null {
  try {
    return guestImages(process.env.LINUX_GUESTS_CACHE ?? defaultCache(), (message) => console.error(message))
  } catch (error) {
    if (!(error instanceof LinuxGuestError) || process.env.LINUX_GUESTS === 'required') throw error
    console.error(`\nNO LINUX GUESTS ARE TESTED: ${error.message}\n`)
    return null
  }
}
