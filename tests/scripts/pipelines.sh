#!/bin/sh
# Pipelines, substitutions, here-documents and subshells.
set -u
echo one two three | tr a-z A-Z
seq 1 200 | sort -rn | head -n 3 | while read -r number; do echo "number $number"; done
echo "nested $(echo "$(echo deep | tr d D)er")"
cat <<END | sed 's/world/enclave/'
hello world
$(expr 6 \* 7)
END
variable=outer
(variable=inner; echo "in the subshell: $variable")
echo "behind it: $variable"
first() { echo from a function; return 3; }
first | cat
first; echo "status $?"
false | true; echo "pipe $?"
! true; echo "not $?"
if echo "needle in hay" | grep -q needle; then echo found; fi
echo b a c | xargs -n 1 | sort | paste -sd, -
total=0
for n in 1 2 3 4 5 6 7 8 9 10; do total=$((total + $(echo $n))); done
echo "total $total"
exec 3>&1
echo "by descriptor 3" >&3
exec 3>&-
sh -c 'echo "arguments: $0 $*"; exit 7' zero one two; echo "exit $?"
echo text > "${TMPDIR:-/tmp}/file.$$" && cat "${TMPDIR:-/tmp}/file.$$" && rm "${TMPDIR:-/tmp}/file.$$"
printf '%s\n' d c b a | sort | tee /dev/stderr 2>/dev/null | wc -l | tr -d ' '
awk 'BEGIN { for (i = 0; i < 3; i++) print "awk", i; "echo inner" | getline x; print x }'
env -i ONLY=this sh -c 'echo "$ONLY"'
dd if=/dev/zero bs=65536 count=64 2>/dev/null | wc -c | tr -d ' '
yes | head -n 100000 | wc -l | tr -d ' '
