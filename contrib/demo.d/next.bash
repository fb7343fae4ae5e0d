# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Part of contrib/demo: the commands that install this on a machine, taken from the pages.

# list_commands PAGE FROM TO: prints the indented commands between two matching lines of the page.
list_commands() {
    sed -n -E "/$2/,/$3/ { /$3/d; s/^ {4,}((sudo|cmake|rapl-execd) .*)/    \1/p }" "docs/$1"
}

show_snippet() {
    sed -e '/^[[:space:]]*#/d' -e '/^[[:space:]]*$/d' -e 's/^/    /' "configs/$1/rapl.conf"
}

show_next() {
    cat <<END

To have this on a machine:

$(list_commands install.md '^# Build' '^This installs ')

for collectd, in /etc/collectd/collectd.conf.d/rapl.conf:

$(show_snippet collectd)

    sudo apt-get install --no-install-recommends collectd
    sudo systemctl enable collectd.service
    sudo systemctl restart collectd.service
    journalctl -u collectd.service | grep "rapl plugin"

for Telegraf, which may read the counters in group rapl, in /etc/telegraf/telegraf.d/rapl.conf:

$(show_snippet telegraf)

$(list_commands permissions.md '^## Group' '^## File capability')
    sudo -u telegraf -g rapl rapl-execd --once

The last line of each shows that it works. Why these rights, and other ways: docs/permissions.md.
END
}
