#!/usr/bin/env bash
# Installs what is missing, and says what. deps.sh build | deps.sh test VENV NODE
set -eu

build="gcc g++ make meson ninja-build pkg-config python3 libssl-dev librocksdb-dev libsimdjson-dev
 libexpat1-dev libyaml-dev zlib1g-dev libzstd-dev libdeflate-dev libre2-dev libhyperscan-dev libcurl4-openssl-dev libseccomp-dev
 bubblewrap"
test="libcmocka-dev python3-venv nodejs clang openssl"

missing() {
    for p in $1; do
        [ "$p" = nodejs ] && command -v node >/dev/null && command -v npm >/dev/null && continue
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || echo "$p"
    done
}

install() {
    local want
    want=$(missing "$1" | tr '\n' ' ')
    [ -z "${want// /}" ] && return 0
    [[ " $want" == *" nodejs "* ]] && want="$want npm"
    echo "installing: $want"
    local sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -q >/dev/null
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends $want >/dev/null
}

case "${1:-}" in
build) install "$build" ;;
test)
    install "$build $test"
    venv=$2 node=$3
    if ! "$venv/bin/python" -c 'import boto3, awscli' 2>/dev/null; then
        echo "installing the Python clients into $venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install -q --disable-pip-version-check -r tests/requirements.txt
    fi
    if [ ! -d "$node/node_modules/@aws-sdk/client-s3" ]; then
        echo "installing the JavaScript clients into $node"
        mkdir -p "$node"
        cp tests/js/package.json "$node/"
        (cd "$node" && npm install --silent --no-audit --no-fund >/dev/null)
    fi
    ;;
*)
    echo "usage: deps.sh build | test VENV NODE" >&2
    exit 64
    ;;
esac
