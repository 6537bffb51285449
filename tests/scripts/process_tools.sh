#!/bin/bash
# What ps, top, pgrep, pkill, lsof, fuser, w, free and vmstat say of processes that run, have stopped, or have ended.
# Numbers of processes differ between the two systems, so they are left out or replaced.
set -u
cd /
sleep 1000 &
p=$!
echo "== ps"
ps aux | head -n 1 | tr -s ' '
ps aux | awk -v p=$p '$2 == p { print $1, $7, $8, $11, $12 }'
ps -ef --forest | awk -v p=$p -v s=$$ '$2 == p { print $1, ($3 == s), $6, $NF, $(NF - 1) }'
ps -o user,pgid,sid,tty,ni,pri,stat,nlwp,comm,args -p $p | sed "s/ $(ps -o pgid= -p $$ | tr -d ' ') / GROUP /; s/ $(ps -o sid= -p $$ | tr -d ' ') / SESSION /" | tr -s ' '
kill -STOP $p
until [ "$(ps -o stat= -p $p | cut -c1 2>/dev/null || ps -o stat= -p $p | head -c 1)" = T ]; do :; done
ps -o comm= -o state= -p $p
kill -CONT $p
echo "== top"
top -b -n 1 | sed -n 7p | tr -s ' '
top -b -n 1 -p $p | awk -v p=$p '$1 == p { print $2, $4, $12 }'
echo "== pgrep"
[ "$(pgrep -P $$ sleep)" = $p ] && echo "pgrep finds it"
pgrep -a -P $$ sleep | sed "s/^$p /P /"
echo "== proc"
for file in stat statm status cmdline environ comm limits io oom_score_adj wchan cgroup mountinfo maps smaps_rollup; do
    cat /proc/$p/$file > /dev/null && echo "$file"
done
tr '\0' ' ' < /proc/$p/cmdline; echo
cat /proc/$p/comm
readlink /proc/$p/cwd /proc/$p/root
[ "$(readlink /proc/$p/exe)" = "$(readlink /proc/self/exe | sed 's/readlink$/sleep/')" ] || readlink /proc/$p/exe | sed 's,.*/,,'
ls() { for name in "$1"/*; do echo "${name##*/}"; done; }
ls /proc/$p/task | sed "s/$p/P/"
ls /proc/$p/ns
[ "$(cat /proc/$p/task/$p/children)" = "" ] && echo "no children"
grep -c . /proc/loadavg /proc/uptime | tr '\n' ' '; echo
echo "== another user"
other() { setpriv --reuid 1234 --regid 1234 --clear-groups -- "$@" 2>&1 | sed "s/$p/P/"; }
other cat /proc/$p/environ; other cat /proc/$p/maps; other readlink /proc/$p/exe; other readlink /proc/$p/cwd; other cat /proc/$p/io
other cat /proc/$p/comm
other cat /proc/$p/status | grep -c .  > /dev/null && echo "status is for all"
echo "== a zombie"
sh -c 'true & exec sleep 1000' &
q=$!
until [ "$(ps -o state= --ppid $q)" = Z ]; do :; done
ps -o state=,comm=,args= --ppid $q
z=$(pgrep -P $q)
cat /proc/$z/cmdline; readlink /proc/$z/exe || echo "no program"; cat /proc/$z/comm; cat /proc/$z/statm
grep State /proc/$z/status
echo "== lsof and fuser"
f=$(mktemp 2>/dev/null || echo "${TMPDIR:-/tmp}/open"); echo text > "$f"
sleep 999 < "$f" &
r=$!
lsof -p $r -a -d cwd,0 -F ftn 2>/dev/null | sed "s,$f,FILE,; s/^p.*/P/"
fuser "$f" 2>/dev/null | tr -d ' ' | sed "s/$r/R/"; echo
rm "$f"
echo "== the machine"
w | sed -n 2p | tr -s ' '
free | awk '{ print $1, NF }'
vmstat | sed -n 2p | tr -s ' '
uptime | grep -c 'load average'
echo "== pkill"
pkill -P $$ -x sleep; wait $p; echo $?; wait $q; echo $?; wait $r; echo $?
