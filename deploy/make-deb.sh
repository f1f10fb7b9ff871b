#!/bin/sh
# Builds the Debian package of the working tree, without network and without root.
#
#   make-deb.sh VERSION FOLDER    makes FOLDER/petition_VERSION_ARCH.deb
#
# What describes the package is in deploy/debian/; dpkg wants it at the top of a tree, so the tree is
# copied. `make deb` calls this. It needs debhelper (deploy/install-deps.sh --deb).
set -eu

cd "$(dirname "$0")/.."

version=$1
folder=$2
tree=$folder/petition-$version

command -v dh >/dev/null || {
    echo "make-deb: debhelper is missing: sh deploy/install-deps.sh --deb" >&2
    exit 1
}
packaged=$(dpkg-parsechangelog -l deploy/debian/changelog -S Version)
if [ "$packaged" != "$version" ]; then
    echo "make-deb: deploy/debian/changelog is of version $packaged, the program of $version" >&2
    exit 1
fi

rm -rf "$folder"
mkdir -p "$tree"
cp -R Makefile LICENSE README.md schema.sql server public deploy "$tree"
mv "$tree/deploy/debian" "$tree/debian"
for file in petition.service petition.socket petition.sysusers; do
    if [ -e "deploy/$file" ]; then
        cp "deploy/$file" "$tree/debian/"
    fi
done

cd "$tree"
# The caller's make flags and settings are for its own build.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES BUILD CC CFLAGS CPPFLAGS LDFLAGS SANITIZE CI PREFIX DESTDIR
DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-"parallel=$(nproc)"} dpkg-buildpackage -b --no-sign >../build.log 2>&1 || {
    cat ../build.log >&2
    exit 1
}
cd ..
ls "$PWD"/petition_"$version"_*.deb
