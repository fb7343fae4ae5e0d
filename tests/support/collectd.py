# SPDX-License-Identifier: MIT
"""Common parts of the tests of rapl.so in the real collectd."""
import os
import re

import daemons


def missing_collectd():
    if not os.path.exists(daemons.COLLECTD_PLUGIN):
        return "rapl.so is not built"
    return daemons.missing_programs(collectd="collectd-core") or daemons.missing_simulator()


def block(*lines):
    return "<Plugin rapl>\n  %s\n</Plugin>" % "\n  ".join(lines)


def root_of(machine):
    return 'Root "%s"' % machine.root


def names_of(machine, kinds=("power", "energy")):
    """The names of the machine's values in collectd."""
    return sorted("rapl%s/%s-%s" % (parent and "-" + parent, kind, domain)
                  for parent, domain in daemons.identities(machine) for kind in kinds)


def warnings(collectd):
    """The warnings and errors in its log, except that a read was late, which happens under load."""
    late = r"Not sleeping because the next interval|above its read interval"
    return [line for line in collectd.lines(r"\[(warning|error)\]") if not re.search(late, line)]


def complaints(collectd):
    """The messages of the plugin, without the time."""
    lines = [re.sub(r"^\[[^]]*\] ", "", line) for line in collectd.lines("rapl plugin: ")]
    usual = "rapl plugin: ((no )?source |version )"
    return [line for line in lines if not re.search(usual, line)]


def check_quiet(case, samples):
    """Checks rapl/derive-sweeps, report by report: at first the plugin reads often to find out how
    often counters move, and then once per report."""
    case.assertEqual(samples[0], 2)  # one at the start
    case.assertGreater(samples[1], 2 + 8)
    case.assertEqual(samples[1:], list(range(int(samples[1]), int(samples[-1]) + 1)))
