# SPDX-License-Identifier: MIT
"""The three sources side by side on two sockets: each domain, a wrap, hotplug."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402
import sources  # noqa: E402

MACHINE = guest.Machine()

DOMAINS = {
    "powercap": ("package", "core", "uncore", "dram"),
    "perf": ("package", "core", "dram"),  # what the driver shows of Skylake-X
    "msr": ("package", "core", "dram"),
}


class TwoSockets(sources.TwoPackages):
    SERIES = {source: {"domain=%s,package_id=%d" % (domain, package)
                       for domain in domains for package in (0, 1)}
              for source, domains in DOMAINS.items()}
    SERIES["powercap"] |= {"domain=psys", "domain=psys,package_id=1"}
    PERF_DRAM = sources.PERF_DRAM

    def test_the_cpu_that_is_read_goes_and_returns(self):
        """Another CPU of the package takes over; what was used meanwhile is not lost."""
        self.addCleanup(kernel.set_online, True, 2)
        with self.start(sources=("perf", "msr")) as programs:
            watches = {source: kernel.Watch(program) for source, program in programs.items()}
            for online in (False, True):
                for watch in watches.values():
                    watch.ask_for(1, every=0.2)
                kernel.set_online(online, 2)
            for watch in watches.values():
                watch.ask_for(2, every=0.2)
            for source, watch in watches.items():
                lacking = [report for report in watch.reports() if sources.PACKAGE % 1 not in report]
                # The kernel stops a perf event while it moves to the other CPU, and what was used
                # meanwhile is in no count: that interval is left out.
                self.assertLessEqual(len(lacking), 2 if source == "perf" else 0, source)
                watts = self.true_watts(source, watch.reports()[0])
                watch.check_energy(sources.PACKAGE % 0, watts[sources.PACKAGE % 0])
                if not lacking:
                    watch.check_energy(sources.PACKAGE % 1, watts[sources.PACKAGE % 1])
                for identity, true in watts.items():
                    for report in watch.reports():
                        power = report.power(identity) if identity in report else None
                        if power is not None:
                            self.assertLess(power, 1.5 * true, (source, identity))
                self.assertEqual([], programs[source].messages())


class Choice(unittest.TestCase):
    """--source auto takes the first that reads."""

    def check(self, said, series):
        with execd.Execd() as program:
            report = program.ask()
            self.assertRegex(program.source_message(), said)
            self.assertEqual([], program.messages())
            self.assertIn(series, report)
        checked = execd.run("--check")
        self.assertEqual(0, checked.status)
        return checked.text

    def test_powercap_first(self):
        text = self.check("^I! source powercap$", "domain=psys")
        self.assertRegex(text, "(?m)^source   powercap, below /$")

    def test_then_perf(self):
        kernel.unload("intel_rapl_msr")
        self.addCleanup(kernel.load, "intel_rapl_msr")
        text = self.check("^I! source perf; powercap: /sys/class/powercap holds no RAPL zone$",
                          sources.PACKAGE % 1)
        self.assertRegex(text, "(?m)^source   perf, below /$")
        self.assertIn("powercap: /sys/class/powercap holds no RAPL zone", text)

    def test_then_msr(self):
        kernel.unload("intel_rapl_msr", "rapl")
        self.addCleanup(kernel.load, "rapl")
        self.addCleanup(kernel.load, "intel_rapl_msr")
        self.check("^I! source msr; powercap: .* holds no RAPL zone; perf: .*power", sources.PACKAGE % 1)

    def test_named_source_that_cannot_work_says_why(self):
        kernel.unload("rapl", "msr")
        self.addCleanup(kernel.load, "rapl")
        self.addCleanup(kernel.load, "msr")
        for source, remedy in (("perf", "modprobe rapl"), ("msr", "modprobe msr")):
            ended = execd.run("--check", "--source=" + source)
            self.assertEqual(1, ended.status)
            self.assertRegex(ended.text, "to mend it: .*" + remedy)


if __name__ == "__main__":
    guest.main(MACHINE)
