#!/bin/sh
# What the entry points of official images do.
set -e
if [ "$(id -u)" = 0 ]; then echo "user is root"; fi
mkdir -p "$TMPDIR/data/sub" "$TMPDIR/docker-entrypoint.d"
echo data > "$TMPDIR/data/sub/file"
find "$TMPDIR/data" \! -user 33 -exec chown 33 '{}' +
stat -c '%u %n' "$TMPDIR/data/sub/file" | sed "s,$TMPDIR,,"
cat > "$TMPDIR/docker-entrypoint.d/10-first.envsh" <<'END'
export FROM_ENVSH=yes
END
cat > "$TMPDIR/docker-entrypoint.d/20-second.sh" <<'END'
#!/bin/sh
echo "second runs with $FROM_ENVSH"
END
chmod +x "$TMPDIR"/docker-entrypoint.d/*.sh
echo ignored > "$TMPDIR/docker-entrypoint.d/README"
find "$TMPDIR/docker-entrypoint.d/" -follow -type f -print | sort -V | while read -r f; do
    case "$f" in
        *.envsh) . "$f" ;;
        *.sh) if [ -x "$f" ]; then "$f"; fi ;;
        *) echo "ignoring ${f##*/}" ;;
    esac
done
export HOST=example.org PORT=8080
printf 'server %s;\n' '${HOST}:${PORT}' > "$TMPDIR/template"
defined=$(printf '${%s} ' HOST PORT)
envsubst "$defined" < "$TMPDIR/template"
if [ "${1#-}" != "$1" ]; then set -- sh "$@"; fi
exec setpriv --reuid=33 --regid=33 --clear-groups -- "$@"
