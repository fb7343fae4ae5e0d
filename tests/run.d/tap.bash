# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Prints TAP for commands and programs, and counts the results in a TAP file. $logs is a folder.

pass() { printf 'ok - %s\n' "$1"; }
fail() { printf 'not ok - %s\n' "$1"; }
# skip NAME REASON
skip() { printf 'ok - %s # skip %s\n' "$1" "$2"; }

log_of() { printf '%s/%s.log' "$logs" "${1//[^A-Za-z0-9]/_}"; }

# must NAME COMMAND...: one test that passes if the command succeeds; otherwise its output is shown.
must() {
    local name=$1 log
    log=$(log_of "$1")
    shift
    if "$@" >"$log" 2>&1; then
        pass "$name"
    else
        tail -n 40 "$log" | sed 's/^/# /'
        fail "$name"
    fi
}

# tap NAME COMMAND...: runs a program that prints TAP and puts NAME before each test name. The
# program itself fails if it prints no test, or ends with an error although no test failed.
tap() {
    local name=$1 log counts status
    log=$(log_of "$1")
    shift
    printf '# %s\n' "$name"
    "$@" 2>&1 | tee "$log" |
        sed -u -E -e '/^1\.\./d' -e "s|^((not )?ok) [0-9]+ - (${name##*/} )?|\1 - $name: |"
    status=${PIPESTATUS[0]}
    read -ra counts < <(count_tap "$log")
    if [[ ${counts[*]} == "0 0 0" ]]; then
        fail "$name ran no test (status $status)"
    elif [[ $status -ne 0 && ${counts[1]} -eq 0 ]]; then
        fail "$name ended with status $status"
    fi
}

# tap_each COUNT NAME PROGRAM...: the same for several Python programs, COUNT at a time. The output
# of each program stays together.
tap_each() {
    local count=$1 name=$2 program
    shift 2
    for program in "$@"; do
        while (($(jobs -pr | wc -l) >= count)); do wait -n; done
        tap_block "$name" "$program" &
    done
    wait
    for program in "$@"; do
        [[ -e $(block_of "$name" "$program").printed ]] || fail "$name: ${program##*/} was cut short"
    done
}

block_of() { log_of "$1 ${2##*/} block"; }

tap_block() {
    local name=$1 program=$2 block
    block=$(block_of "$name" "$program")
    rm -f "$block.printed"
    tap "$name/$(basename "$program" .py)" /usr/bin/python3 "$program" >"$block"
    flock "$logs/printing" cat "$block" && : >"$block.printed"
}

# count_tap FILE: prints the numbers of passed, failed and skipped tests. cmocka prints "not ok" for
# a skipped test.
count_tap() {
    awk '/^(not )?ok/ && tolower($0) ~ /# *skip/ { skipped++; next }
        /^ok/ { passed++ }
        /^not ok/ { failed++ }
        END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# list_failed FILE: prints the names of failed tests.
list_failed() {
    awk '/^not ok/ && tolower($0) !~ /# *skip/ { sub(/^not ok (- )?/, ""); print }' "$1"
}
