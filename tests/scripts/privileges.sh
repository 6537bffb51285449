#!/bin/sh
# What service managers do before they begin a service: capabilities kept, dropped and bounded.
set -e
show='grep -E "^(Cap|NoNewPrivs)" /proc/self/status'
for_33='setpriv --reuid=33 --regid=33 --clear-groups'
only='--bounding-set=-all,+chown,+net_bind_service'
echo "as another user, with one and one more to inherit"
$for_33 --inh-caps=-all,+chown,+net_bind_service --ambient-caps=-all,+chown $only -- sh -c "id -u; $show"
touch "$TMPDIR/file"
$for_33 --inh-caps=-all,+chown --ambient-caps=-all,+chown -- chown 34:34 "$TMPDIR/file"
stat -c '%u %g' "$TMPDIR/file"
echo "as another user, with none"
$for_33 $only -- sh -c "$show"
$for_33 -- chown 33:33 "$TMPDIR/file" 2>/dev/null || echo "may not"
echo "as root, with what is left"
setpriv --inh-caps=-all $only -- sh -c "id -u; $show"
setpriv $only -- chown 35:35 "$TMPDIR/file" && stat -c '%u %g' "$TMPDIR/file"
setpriv --bounding-set=-all -- chown 36:36 "$TMPDIR/file" 2>/dev/null || echo "root may not"
echo "with nothing new, and without root"
setpriv --no-new-privs $only -- sh -c "$show"
setpriv --securebits=+noroot $only -- sh -c "$show"
