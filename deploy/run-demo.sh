#!/bin/sh
# Serves the demonstration in ./data; makes that folder first if there is none. `make run` calls it
# after the build. Ctrl-C ends it.
set -eu

cd "$(dirname "$0")/.."
umask 077

petition=build/petition
data=data
# The folder gets its name only when it is complete, so a run that was broken off leaves no half of
# one behind: the next run begins again.
unfinished=build/data.unfinished

# Its hints name a folder that is about to be renamed; they are shown only if it fails.
quietly() {
    "$@" >build/run-demo.log 2>&1 || { cat build/run-demo.log >&2; exit 1; }
}

make_data() {
    rm -rf "$unfinished"
    quietly "$petition" init --demo --data "$unfinished"
    password=$(LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c 24)
    printf '%s\n' "$password" | quietly "$petition" organiser add admin --data "$unfinished"
    mv "$unfinished" "$data"
    cat <<END
A new petition is in $data/. Its organiser "admin" has this password, which is shown only now:

    $password

END
}

if [ -e "$data" ]; then
    echo "Serving the petition that is in $data/ already."
else
    make_data
fi

listen=$(sed -n 's/^[[:space:]]*listen[[:space:]]*=[[:space:]]*//p' "$data/petition.conf")
listen=${PETITION_LISTEN:-${listen:-127.0.0.1:8080}}

if [ -e "$data/organiser.key" ]; then
    cat <<END
Whoever has $data/organiser.key can read what signers typed, and the server does not need it: move it
to another machine.
END
fi
echo "The petition is at http://$listen/, the organisers' desk at http://$listen/admin (Ctrl-C ends it)."

exec "$petition" serve --data "$data"
