# Judges the files of a release as those who get them would use them. deploy/dist.sh sources this.

# What could not be checked on this machine.
LEFT_OUT=''

# verified WHAT says what was seen.
verified() { printf '   verified: %s\n' "$*"; }

# wrong WHAT
wrong() { fail "$1" "The file in target/dist must not be released. See above, and docs/releasing.md."; }

# check_release PROGRAM STATIC
check_release() {
    local name
    stage "checking the digests" check_digests
    stage "checking the component" check_component
    stage "checking the bills of materials" check_bills "$@"
    for name in "$@"; do
        [[ -z $name ]] || stage "checking $name" check_archive "$name"
    done
    [[ -z $2 ]] || check_static "$2"
    stage "checking the packages of other languages" check_language_packages "$1"
    stage "checking the Debian package" check_debian "$1"
    stage "lintian" check_lintian
}

check_digests() (
    cd "$DIST"
    sha256sum --quiet --check SHA256SUMS preamp.wasm.sha256 || wrong "a digest does not match."
    [[ $(cut -c 67- SHA256SUMS | sort) == "$(printf '%s\n' * | grep -vx SHA256SUMS | sort)" ]] || wrong "SHA256SUMS does not name every file."
    verified "SHA256SUMS names all $(wc -l <SHA256SUMS) other files"
)

check_component() {
    local contract imports
    cmp "$COMPONENT" "$DIST/preamp.wasm" || wrong "preamp.wasm is not the component that was built."
    wasm_tool validate "$DIST/preamp.wasm" || wrong "preamp.wasm is no component."
    imports=$(wasm_tool component wit "$DIST/preamp.wasm" | sed -n '/^world root {/,/^}/p' | grep -c '^  import ' || true)
    [[ $imports == 0 ]] || wrong "preamp.wasm imports something."
    verified "preamp.wasm imports nothing"
    for contract in "$DIST"/*.wit.wasm; do
        diff <(wasm_tool component wit wit) <(wasm_tool component wit "$contract") || wrong "$contract is another contract than wit/."
        verified "$(basename "$contract") reads as wit/ does"
    done
}

# check_bills PROGRAM STATIC holds the bills against their schema, and the component's against what cargo says it is made of.
check_bills() {
    local name listed built
    for name in preamp.wasm "$@"; do
        [[ -z $name ]] || release_python deploy/sbom.py check "$DIST/$name.cdx.json" || wrong "$name.cdx.json is no bill of materials."
    done
    built=$(
        component_toolchain
        cargo tree --locked --package preamp-core --features component --target wasm32-wasip2 --edges normal,no-proc-macro --prefix none \
            --format '{p}' | awk '{ sub("^v", "", $2); print $1 "@" $2 }' | sort -u
    )
    # Our crates and the registry's. What the standard library is made of, cargo tree does not know.
    listed=$(release_python -c 'import json, sys; print("\n".join(c["bom-ref"] for c in json.load(open(sys.argv[1]))["components"]))' \
        "$DIST/preamp.wasm.cdx.json" | sort -u)
    [[ -z $(comm -23 <(echo "$built") <(echo "$listed")) ]] ||
        wrong "the component's bill lacks $(comm -23 <(echo "$built") <(echo "$listed") | tr '\n' ' ')"
    [[ -z $(grep -E '^(tokio|wasmtime|rustls|hyper|preamp-host)@' <<<"$listed") ]] || wrong "the component's bill lists parts of the host."
    verified "the component's bill has the $(wc -l <<<"$built") crates that cargo tree has, and none of the host"
}

# check_archive NAME unpacks an archive as a user does, and uses what is in it.
check_archive() {
    local folder=$STAGING/unpacked/$1 said
    mkdir -p "$folder"
    tar --extract --gzip --file "$DIST/$1.tar.gz" --directory "$folder" --strip-components 1
    check_program "$folder/preamp"
    check_example "$folder/preamp" "$folder/systemd/preamp.yaml" "$folder/systemd/environment"
    # The whole way, with every signature verified. The log would say if the component had to be compiled first.
    said=$("$folder/preamp" demo --seconds 2 2>&1) || wrong "the demo of $1 fails: $said"
    ! grep 'compiling the component' <<<"$said" || wrong "$1 has no machine code of the component that fits."
    verified "$1: preamp demo delivers everything"
}

# check_program FILE looks whether a program is of this version, and has this component in it.
check_program() {
    local said
    said=$("$1" --version)
    [[ $said == "preamp $VERSION"$'\n'"component sha256:$(cut -d ' ' -f 1 "$DIST/preamp.wasm.sha256")" ]] ||
        wrong "$1 is not of this release: it says $said"
    "$CACHE/python/bin/python" -c 'import sys; program, component = (open(f, "rb").read() for f in sys.argv[1:]); sys.exit(component not in program)' \
        "$1" "$DIST/preamp.wasm" || wrong "$1 does not have the bytes of preamp.wasm in it."
    ! grep --text --quiet --fixed-strings -e "$ROOT" -e "${CARGO_HOME:-$HOME/.cargo}" "$1" || wrong "$1 names a folder of this machine."
    verified "$(basename "$(dirname "$1")")/preamp says its version and the digest of preamp.wasm, and has its bytes"
}

# check_example PROGRAM CONFIGURATION ENVIRONMENT looks whether the example is refused as it comes, by the name of what is missing, and is right
# once that is there.
check_example() {
    local said
    if said=$(env -u AMP_REMOTE_WRITE_URL "$1" validate --config "$2" 2>&1); then wrong "$2 passes although it names no workspace."; fi
    grep -q AMP_REMOTE_WRITE_URL <<<"$said" || wrong "$2 is refused without the name of the variable: $said"
    grep -q '^#AMP_REMOTE_WRITE_URL=' "$3" || wrong "$3 does not say how to name the workspace."
    AMP_REMOTE_WRITE_URL=https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-b226cc2a-a446-46a9-933a-ac50479a5568/api/v1/remote_write \
        "$1" validate --strict --config "$2" >/dev/null || wrong "$2 is not right although it names a workspace."
    verified "$(basename "$2") is refused until it names a workspace"
}

check_static() {
    local program=$STAGING/unpacked/$1/preamp
    if readelf --program-headers --dynamic "$program" | grep -E 'INTERP|NEEDED'; then wrong "$1 needs a library of the system."; fi
    verified "$1 needs no library"
}

# check_language_packages PROGRAM installs the packages into empty folders, without a network, and delivers with them to the stand-in of the program.
check_language_packages() {
    local folder=$STAGING/installed program=$STAGING/unpacked/$1/preamp said=$STAGING/stand-in.log stand_in line
    mkdir -p "$folder/npm"
    echo '{"private": true, "type": "module"}' >"$folder/npm/package.json"
    npm install --prefix "$folder/npm" --offline --ignore-scripts --no-audit --no-fund --silent "$DIST/preamp-exporter-$VERSION.tgz" ||
        wrong "npm cannot install the package."
    "$program" stand-in >"$said" &
    stand_in=$!
    until grep -q '^see its series' "$said"; do
        kill -0 "$stand_in" || wrong "the stand-in does not start."
        sleep 0.1
    done
    sed -n 's/^  endpoint: \(.*\)/{"endpoint": "\1", "sigv4": {"region": "eu-west-1", "service": "aps"}}/p' "$said" >"$folder/configuration.json"
    for line in $(sed -n 's/^  export //p' "$said"); do export "${line?}"; done
    # The programs that the tests drive, but of what is installed.
    cp sockets/npm/conformance.mjs "$folder/npm/"
    payload | node "$folder/npm/conformance.mjs" "$folder/configuration.json" | delivered "the npm package"
    # python_socket installed the wheel into an environment that was empty.
    payload | "$CACHE/socket-python/bin/python" -I sockets/python/conformance.py "$folder/configuration.json" | delivered "the wheel"
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
    kill "$stand_in"
    wait "$stand_in" || true
    # Metadata goes in the same requests.
    grep -q '^2 requests, 2 verified' "$said" || wrong "the stand-in did not verify every request: $(tail -n 1 "$said")"
}

# payload prints a point of now, as the programs take it.
payload() {
    printf '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"released","gauge":{"dataPoints":[{"asDouble":1,"timeUnixNano":"%s"}]}}]}]}]}' \
        "$(date +%s%N)" | base64 --wrap 0 | sed 's|.*|{"payload": "&", "contentType": "application/json", "contentEncoding": ""}\n|'
}

# delivered WHAT reads what became of a payload.
delivered() {
    local outcome
    read -r outcome || wrong "$1 said nothing."
    grep -q '"status": *200' <<<"$outcome" || wrong "$1 did not deliver: $outcome"
    verified "$1 is installed into an empty folder and delivers a signed request"
}

# ---- the Debian package -----------------------------------------------------------------------

# check_debian PROGRAM looks into the package, and installs it on a copy of this machine.
check_debian() {
    local package root=$STAGING/unpacked/debian unit
    package=$(echo "$DIST"/preamp_*.deb)
    unit=$root/usr/lib/systemd/system/preamp.service
    mkdir -p "$root"
    dpkg-deb --extract "$package" "$root"
    cmp "$root/usr/bin/preamp" "$STAGING/unpacked/$1/preamp" || wrong "the Debian package has another program than the archive."
    cmp "$unit" deploy/systemd/preamp.service || wrong "the Debian package has another unit than deploy/systemd."
    check_paths "$root" "$unit"
    if ((EUID == 0)); then
        unshare --mount bash deploy/debian/try.sh "$package" "$STAGING/machine" || wrong "the Debian package cannot be installed, used and removed."
    else
        LEFT_OUT+=" the installation of the Debian package (that takes root);"
    fi
}

# check_paths ROOT UNIT looks whether every file that the unit names is in the package, or made by it.
check_paths() {
    local path
    for path in $(grep -v '^#' "$2" | grep -oE '/(etc|usr)/[^ ]*'); do
        [[ -e $1$path ]] || wrong "the unit names $path, and the Debian package does not have it."
    done
    # What the configuration keeps on disk is in the one directory that the unit lets it write to.
    grep -q '^StateDirectory=preamp$' "$2" && grep -q 'directory: /var/lib/preamp/' "$1/etc/preamp/preamp.yaml" ||
        wrong "the configuration keeps its queue where the unit lets nobody write."
    [[ $(dpkg-deb --info "$DIST"/preamp_*.deb conffiles) == "$(cd "$1" && find etc -type f | sort | sed 's|^|/|')" ]] ||
        wrong "not every file in /etc is a configuration file of the Debian package."
    verified "the Debian package has every file that the unit names"
}

# lintian_program unpacks Debian's judge of packages, with what it needs and this machine lacks.
lintian_program() {
    local folder=$CACHE/lintian packages
    [[ -x $folder/usr/bin/lintian ]] && return
    apt-cache show lintian >/dev/null 2>&1 || apt-get update -qq || true
    packages=$(apt-get install --simulate --no-install-recommends lintian 2>/dev/null | awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }')
    [[ -n $packages ]] || packages=lintian
    # shellcheck disable=SC2086
    debian_packages "$folder" $packages
}

check_lintian() {
    local folder=$CACHE/lintian libraries
    if ! (lintian_program); then
        LEFT_OUT+=" the Debian package by lintian (it cannot be fetched);"
        return
    fi
    libraries=$folder/usr/lib/$(gcc -print-multiarch)
    PERL5LIB=$folder/usr/share/perl5:$(echo "$libraries"/perl5/5*) LD_LIBRARY_PATH=$libraries LINTIAN_BASE=$folder/usr/share/lintian \
        PATH=$folder/usr/bin:$PATH lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$DIST"/preamp_*.deb ||
        wrong "lintian finds something in the Debian package."
    verified "lintian finds nothing in the Debian package"
}
