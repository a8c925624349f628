/** The first program of a guest: loads the drivers, and leaves a shell on the serial port. */

/** Written by the guest when its shell reads commands. */
export const GUEST_READY = 'GUEST-READY'

export const INIT_SCRIPT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod /modules/$module.ko || echo "no module $module"; done
ip link set lo up
export PS1= HOME=/ PATH=/bin
cd /
while true; do
  setsid -c sh -c 'stty -echo -onlcr; echo ${GUEST_READY}; exec sh' <>/dev/ttyS0 >&0 2>&1
done
`
