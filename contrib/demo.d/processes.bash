# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# Part of contrib/demo: starts and ends the background processes.

# Each process gets its own process group: Ctrl-C reaches only this script, which ends the others.
# The processes end when a pipe is closed, so none of them inherits it.
in_background() {
    local what=$1
    shift
    set -m
    "$@" {life}>&- {leash}>&- &
    pids[$what]=$!
    set +m
    printf '%d' "${pids[$what]}" >"$work/running/$what"
}

# Also works for processes of other users, for which kill -0 is refused.
is_alive() {
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null && [[ ! $stat =~ \)\ Z ]]
}

is_running() { is_alive "${pids[$1]}"; }

# Has a time limit, in case a process does not end.
stop() {
    local pid=${pids[$1]-} tries
    [[ $pid ]] || return 0
    unset "pids[$1]"
    kill -TERM -- "-$pid" 2>/dev/null
    for ((tries = 0; tries < 50; tries++)); do
        is_alive "$pid" || break
        sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    rm -f "$work/running/$1"
}

# collectd and rapl-execd end when their stdin does. That also works through sudo.
let_go() {
    local tries what
    exec {leash}>&-
    for what in collectd execd; do
        [[ ${pids[$what]-} ]] || continue
        for ((tries = 0; tries < 100; tries++)); do
            is_running "$what" || break
            sleep 0.1
        done
        stop "$what"
    done
}

# Waits until this script has ended in any way (even kill -9), and then removes what is left.
# Processes get 10 seconds to end by themselves, as the simulator, collectd and rapl-execd do.
janitor() {
    local tries file pid alive
    trap '' INT TERM HUP
    cat >/dev/null
    pid=$(cat "$work/running/step" 2>/dev/null) && kill -TERM -- "-$pid" 2>/dev/null
    for ((tries = 0; tries < 100; tries++)); do
        alive=
        for file in "$work"/running/*; do
            pid=$(cat "$file" 2>/dev/null) && is_alive "$pid" && alive+=" $pid"
        done
        [[ $alive ]] || break
        sleep 0.1
    done
    for pid in $alive; do kill -KILL -- "-$pid" 2>/dev/null; done
    if mountpoint -q "$work/machine"; then
        fusermount3 -qu "$work/machine" 2>/dev/null || umount -l "$work/machine"
    fi
    rm -rf --one-file-system "$work"
}

begin() {
    local end
    if ! work=$(mktemp -d -t rapl-demo.XXXXXX) || ! mkdir "$work/running" ||
        ! mkfifo "$work/life" "$work/leash"; then
        fail "no temporary folder"
    fi
    exec {life}<>"$work/life"
    exec {leash}<>"$work/leash"
    exec {end}<"$work/life"
    set -m
    (janitor) <&"$end" >/dev/null 2>&1 {life}>&- {leash}>&- {end}>&- &
    janitor=$!
    set +m
    exec {end}<&-
}

clean_up() {
    trap '' INT TERM HUP
    [[ $janitor ]] || return
    exec {life}>&- {leash}>&-
    wait "$janitor"
}
