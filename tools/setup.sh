#!/usr/bin/env bash
# Installs what the build needs, where it is missing: Debian 12 packages only. Says nothing when all is there.
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache ca-certificates
  libboost-dev libboost-graph-dev libeigen3-dev libyaml-cpp-dev libprotobuf-dev protobuf-compiler libhdf5-dev libssl-dev
  python3 libfmt-dev libcli11-dev rapidjson-dev libgtest-dev libbenchmark-dev
)
# For the tests alone: the report is opened in a real browser, and runs are spread over MPI's processes.
if [ "${1:-}" = "--with-test-tools" ]; then
  packages+=(chromium libopenmpi-dev openmpi-bin)
fi
# crushtool and osdmaptool, to compare placements with (tests/crush): 30 MB to fetch, 125 MB on disk.
if [ "${1:-}" = "--with-ceph" ]; then
  packages+=(ceph-base)
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: missing ${missing[*]}, and neither root nor sudo to install them with" >&2; exit 1; }
  as_root="sudo"
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
$as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
