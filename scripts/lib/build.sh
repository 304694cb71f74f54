# shellcheck shell=bash
# Builds the programs with what Debian has. For: `source` after common.sh. Not for: images or clusters.

build_packages=(g++ cmake ninja-build ccache pkg-config libcpprest-dev libboost-dev libssl-dev libyaml-cpp-dev
  nlohmann-json3-dev prometheus-cpp-dev libcivetweb-dev libspdlog-dev libfmt-dev libexpected-dev libhiredis-dev
  libpq-dev libcairo2-dev libs2-dev libxapian-dev libhowardhinnant-date-dev tzdata libgtest-dev libgmock-dev
  libbenchmark-dev)

# build_project PRESET [TARGET...]: binaries land in build/PRESET/bin.
build_project() {
  local preset=$1
  shift
  need_packages "${build_packages[@]}"
  step "building ($preset)"
  (
    cd "$scripts_dir/.."
    with_log "configure-$preset" cmake --preset "$preset"
    with_log "build-$preset" cmake --build --preset "$preset" ${1:+--target "$@"}
  )
}
