#!/bin/bash
# What bash has beyond sh.
set -o pipefail
array=(one two three)
mapfile -t lines < <(printf '%s\n' "${array[@]}" | tac)
echo "${lines[*]}"
diff <(seq 1 3) <(seq 2 4)
echo "diff $?"
false | true | (exit 3); echo "pipestatus ${PIPESTATUS[*]}"
[[ "abc123" =~ ([a-z]+)([0-9]+) ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
coproc UPPER { while read -r line; do echo "${line^^}"; done; }
echo hello >&"${UPPER[1]}"
read -r answer <&"${UPPER[0]}"
echo "$answer"
eval "exec ${UPPER[1]}>&-"
wait
pids=()
for i in 1 2 3; do (exit "$i") & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid"; echo "one ended with $?"; done
declare -A map=([x]=1 [y]=2)
echo "${map[x]}${map[y]}" | { read -r both; echo "both $both"; }
trap 'echo "child ended"' CHLD
(exit 0) & wait $!
trap - CHLD
read -r -t 1 -d '' text <<< "here string"; echo "$text"
time_format() { TIMEFORMAT='%0R'; { time sleep 0; } 2>&1; }
time_format
printf '%s\n' {a..c}{1..2} | xargs -n 2 -P 2 echo | sort
exec {fd}> "$TMPDIR/log"; echo logged >&"$fd"; exec {fd}>&-; cat "$TMPDIR/log"
(ulimit -n 64; ulimit -n)
kill -l TERM
bash -c 'echo $BASHPID; echo $$' | uniq | wc -l | tr -d ' '
set -m
sleep 5 & job=$!
kill -STOP $job
while ! jobs | grep -q Stopped; do :; done
jobs %% | sed 's/ \+/ /g; s/^.*+//'
kill -CONT $job
while jobs | grep -q Stopped; do :; done
kill $job
while kill -0 $job 2>/dev/null; do :; done
echo "the job is gone"
set +m
