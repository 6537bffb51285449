# Waits until a command succeeds, for half a minute.
await() {
    for _ in $(seq 150); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    echo "never: $*"
    exit 1
}
set -e
