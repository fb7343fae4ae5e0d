# SPDX-License-Identifier: MIT
"""Long runs of rapl-execd itself: prompts in bursts, and under valgrind."""
import os
import select
import shutil
import signal
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]

import extent
import machines
import tap
from execd import Execd, parse_reports
from usage import resident_kib

PROMPTS = 200000 if extent.LONG else 40000
BURST = 250  # their answers fit into a pipe of 64 KiB
HANGS_SECONDS = 30
VALGRIND = shutil.which("valgrind")
VALGRIND_PROMPTS = 400
# A build that valgrind can run: it does not know the system calls of the sandbox.
VALGRIND_PROGRAM = os.path.join(os.environ.get("RAPL_VALGRIND_BUILD", ""), "plugins", "telegraf",
                                "rapl-execd")


def count_descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


class Soak(unittest.TestCase):
    def setUp(self):
        self.machine = machines.Powercap()
        self.addCleanup(self.machine.close)

    def start(self, *options, **more):
        execd = Execd("--health=yes", *options, root=self.machine.root, **more)
        self.addCleanup(execd.kill)
        return execd

    def move(self, uj):
        for zone in self.machine.ZONES:
            self.machine.tree.set_energy(zone, self.machine.tree.energy_uj(zone) + uj)

    def read_bytes(self, execd):
        self.assertTrue(select.select([execd.stdout], [], [], HANGS_SECONDS)[0], "no report")
        return os.read(execd.stdout.fileno(), 1 << 20)

    def test_prompts_in_bursts(self):
        """One prompt is one byte, sent before the answer to the last one is read."""
        execd = self.start()
        moved = 0
        execd.ask(HANGS_SECONDS)
        early, began = None, time.monotonic()
        answered = 0
        while answered < PROMPTS:
            if early is None and answered > PROMPTS // 10:
                early = resident_kib(execd.pid), count_descriptors(execd.pid)
            self.move(1000)
            moved += 1000
            text = b""
            for _ in range(BURST):
                execd.prompt()
                text += os.read(execd.stdout.fileno(), 1 << 20)
            answered += text.count(b"rapl_health,")
            told = b"domain=package,package_id=0 energy_joules=%d.%06d" % divmod(moved, 10**6)
            self.assertEqual(text.count(told), text.count(b"rapl_health,"))
        self.assertEqual(len(parse_reports(text.decode())), BURST)
        late = resident_kib(execd.pid), count_descriptors(execd.pid)
        print("# %d prompts in %.0f s: %d KiB resident and %d descriptors, after a tenth %d and %d"
              % (answered, time.monotonic() - began, *late, *early), flush=True)
        self.assertEqual(late[1], early[1])
        self.assertLessEqual(late[0], early[0] + 32)
        self.assertEqual(execd.stop(HANGS_SECONDS), 0)
        self.assertEqual(execd.messages(), [])

    def test_signals_in_bursts(self):
        """However many signals arrive before an answer, there is one report, and none follows
        later."""
        execd = self.start()
        execd.ask(HANGS_SECONDS)
        before = resident_kib(execd.pid), count_descriptors(execd.pid)
        for _ in range(PROMPTS // BURST):
            for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR2):
                execd.signal(number)
            execd.prompt(b"\n" * BURST)
            self.read_bytes(execd)
        while select.select([execd.stdout], [], [], 0.2)[0]:
            os.read(execd.stdout.fileno(), 1 << 20)
        self.assertLessEqual(resident_kib(execd.pid), before[0] + 128)
        self.assertEqual(count_descriptors(execd.pid), before[1])
        self.assertEqual(execd.stop(HANGS_SECONDS), 0)

    @unittest.skipUnless(VALGRIND and os.path.exists(VALGRIND_PROGRAM), "no valgrind, or no build")
    def test_under_valgrind(self):
        """Failing counters, zones that go and return, several hundred prompts: no uninitialized
        byte is read, and no memory leaks."""
        execd = self.start("--tag=rack=4", program=VALGRIND_PROGRAM, before=[
            VALGRIND, "--quiet", "--error-exitcode=9", "--leak-check=full",
            "--show-leak-kinds=all", "--errors-for-leak-kinds=all", "--track-fds=no",
            "--log-file=" + os.path.join(self.machine.root, "valgrind")])
        answered = execd.read_report(0) is not None
        for number in range(VALGRIND_PROMPTS):
            step = number % 8
            if step in (2, 5):
                zone = self.machine.GOES
                self.machine.tree.remove(zone) if step == 2 else \
                    self.machine.tree.add(zone, "dram", 10**9 + number)
                machines.put(self.machine.root, os.path.join(machines.CPUS, "online"),
                             "0" if step == 2 else "0-1")
            if step in (3, 4):
                self.machine.tree.write("intel-rapl:0", "energy_uj",
                                        "junk\n" if step == 3 else "%d\n" % (10**9 + number))
            answered += execd.ask(HANGS_SECONDS) is not None
        status = execd.stop(HANGS_SECONDS)
        with open(os.path.join(self.machine.root, "valgrind"), encoding="utf-8") as file:
            complaints = [line for line in file.read().splitlines()
                          if "WARNING: unhandled amd64-linux syscall" not in line]
        self.assertEqual(status, 0, complaints)
        self.assertEqual(answered, VALGRIND_PROMPTS)


if __name__ == "__main__":
    tap.LONGEST_SECONDS = 600  # for 200,000 prompts on a busy machine
    tap.main()
