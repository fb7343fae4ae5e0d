# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# Part of contrib/demo: reads what both collectors wrote, shows and compares it.

# --- reading what they wrote ---------------------------------------------------------------------

# Prints every value of one kind, power or energy, as WAY ZONE TIME VALUE, with the same zone names
# for both ways. Leaves out the maxima, which only collectd has.
list_values() {
    local kind=$1 lines=${2:-+1}
    tail -n "$lines" "$work/execd.lines" | awk -v field="${kind}_" '
        !/ [0-9]+$/ { next }
        {
            split("", tag)
            count = split($1, tags, ",")
            for (i = 2; i <= count; i++) {
                split(tags[i], pair, "=")
                tag[pair[1]] = pair[2]
            }
            zone = "package_id" in tag && tag["domain"] != "psys" ? "package-" tag["package_id"] : ""
            zone = zone ("die_id" in tag ? "-die-" tag["die_id"] : "")
            if (tag["domain"] == "psys")
                zone = "psys" (tag["package_id"] ? "-" tag["package_id"] : "")
            else if (tag["domain"] != "package")
                zone = zone (zone == "" ? "" : "/") tag["domain"]
            count = split($2, values, ",")
            for (i = 1; i <= count; i++)
                if (values[i] ~ "^" field "(watts|joules)=") {
                    sub(/.*=/, "", values[i])
                    printf "execd %s %.3f %s\n", zone, $NF / 1e9, values[i]
                }
        }'
    find "$work/csv" -name "$kind-*" ! -name '*-max-*' -path '*/rapl*' -exec tail -v -n "$lines" {} + |
        awk -F, -v kind="$kind" '
        /^==> / {
            zone = $0
            sub(/^.*\/rapl-?/, "", zone)
            sub(/-[0-9]+-[0-9]+-[0-9]+ <==$/, "", zone)
            split(zone, part, "/")
            sub("^" kind "-", "", part[2])
            zone = part[2] == "package" || part[2] == "psys" ? part[1] : part[1] "/" part[2]
            sub(/^\//, "", zone)
        }
        /^[0-9.]+,[0-9.e+-]+$/ { print "collectd", zone, $1, $2 }'
}

# Prints ZONE EXECD COLLECTD: the watts of the last second, the total last.
read_watts() {
    list_values power 100 | awk '
        {
            zones[$2] = 1
            if ($3 >= at[$1, $2]) {
                at[$1, $2] = $3
                watts[$1, $2] = sprintf("%.1f", $4)
            }
        }
        END {
            zones["total"] = 1
            for (zone in zones)
                print zone, ("execd", zone) in watts ? watts["execd", zone] : "-",
                    ("collectd", zone) in watts ? watts["collectd", zone] : "-"
        }' | sort -V
}

# --- showing it ----------------------------------------------------------------------------------

# Redraws the table in place. Counts the rows for which the terminal has no room.
show_table() {
    local second=$1 rows room
    if ! have_terminal; then
        awk -v second="$second" '
            NR <= 8 || $1 == "total" { text = text "  " $1 " " $2 }
            END { printf "%3d s%s W\n", second, text }' "$work/watts"
        return
    fi
    room=$(stty size </dev/tty 2>/dev/null | cut -d ' ' -f 1)
    ((${room:-0} > 8)) || room=24
    [[ ! $board ]] || printf '\033[%dA' "$board"
    awk -v second="$second" -v seconds="$seconds" -v room=$((room - 6)) '
        { zone[NR] = $1; execd[NR] = $2; collectd[NR] = $3; if ($2 > most) most = $2 }
        END {
            printf "\033[K\n\033[K  %-22s %12s %12s    %d of %d s\n", "watts", "rapl-execd",
                "collectd", second, seconds
            for (i = 1; i <= NR; i++) {
                if (NR > room && i >= room && i < NR) {
                    if (i == room)
                        printf "\033[K  and %d more\n", NR - room
                    continue
                }
                bar = ""
                for (j = most > 0 ? execd[i] / most * 24 : 0; j >= 0.5; j--)
                    bar = bar "#"
                printf "\033[K%s  %-22s %12s %12s    %s\033[0m\n", i == NR ? "\033[1m" : "",
                    zone[i], execd[i], collectd[i], bar
            }
            print "\033[K"
        }' "$work/watts" >"$work/board"
    cat "$work/board"
    rows=$(wc -l <"$work/board")
    board=$rows
}

watch() {
    local second=0 quiet=0 size shown=
    say "Measuring for $seconds s with collectd and rapl-execd, once a second each:"
    while ((second < seconds)); do
        sleep 0.1
        size=$(stat -c %s "$work/execd.lines")
        if [[ $size = "$shown" ]]; then
            quiet=$((quiet + 1))
            ((quiet < 100)) || fail "rapl-execd fell silent: $(tail -n 1 "$work/execd.err")"
            continue
        fi
        quiet=0
        shown=$size
        second=$((second + 1))
        check_collectors
        read_watts >"$work/watts"
        show_table "$second"
    done
}

# Compares the mean total of both ways, from their joules, over the span that both have seen, and
# with the true value if it is known.
compare() {
    local began begin end execd_watts collectd_watts apart truth=
    list_values energy | sort -s -k 3,3n >"$work/energy"
    read -r begin end execd_watts collectd_watts apart < <(awk '
        $2 == "total" { count[$1]++; time[$1, count[$1]] = $3; joules[$1, count[$1]] = $4 }
        function at(way, when,    i, share) {
            for (i = 2; i < count[way] && time[way, i] < when; i++);
            share = (when - time[way, i - 1]) / (time[way, i] - time[way, i - 1])
            return joules[way, i - 1] + share * (joules[way, i] - joules[way, i - 1])
        }
        function mean(way) { return (at(way, end) - at(way, begin)) / (end - begin) }
        END {
            if (count["execd"] < 2 || count["collectd"] < 2)
                exit
            begin = time["execd", 1] > time["collectd", 1] ? time["execd", 1] : time["collectd", 1]
            end = time["execd", count["execd"]]
            if (time["collectd", count["collectd"]] < end)
                end = time["collectd", count["collectd"]]
            if (end - begin < 1)
                exit
            first = mean("execd"); second = mean("collectd")
            apart = first > 0 ? 100 * (second - first) / first : second > 0 ? 100 : 0
            apart = apart < 0 ? -apart : apart
            printf "%.0f %.0f %.1f %.1f %.1f\n", begin * 1e9, end * 1e9, first, second,
                apart < 0.1 ? 0.1 : apart
        }' "$work/energy")
    [[ ${apart-} ]] || fail "collectd and rapl-execd have not measured the same span"
    if [[ $source = simulated ]]; then
        began=$(awk '$1 == "began_ns" { print $2 }' "$work/machine/truth")
        truth=$("$simulator" "${simulated[@]}" --between "$began,$begin,$end" |
            awk '$1 == "total" { printf "; the truth is %.1f W", $3 }')
    fi
    awk -v apart="$apart" 'BEGIN { exit !(apart <= 3) }' ||
        fail "the two disagree: $execd_watts W by rapl-execd, $collectd_watts W by collectd$truth"
    say "Both agree within $apart %: $execd_watts W by rapl-execd, $collectd_watts W by collectd$truth."
}
