#!/bin/sh
# Background processes, waiting, traps and signals.
sleep 0.05 &
first=$!
(exit 5) &
second=$!
wait $second; echo "second $?"
wait $first; echo "first $?"
wait 99999; echo "no child $?"
trap 'echo "on exit"' EXIT
trap 'echo "got TERM"' TERM
kill -TERM $$
echo "after the trap"
sleep 30 &
victim=$!
kill -9 $victim
wait $victim 2>/dev/null; echo "victim $?"
(trap 'echo "inner got HUP"; exit 4' HUP; touch "$TMPDIR/ready"; while :; do sleep 0.01; done) &
inner=$!
while [ ! -e "$TMPDIR/ready" ]; do sleep 0.01; done
kill -HUP $inner
wait $inner; echo "inner $?"
mkfifo "$TMPDIR/fifo"
(for i in 1 2 3; do echo "line $i"; done > "$TMPDIR/fifo") &
while read -r line; do echo "read $line"; done < "$TMPDIR/fifo"
wait
count=0
for i in $(seq 1 30); do (exit $i) & done
wait
echo "all have ended"
sh -c 'kill -s KILL $$'; echo "killed $?"
sh -c 'exec sh -c "exit 9"'; echo "executed $?"
(sh -c 'exit 3'; echo "inner status $?"; exit 2); echo "outer status $?"
