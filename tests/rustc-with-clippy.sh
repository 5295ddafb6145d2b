#!/usr/bin/env bash
# Stands in for rustc on the crates of this workspace (build.sh sets RUSTC_WORKSPACE_WRAPPER): compiles a crate, then lets
# clippy read it with the dependencies as they were compiled. `cargo clippy` would read all dependencies once more.
#
# A finding does not fail the build, so that the demo works with a clippy that knows more. It is written to the folder
# that PREAMP_FINDINGS names, where `./build.sh lint` fails because of it.
set -u
"$@" || exit

shift
source='' kind='' is_test='' arguments=()
while (($# > 0)); do
    case $1 in
    # What clippy says is read by people, and it writes nothing that is kept.
    --emit=* | --error-format=* | --json=*) ;;
    --out-dir) shift ;;
    -C) if [[ $2 == incremental=* ]]; then shift; else arguments+=("$1"); fi ;;
    --crate-type) kind=$2 arguments+=("$1") ;;
    --test) is_test=.test arguments+=("$1") ;;
    *.rs) source=$1 arguments+=("$1") ;;
    *) arguments+=("$1") ;;
    esac
    shift
done
# cargo also asks the compiler what it is.
[[ -n $source ]] || exit 0

mkdir -p "$PREAMP_FINDINGS"
finding=$PREAMP_FINDINGS/${source//\//_}.$kind$is_test
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if clippy-driver "${arguments[@]}" --emit=metadata --out-dir "$scratch" -D warnings 2>"$scratch/said"; then
    rm -f "$finding"
else
    { echo "$source" && cat "$scratch/said"; } >"$finding"
fi
