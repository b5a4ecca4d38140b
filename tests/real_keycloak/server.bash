# What the runs against a real Keycloak have in common: the program, the server, and that nothing outlives a run.
# shellcheck shell=bash

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/keycloak-to-azure
newest=26.7.4

fail() {
    printf 'real_keycloak/%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

need_tools() {
    local tool
    for tool; do
        command -v "$tool" >/dev/null || fail "$tool is not installed"
    done
}

# Prints the program's path, made absolute, because the program runs in the working folder.
find_binary() {
    if [[ -n $1 ]]; then
        realpath "$1"
        return
    fi
    local target
    target=$(cd "$checkout" && cargo metadata --format-version 1 --no-deps |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
    local chosen=
    for candidate in "$target/release/keycloak-to-azure" "$target/debug/keycloak-to-azure"; do
        [[ -x $candidate && (-z $chosen || $candidate -nt $chosen) ]] && chosen=$candidate
    done
    [[ -n $chosen ]] || fail "there is no keycloak-to-azure in $target: run cargo build, or name it with --binary"
    printf '%s\n' "$chosen"
}

# Makes sure that the zip of a version is in the cache. It gets its final name only when it is complete.
fetch_server() {
    local version=$1 zip=keycloak-quarkus-dist-$1.zip incoming
    [[ -s $cache/$zip ]] && return
    mkdir -p "$cache"
    incoming=$(mktemp -d "$cache/incoming.XXXXXX")
    if ! mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
        -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$incoming" >&2 </dev/null; then
        rm -rf "$incoming"
        fail "Maven could not fetch Keycloak $version"
    fi
    mv "$incoming/$zip" "$cache/$zip"
    rmdir "$incoming"
}

# Makes the working folder, with a server of this version in it, and sets `work`, `server` and `imports`, where the realm files go.
unpack_server() {
    local version=$1
    fetch_server "$version"
    work=$(mktemp -d "${TMPDIR:-/tmp}/keycloak-to-azure.XXXXXX")
    python3 -m zipfile -e "$cache/keycloak-quarkus-dist-$version.zip" "$work"
    server=$work/keycloak-$version
    imports=$server/data/import
    mkdir -p "$imports"
}

# Starts the server below a path, which may be empty, and sets `base`, its address, and `server_group`. It is not ready yet.
start_server() {
    local relative_path=$1 port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    local options=(--http-host 127.0.0.1 --http-port "$port" --import-realm)
    [[ -z $relative_path ]] || options+=(--http-relative-path "$relative_path")
    # kc.sh runs Java as its child, so the server gets a process group of its own that can be ended whole. The variables are
    # those of Keycloak 26 and those of the versions before. A server that lives for minutes never earns back what the
    # optimising compiler costs.
    KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD=admin KEYCLOAK_ADMIN=admin KEYCLOAK_ADMIN_PASSWORD=admin \
        JAVA_OPTS_APPEND='-Xms256m -Xmx768m -XX:TieredStopAtLevel=1' \
        setsid bash "$server/bin/kc.sh" start-dev "${options[@]}" >"$work/server.log" 2>&1 </dev/null &
    server_group=$!
    groups=("$server_group")
    base=http://127.0.0.1:$port$relative_path
}

# Runs a command in a process group of its own beside the server, shows the server's log if it fails, and ends with its status.
run_beside_server() {
    local status=0
    setsid "$@" </dev/null &
    groups=("$!" "$server_group")
    wait "$!" || status=$?
    if ((status != 0)); then
        printf '\nThe end of the server'\''s log:\n' >&2
        # The realm files name an event listener that the server does not have, which it says again and again.
        grep -v "'event-queue' registered" "$work/server.log" | tail -n 25 >&2
    fi
    exit "$status"
}

work=
keep=
groups=()
clean_up() {
    local group
    for group in "${groups[@]}"; do
        kill -TERM -- "-$group" 2>/dev/null || continue
        for _ in {1..100}; do
            kill -0 -- "-$group" 2>/dev/null || continue 2
            sleep 0.1
        done
        kill -KILL -- "-$group" 2>/dev/null || true
    done
    if [[ -n $keep ]]; then
        printf 'kept: %s\n' "$work"
    elif [[ -n $work ]]; then
        rm -rf "$work"
    fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
