# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Part of contrib/demo: what to do to have this on a machine, in the words of README.md.

# list_commands FROM TO: the indented commands between two lines of README.md that match.
list_commands() {
    sed -n -E "/$1/,/$2/ { /$2/d; s/^ {4,}((sudo|cmake|rapl-execd) .*)/    \1/p }" README.md
}

show_snippet() {
    sed -e '/^[[:space:]]*#/d' -e '/^[[:space:]]*$/d' -e 's/^/    /' "configs/$1/rapl.conf"
}

show_next() {
    cat <<END

To have this on a machine:

$(list_commands '^## Install' '^gives ')

for collectd, in /etc/collectd/collectd.conf.d/rapl.conf:

$(show_snippet collectd)

    sudo apt-get install --no-install-recommends collectd
    sudo systemctl enable collectd.service
    sudo systemctl restart collectd.service
    journalctl -u collectd.service | grep "rapl plugin"

for Telegraf, which may read the counters in group rapl, in /etc/telegraf/telegraf.d/rapl.conf:

$(show_snippet telegraf)

$(list_commands '^\* \*\*Group' '^\* \*\*A capability')
    sudo -u telegraf -g rapl rapl-execd --once

The last line of each shows that it works. Why these rights, and what else can be done: README.md, Privileges.
END
}
