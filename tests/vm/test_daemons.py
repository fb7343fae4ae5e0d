# SPDX-License-Identifier: MIT
"""The real collectd with rapl.so beside rapl-execd with its own interval, on two sockets."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import daemons  # noqa: E402
import execd  # noqa: E402
import extent  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402
from collectd import complaints, warnings  # noqa: E402

MACHINE = guest.Machine(seconds=600 if extent.LONG else 300)

INTERVAL_SECONDS = 2
RUN_SECONDS = 60 if extent.LONG else 20
LEAST = RUN_SECONDS // INTERVAL_SECONDS - 2

daemons.DOMAINS["guest"] = {
    "package-0": "package core uncore dram", "package-1": "package core uncore dram",
    "psys": "psys", "psys-1": "psys", "": "total"}


class Guest:
    """The power it draws, in the form of daemons.Machine."""
    machine = "guest"

    def __init__(self):
        self.watts = {}
        for (parent, domain), name in daemons.identities("guest").items():
            if domain != "total":
                number = parent.partition("-")[2] or 0
                self.watts[name] = kernel.truth_watts({"domain": domain, "package_id": number})
        self.watts["total"] = sum(self.watts[name] for name in (
            "package-0", "package-0/dram", "package-1", "package-1/dram"))

    def between(self, from_ns, to_ns):
        seconds = (to_ns - from_ns) / 1e9
        return {name: (watts * seconds, watts) for name, watts in self.watts.items()}


class Daemons(daemons.StageTest):
    @classmethod
    def missing(cls):
        if not os.path.exists(daemons.COLLECTD_PLUGIN):
            return "rapl.so is not built"
        return daemons.missing_programs(collectd="collectd-core")

    @classmethod
    def prepare(cls):
        cls.guest = Guest()
        cls.collectd = cls.stage.collectd(
            "guest", load="<LoadPlugin rapl>\nInterval %d\n</LoadPlugin>" % INTERVAL_SECONDS)
        with open(os.path.join(cls.stage.path("execd"), "out"), "w+b") as out, \
                execd.Execd("--interval=%ds" % INTERVAL_SECONDS, stdout=out) as program:
            time.sleep(RUN_SECONDS)
            cls.collectd.wait_rows("rapl/power-total", LEAST)
            cls.statuses = cls.collectd.stop(), program.terminate()
            cls.messages = program.messages()
            out.seek(0)
            cls.reports = execd.parse_reports(out.read().decode())
        cls.rows = cls.collectd.rows()

    def test_names_of_collectd(self):
        self.assertEqual(sorted(
            "rapl%s/%s-%s" % (parent, kind, domain)
            for parent, domains in (("-package-0", "package core uncore dram"),
                                    ("-package-1", "package core uncore dram"),
                                    ("-psys", "psys"), ("-psys-1", "psys"), ("", "total"))
            for domain in domains.split() for kind in ("power", "energy")), sorted(self.rows))

    def test_what_collectd_stores_is_true(self):
        self.check_truth(self.guest, daemons.series_of_collectd(self.rows), LEAST)

    def test_what_execd_prints_is_true(self):
        lines = [line for report in self.reports for line in report.lines]
        self.check_truth(self.guest, daemons.series_of_points(lines), LEAST)

    def test_no_report_lacks_a_zone(self):
        for name, values in self.rows.items():
            with self.subTest(name):
                times = [ns for ns, _ in self.rows["rapl/energy-total"]]
                # collectd's first read has only energy, unless it comes 50 ms after init.
                if "/power-" in name and values[0][0] != times[0]:
                    times = times[1:]
                self.assertEqual(times, [ns for ns, _ in values])
        self.assertEqual({11}, {len(report) for report in self.reports})

    def test_nothing_is_complained_of(self):
        self.assertEqual([], complaints(self.collectd))
        self.assertEqual([], warnings(self.collectd))
        self.assertEqual([], self.messages)

    def test_both_end_with_status_0(self):
        self.assertEqual((0, 0), self.statuses)


if __name__ == "__main__":
    guest.main(MACHINE)
