# shellcheck shell=bash
# Programs out of Debian packages that are unpacked, not installed: nothing is configured and no service is started.
# For: unpack_program, shared_libraries. Not for: images, or packages that are installed.

if [ -n "${SCALABLEAPP_PACKAGES_SOURCED:-}" ]; then return 0; fi
SCALABLEAPP_PACKAGES_SOURCED=yes
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# prints the files that the dynamic loader would map for BINARY, the loader itself among them; nothing if it is static
shared_libraries() { # BINARY [ROOT]: libraries are looked for below ROOT first
  local binary=$1 root=${2:-}
  if [ -n "$root" ]; then
    LD_LIBRARY_PATH=$(find "$root" -type d \( -path '*/lib/*-linux-gnu' -o -name lib \) -printf '%p:')
    export LD_LIBRARY_PATH
  fi
  { ldd "$binary" 2>/dev/null || true; } |
    awk '/=> \// { print $3; next } $1 ~ /^\// { print $1 } /not found/ { print "missing " $1 }' | sort -u
}

# unpack_packages ROOT PACKAGE...: their files below ROOT; nothing is installed and no service is started.
unpack_packages() {
  local root=$1 package archive
  shift
  mkdir -p "$root" "$cache/debs"
  for package in "$@"; do
    if [ -e "$root/.unpacked/$package" ]; then continue; fi
    archive=$(find "$cache/debs" -name "${package}_*.deb" | head -n 1)
    if [ -z "$archive" ]; then
      (
        cd "$cache/debs" || return
        # the unprivileged user that apt would rather be may not write here
        if [ "$(id -u)" = 0 ]; then apt-get -q -o APT::Sandbox::User=root download "$package"; else apt-get -q download "$package"; fi
      )
      archive=$(find "$cache/debs" -name "${package}_*.deb" | head -n 1)
    fi
    dpkg-deb -x "$archive" "$root"
    mkdir -p "$root/.unpacked"
    dpkg-deb -f "$archive" Depends >"$root/.unpacked/$package"
  done
}

# The packages of libraries that what is unpacked so far says it needs; the C library is the one the loader belongs to.
library_dependencies() { # ROOT
  cat "$1"/.unpacked/* | tr ',|' '\n' | sed 's/^[[:space:]]*//; s/[[:space:]:(].*$//' | grep '^lib' | grep -vx libc6 | sort -u
}

unpack_program() { # ROOT PROGRAM PACKAGE...: and the libraries that this machine lacks
  local root=$1 program=$2 rounds=0 packages
  shift 2
  command -v apt-get >/dev/null || fail "no registry answers and this machine has no Debian packages" "make a registry reachable"
  if [ ! -e "$root/.unpacked" ]; then update_package_lists_once; fi
  unpack_packages "$root" "$@"
  while shared_libraries "$root$program" "$root" | grep -q '^missing'; do
    rounds=$((rounds + 1))
    [ "$rounds" -le 4 ] || return 1
    mapfile -t packages < <(library_dependencies "$root")
    unpack_packages "$root" "${packages[@]}"
  done
}
