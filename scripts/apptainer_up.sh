#!/usr/bin/env bash
# Install Apptainer without setuid, also where the distribution has no package of it (Debian 12).
#
#   PREFIX=/opt/apptainer scripts/apptainer_up.sh     then put $PREFIX/bin first in PATH
#
# The distribution's own package is taken where apt has one. Otherwise the file of a newer Debian is fetched from the
# mirror that this machine's apt uses (or MIRROR), checked by its SHA-256, unpacked into PREFIX (which may be moved)
# and fitted to this machine's older glibc. Needs no root, except for apt. A second call does nothing.
set -euo pipefail

prefix=${PREFIX:-/opt/apptainer}
package=pool/main/a/apptainer/apptainer_1.4.5-2_amd64.deb
sha256=26cf96e08fccb0e50ea0f285a5a19f940ee873d167a0680584fe6eba7d197d65
here=$(cd "$(dirname "$0")" && pwd)

fail() { echo "error: $1" >&2; exit 3; }
ready() { "$1" version >/dev/null 2>&1 && echo "apptainer $("$1" version) is there: $1"; }

# What it needs to build and to mount images; as an ordinary user only what is missing is said.
helpers() {
  local want=()
  command -v mksquashfs >/dev/null || want+=(squashfs-tools)
  command -v squashfuse_ll >/dev/null || want+=(squashfuse)
  command -v newuidmap >/dev/null || want+=(uidmap)
  command -v curl >/dev/null || want+=(curl)
  for library in libseccomp.so.2:libseccomp2 libsqlite3.so.0:libsqlite3-0; do
    find /lib/ /usr/lib/ -maxdepth 2 -name "${library%:*}" 2>/dev/null | grep -q . || want+=("${library#*:}")
  done
  if [ "${#want[@]}" = 0 ]; then return; fi
  [ "$(id -u)" = 0 ] || { echo "missing, install with apt-get: ${want[*]}" >&2; return; }
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${want[@]}" >/dev/null
}

mirror() {
  local found
  found=$(apt-get indextargets --format '$(SITE)' 2>/dev/null | grep -v -- '-security' | head -n 1 || true)
  echo "${MIRROR:-$found}"
}

for program in "$prefix/bin/apptainer" apptainer; do
  if ready "$program"; then exit 0; fi
done
helpers
if [ "$(id -u)" = 0 ] && apt-cache show apptainer >/dev/null 2>&1; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends apptainer >/dev/null
  ready apptainer && exit 0
fi
[ "$(uname -m)" = x86_64 ] || fail "no pinned file for $(uname -m): install Apptainer from its own site"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch" "$prefix.new.$$"' EXIT
site=$(mirror)
[ -n "$site" ] || fail "apt names no mirror here: set MIRROR to a Debian mirror"
curl -fsSL --retry 3 --output "$scratch/apptainer.deb" "${site%/}/$package" || fail "$site does not have $package"
echo "$sha256  $scratch/apptainer.deb" | sha256sum --check --status || fail "the file of $site is not the pinned one"
dpkg-deb --extract "$scratch/apptainer.deb" "$scratch/root"

new=$prefix.new.$$
mkdir -p "$new/var/lib/apptainer/mnt/session"
cp -a "$scratch/root/usr/bin" "$scratch/root/usr/lib" "$scratch/root/etc" "$new/"
# The programs in bin/ and below lib/ each look for etc/ and var/ from where they lie.
ln -s ../etc "$new/lib/etc"
ln -s ../var "$new/lib/var"
glibc=$(getconf GNU_LIBC_VERSION)
find "$new/bin" "$new/lib" -type f -print0 | xargs -0 python3 "$here/elf_older_libc.py" --have "${glibc#* }"
settings=$new/etc/apptainer/apptainer.conf
# Root in a CI container or a small VM lacks some capabilities, and may then not ask for all of them.
sed -i 's/^root default capabilities = .*/root default capabilities = no/' "$settings"
[ -d /run/systemd/system ] || sed -i 's/^systemd cgroups = .*/systemd cgroups = no/' "$settings"
rm -rf "$prefix"
mv "$new" "$prefix"
ready "$prefix/bin/apptainer" || fail "it does not start: $("$prefix/bin/apptainer" version 2>&1 | tail -n 1)"
[ -w /dev/fuse ] || echo "note: /dev/fuse cannot be opened by this user; images are then unpacked at every start" >&2
