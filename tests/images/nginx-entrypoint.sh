#!/bin/sh
# In the manner of the official image: scripts first, a template filled in, then the server as its own user.
set -e
entrypoint_log() { echo "$0: $1"; }
if [ "$1" = nginx ]; then
    if find /docker-entrypoint.d/ -mindepth 1 -maxdepth 1 -type f -print -quit 2>/dev/null | read -r _; then
        find /docker-entrypoint.d/ -follow -type f -print | sort -V | while read -r f; do
            case "$f" in
                *.sh) entrypoint_log "launching $f"; sh "$f" ;;
                *) entrypoint_log "ignoring $f" ;;
            esac
        done
    fi
    export PORT="${PORT:-8080}"
    envsubst '${PORT}' < /etc/nginx/nginx.conf.template > /tmp/nginx.conf
    if [ "$(id -u)" = 0 ]; then
        mkdir -p /var/lib/nginx /var/log/nginx
        find /var/lib/nginx \! -user www-data -exec chown www-data '{}' +
    fi
fi
exec "$@"
