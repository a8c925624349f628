# Sourced by the scripts beside this folder: unpacks pinned Debian packages into a temporary folder, installs nothing.
# Usage: debian_packages NAME=VERSION ...; afterwards "$tmp/root" holds their files, and $tmp goes when the script ends.
# Dependencies that this machine lacks are unpacked as well.
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

debian_packages() {
  local apt=(-qq -o Dir::State::lists="$tmp/lists" -o Dir::Cache="$tmp/cache" -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)")
  mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/root"
  apt-get "${apt[@]}" update
  apt-get "${apt[@]}" install -y --reinstall --download-only --no-install-recommends "$@" > "$tmp/apt.log"
  local deb
  for deb in "$tmp"/cache/archives/*.deb; do dpkg -x "$deb" "$tmp/root"; done
  export PATH="$tmp/root/usr/bin:$PATH"
  export LD_LIBRARY_PATH="$tmp/root/usr/lib/x86_64-linux-gnu:$tmp/root/lib/x86_64-linux-gnu"
}

# Compares what a command prints (standard input) with what was seen when this was written (first argument); fails on a difference.
same_as_seen() {
  printf '%s\n' "$1" > "$tmp/seen"
  cat > "$tmp/now"
  cat "$tmp/now"
  diff "$tmp/seen" "$tmp/now" > "$tmp/difference" || { echo "CHANGED since it was seen:"; cat "$tmp/difference"; exit 1; }
  echo "as it was seen"
}
