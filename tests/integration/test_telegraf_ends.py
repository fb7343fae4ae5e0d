# SPDX-License-Identifier: MIT
"""What the real Telegraf still receives from a rapl-execd that ends: the last report, and the
reason. Telegraf closes its pipes once the program has ended, whatever they contain."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import daemons  # noqa: E402
import tap  # noqa: E402
import test_telegraf  # noqa: E402
from test_telegraf import TelegrafTest, execd_input, setUpModule  # noqa: E402, F401

RELOADS = 8
EXITS = 25
HOWS = {"STDIN": [], "none": ["--interval=30s"]}


class Reload(TelegrafTest):
    """Prompts are far apart, so that the energy between two of them matters."""

    @classmethod
    def prepare(cls):
        cls.machine = cls.stage.simulate("server")
        inputs = "".join(
            execd_input(cls.machine, "--tag=how=" + how, *options, how=how, interval="30s")
            for how, options in HOWS.items())
        cls.one = cls.start("reloaded", inputs)
        cls.ends_ns = []
        for number in range(RELOADS):
            cls.one.wait_until(
                lambda: len(cls.one.lines(r"I! \[inputs\.execd\] source powercap")) ==
                len(HOWS) * (number + 1), "both programs")  # noqa: B023
            time.sleep(0.3)
            cls.ends_ns.append(time.time_ns())
            if number < RELOADS - 1:
                os.kill(cls.one.pid, signal.SIGHUP)
        cls.status = cls.one.stop()

    def check_last_reports(self, how):
        """One last report by each program that was ended, made after the request to end, with all
        its energy."""
        points = self.one.points(how=how, domain="package", package_id="0")
        for begin_ns, end_ns in zip(self.ends_ns, [*self.ends_ns[1:], time.time_ns()]):
            last = [point for point in points if begin_ns <= point.timestamp <= end_ns]
            self.assertTrue(last, "no report after %d among %s" % (begin_ns, points))
            energy = min(last, key=lambda point: point.timestamp).fields["energy_joules"]
            # For at least 0.3 s it drew the machine's power.
            watts = self.machine.between(begin_ns - 3 * 10**8, begin_ns)["package-0"][1]
            self.assertGreater(energy, 0.28 * watts)

    def test_prompted(self):
        self.check_last_reports("STDIN")

    def test_by_its_own_clock(self):
        self.check_last_reports("none")

    def test_nothing_is_logged_where_all_is_well(self):
        self.assertEqual(test_telegraf.errors_of(self.one), [])
        self.assertEqual(self.status, 0)


class Reasons(TelegrafTest):
    """A program that cannot start is restarted repeatedly; the log has its reason each time."""

    def check_reasons(self, one, count):
        one.wait_until(lambda: len(one.lines("Process .* exited")) >= count, "the exits")
        self.assertEqual(one.stop(), 0)
        exits = len(one.lines("Process .* exited: exit status 2"))
        reasons = len(one.lines(r" E! \[inputs\.execd\] .*nonsense"))
        self.assertGreaterEqual(exits, count)
        self.assertGreaterEqual(reasons, exits)

    def test_a_wrong_option(self):
        machine = self.stage.simulate("laptop")
        self.check_reasons(self.start("wrong", execd_input(machine, "--nonsense",
                                                           restart_delay="10ms")), EXITS)

    def test_stop_on_error(self):
        machine = self.stage.simulate("laptop")
        inputs = 10 * execd_input(machine, "--nonsense", stop_on_error=True)
        one = self.start("stopped", inputs)
        one.wait_until(lambda: len(one.lines("Process quit with message")) == 10, "the exits")
        self.assertEqual(one.stop(), 0)
        self.assertEqual(10, len(one.lines(r" E! \[inputs\.execd\] .*nonsense")))


if __name__ == "__main__":
    tap.main()
