#!/usr/bin/env bash
# Best guess: a fragment that adds devices to a device tree does the same compiled in by dtc and applied to the blob by fdtoverlay:
# the new nodes come behind those that are there, in the order of the source, and its /memreserve/ lines and deletions count.
# Seen: dtc does that. libfdt puts each new node before its siblings, so the devices of an overlay come first and in reverse, and a
# guest that numbers disks and interfaces by the order of the tree numbers them anew. The overlay's memory reservation and its deletions are
# gone with no word: a region that was reserved for another cell is not. Give devices aliases, and reserve in the base.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/support/debian-packages.sh"
debian_packages device-tree-compiler=1.6.1-4+b1
cd "$tmp"

cat > base.dtsi <<'DTS'
/memreserve/ 0x41000000 0x1000;
/ {
	#address-cells = <1>;
	#size-cells = <1>;
	cell: bus {
		#address-cells = <1>;
		#size-cells = <1>;
		ranges;
		dma-coherent;
		virtio@a000000 { compatible = "virtio,mmio"; reg = <0xa000000 0x200>; };
		virtio@a000200 { compatible = "virtio,mmio"; reg = <0xa000200 0x200>; };
	};
};
DTS
cat > fragment.dtsi <<'DTS'
&cell {
	/delete-property/ dma-coherent;
	virtio@a000400 { compatible = "virtio,mmio"; reg = <0xa000400 0x200>; };
	virtio@a000600 { compatible = "virtio,mmio"; reg = <0xa000600 0x200>; };
};
DTS
reserved='/memreserve/ 0x46000000 0x1000000;'
printf '%s\n' '/dts-v1/;' '/include/ "base.dtsi"' > base.dts
printf '%s\n' '/dts-v1/;' "$reserved" '/include/ "base.dtsi"' '/include/ "fragment.dtsi"' > whole.dts
printf '%s\n' '/dts-v1/;' '/plugin/;' "$reserved" '/include/ "fragment.dtsi"' > overlay.dts
for name in base whole overlay; do dtc -q -@ -O dtb -o "$name.dtb" "$name.dts"; done
fdtoverlay -i base.dtb -o applied.dtb overlay.dtb
show() {
  echo "$1: $(fdtget -l "$2" /bus | paste -sd ' ')"
  echo "  reserved: $(dtc -q -I dtb -O dts "$2" | awk '/^\/memreserve\// { print $2 }' | paste -sd ' ')"
  echo "  dma-coherent: $(fdtget -p "$2" /bus | grep -c dma-coherent || true)"
}
dtc --version
{ show dtc whole.dtb; show fdtoverlay applied.dtb; } | same_as_seen 'dtc: virtio@a000000 virtio@a000200 virtio@a000400 virtio@a000600
  reserved: 0x0000000046000000 0x0000000041000000
  dma-coherent: 0
fdtoverlay: virtio@a000600 virtio@a000400 virtio@a000000 virtio@a000200
  reserved: 0x0000000041000000
  dma-coherent: 1'
