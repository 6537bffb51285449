#!/bin/sh
# Many programs at the same time: each finds addresses, memory and threads.
for round in 1 2 3 4 5; do
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        (seq 1 50 | sort -rn | head -n 1 | tr 5 $((i % 10)) | wc -c >> "$TMPDIR/counts") &
    done
    wait
done
sort "$TMPDIR/counts" | uniq -c | tr -s ' '
