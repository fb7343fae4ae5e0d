# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# Part of contrib/demo: draws what collectd stored.

# Prints FILE ZONE for every curve: packages, their dram, psys and total; for pulses, one package
# and its maximum.
list_drawn() {
    cd "$work/rrd/demo" || return
    if [[ $pulse ]]; then
        printf 'rapl-package-0/power-package%s\n' $'.rrd\tpackage-0, mean' $'-max.rrd\tpackage-0, maximum of 5 s'
        return
    fi
    find . -path './rapl*' \( -name power-package.rrd -o -name power-dram.rrd -o \
        -name power-psys.rrd -o -name power-total.rrd \) -printf '%P\n' | awk -F/ '
        {
            zone = $1
            sub(/^rapl-?/, "", zone)
            domain = $2
            gsub(/^power-|[.]rrd$/, "", domain)
            order = domain == "package" ? 1 : domain == "dram" ? 2 : domain == "psys" ? 3 : 4
            label = domain == "total" ? "total" : domain == "dram" ? zone " dram" : zone
            print order "\t" $0 "\t" label
        }' | sort -t $'\t' -k 1,1n -k 3,3V | cut -f 2-
}

draw() {
    local colours=(1f77b4 2ca02c 17becf 9467bd 8c564b e377c2 bcbd22 7f7f7f)
    local arguments=() file label colour width reduce lines=0 begin end grid
    while IFS=$'\t' read -r file label; do
        colour=${colours[lines % ${#colours[@]}]}
        width=2
        if [[ $label = total ]]; then
            colour=d62728
            width=3
        fi
        reduce=
        if [[ $label = *maximum* ]]; then
            reduce=:step=5:reduce=MAX
        fi
        arguments+=("DEF:v$lines=$file:value:AVERAGE$reduce"
            "LINE$width:v$lines#$colour:$(printf '%-24s' "$label")"
            "GPRINT:v$lines:AVERAGE:%8.1lf W"
            "GPRINT:v$lines:MAX:%8.1lf W\\l")
        lines=$((lines + 1))
    done < <(list_drawn)
    ((lines > 0)) || fail "collectd stored nothing that could be drawn"
    # The first value belongs to a second that began before it.
    read -r begin end < <(awk '
        $1 == "collectd" && $2 == "total" { if (!begin) begin = $3; end = $3 }
        END { print int(begin) + 1, int(end) }' "$work/energy")
    if ((end - begin <= 40)); then
        grid=SECOND:1:SECOND:5:SECOND:5:0:%H:%M:%S
    elif ((end - begin <= 180)); then
        grid=SECOND:5:SECOND:20:SECOND:20:0:%H:%M:%S
    else
        grid=
    fi
    (
        cd "$work/rrd/demo" || exit
        rrdtool graph "$work/demo.png" --start "$begin" --end "$end" \
            --title "CPU power: $name" --vertical-label watts \
            --full-size-mode --width 1000 --height $((310 + 18 * (lines + 1))) \
            --lower-limit 0 --alt-autoscale-max --units-exponent 0 --border 0 \
            --disable-rrdtool-tag --graph-render-mode mono \
            --right-axis 1:0 --right-axis-format %.0lf \
            ${grid:+--x-grid "$grid"} \
            --font 'DEFAULT:10:DejaVu Sans Mono' --font 'TITLE:13:DejaVu Sans' \
            --color BACK#ffffff --color CANVAS#ffffff --color ARROW#ffffff --color AXIS#666666 \
            --color FONT#222222 --color GRID#eeeeee --color MGRID#d8d8d8 --color FRAME#ffffff \
            "COMMENT:$(printf '%-26s  %9s  %10s' '' average maximum)\\l" "${arguments[@]}"
    ) >"$work/draw.log" 2>&1 || fail "rrdtool cannot draw: $(tail -n 1 "$work/draw.log")"
    cp "$work/demo.png" "$picture" || fail "cannot write $PWD/$picture"
    say "The picture of what collectd stored: $PWD/$picture"
}
