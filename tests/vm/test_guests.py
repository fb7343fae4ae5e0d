# SPDX-License-Identifier: MIT
"""tests/vm/guests.py and single modules report correctly about the tests in their guests. Runs on
this machine, with guests that load no driver."""
import os
import re
import signal
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SUPPORT = os.path.join(HERE, "..", "support")
sys.path.insert(0, SUPPORT)
import boots  # noqa: E402
import tap  # noqa: E402

tap.LONGEST_SECONDS = 2 * boots.SECONDS
seconds = 900

GUESTS = os.path.join(HERE, "guests.py")

MODULE = """
import os, subprocess, sys, time, unittest
sys.path.insert(0, %(support)r)
import guest, tap

%(machine)s

class Three(unittest.TestCase):
    def test_a(self):
        with open("/proc/sys/kernel/random/boot_id") as file:
            print("# boot", file.read(), end="")
    def test_b(self):
        %(body)s
    def test_c(self):
        pass

if __name__ == "__main__":
    %(main)s
"""

BODIES = {
    "well": "pass",
    "prepared": "self.assertEqual('there', os.environ['IS'])",
    "fails": "self.fail('as planned')",
    "silent": "os._exit(0)",
    "hums": "print('1..x'); os._exit(1)",
    "ends": "print('ends without a newline', end='', flush=True); os._exit(7)",
    # As the kernel prints a WARN(), including its level.
    "warns": "open('/dev/kmsg', 'w').write('<4>WARNING: CPU: 0 PID: 1 at kernel/x.c')",
    "panics": "open('/proc/sysrq-trigger', 'w').write('c')",
    "hangs": "time.sleep(1000)",
    "two": "self.assertEqual(2, os.cpu_count())",
    "waits": "pass",
    "here": "self.assertNotIn('RAPL_IN_GUEST', os.environ)",
    # No further script reaches the guest; its server then ends without a status that the host sees.
    "hides": "subprocess.run(['mount', '-t', 'tmpfs', 'none', '/run/out'], check=True)",
    # A process left behind keeps the module's output open.
    "hangs_here": "subprocess.Popen(['sleep', '1000']); time.sleep(1000)",
    "late": "self.assertEqual('there', os.environ['IS'])",
    "late_here": "self.assertTrue(os.path.exists(__file__ + '.prepared'))",
}

# On a machine with four times the load, the guest boots and runs its first test in a third of this.
HANG_SECONDS = 60

# These modules take longer to prepare than a guest waits for a module, and than a module may run.
PATIENCE = {"late": 1, "hides": 2}
PREPARE = {
    "hangs_here": "\nseconds = %d" % HANG_SECONDS,
    "prepared": "\nprepare = lambda: {'IS': 'there'}",
    "waits": "\nprepare = lambda: time.sleep(1000)",
    "late": "\nprepare = lambda: time.sleep(15) or {'IS': 'there'}",
    "late_here": "\nseconds = 15\ndef prepare():\n    time.sleep(15)\n"
                 "    open(__file__ + '.prepared', 'w').close()\n    return {}",
}

THREE = ["ok Three.test_a", "ok Three.test_b", "ok Three.test_c"]
EARLY = "not ok: it ended after 1 of its tests, with status %d"
COMPLAINED = "not ok: the guest's kernel complained"

LINES = {
    **dict.fromkeys(("well", "prepared", "two", "here", "late", "late_here"), THREE),
    "fails": [THREE[0], "not ok Three.test_b", THREE[2]],
    "silent": [THREE[0], EARLY % 0],
    "hums": [THREE[0], "1..x", EARLY % 1],
    "ends": [THREE[0], "ends without a newline", EARLY % 7],
    "warns": [*THREE, COMPLAINED],
    "panics": [THREE[0], EARLY % 125, COMPLAINED],
    "hides": [*THREE, "not ok: its guest ended with status 125"],
    "hangs": [THREE[0], EARLY % 143],
    "hangs_here": [THREE[0], "not ok Three.test_b"],
}


class Modules(boots.BootTest):
    def module(self, name):
        """The path of a module with three tests, the second of which does this."""
        seconds = HANG_SECONDS if name == "hangs" else boots.SECONDS
        machine = "MACHINE = guest.Machine(smp='%d', load='', seconds=%d, patience=%d)" % (
            1 + (name == "two"), seconds, PATIENCE.get(name, 120))
        here = name.endswith("here")
        return self.write(name + ".py", MODULE % {
            "support": SUPPORT, "body": BODIES[name],
            "machine": ("" if here else machine) + PREPARE.get(name, ""),
            "main": "tap.main()" if here else "guest.main(MACHINE)"})

    @staticmethod
    def by_module(text):
        """The lines of each module, without numbers and its own name; each module's lines are
        contiguous."""
        lines, last, numbers = {}, None, []
        for line in text.splitlines():
            match = re.fullmatch(r"((?:not )?ok) (\d+) - (\w+)(.*)", line)
            if match:
                numbers.append(int(match[2]))
                if match[3] != last and match[3] in lines:
                    raise AssertionError("lines of %s are at two places:\n%s" % (match[3], text))
                last = match[3]
                lines.setdefault(last, []).append(match[1] + match[4])
            elif not line.startswith("#") and line != "1..%d" % len(numbers):
                lines[last].append(line)
        if numbers != list(range(1, len(numbers) + 1)) or \
                text.splitlines()[-1] != "1..%d" % len(numbers):
            raise AssertionError(text)
        return lines

    def test_each_module_says_what_went_wrong(self):
        names = [name for name in LINES if not name.startswith("late")]
        ended = boots.run([sys.executable, GUESTS, *map(self.module, names)])
        self.assertEqual((1, ""), (ended.status, ended.errors), ended)
        found = self.by_module(ended.text)
        for name in names:
            with self.subTest(name):
                self.assertEqual(LINES[name], found[name], ended.text)
        self.assertEqual(set(names), set(found))
        self.assertIn("# [", ended.text)  # the kernel's messages
        self.assertIn("# given up after %d s" % HANG_SECONDS, ended.text)
        # Some have shared a guest: there are two at first, and one after each module that failed
        # (except the two with a machine of their own); then those two machines, one more, and this
        # one.
        booted = set(re.findall("# boot (.*)", ended.text))
        failed = sum(LINES[name] != THREE for name in names) - 2
        self.assertLessEqual(len(booted), 2 + failed + 2 + 1)
        # No other module has run in the same guest after one that failed.
        last = {}
        for boot, name in re.findall(r"# boot (.*)\nok \d+ - (\w+)", ended.text):
            last.setdefault(boot, []).append(name)
        for shared in last.values():
            self.assertFalse([name for name in shared[:-1] if LINES[name] != THREE and
                              not name.endswith("here")], last)

    def test_all_went_well(self):
        ended = boots.run([sys.executable, GUESTS, *map(self.module, ("well", "here"))])
        self.assertEqual((0, ""), (ended.status, ended.errors), ended)
        self.assertEqual({"well": THREE, "here": THREE}, self.by_module(ended.text))

    def test_what_takes_long_to_prepare(self):
        names = "late_here", "late", "well"
        ended = boots.run([sys.executable, GUESTS, *map(self.module, names)])
        self.assertEqual((0, ""), (ended.status, ended.errors), ended)
        self.assertEqual(dict.fromkeys(names, THREE), self.by_module(ended.text))

    def test_a_module_by_itself(self):
        well, fails = boots.two_at_a_time(boots.run, [
            [[sys.executable, self.module("well")]], [[sys.executable, self.module("fails"), "_b"]]])
        self.assertEqual((0, {"well": THREE}), (well.status, self.by_module(well.text)), well)
        self.assertEqual((1, {"fails": LINES["fails"][1:2]}),
                         (fails.status, self.by_module(fails.text)), fails)

    def test_a_module_that_is_not_there(self):
        ended = subprocess.run([sys.executable, GUESTS, self.path("none.py")], check=False,
                               capture_output=True)
        self.assertNotEqual(0, ended.returncode)
        self.assertNotIn(b"1..", ended.stdout)

    def test_what_is_ended_takes_its_guests_along(self):
        hangs, well, two, waits = map(self.module, ("hangs", "well", "two", "waits"))
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # they left it ignored
        one, both = boots.two_at_a_time(self.end, [
            ["one", [sys.executable, hangs], signal.SIGTERM],
            ["two", [sys.executable, GUESTS, hangs, well, two, waits], signal.SIGHUP, 2]])
        self.assertEqual((128 + signal.SIGTERM, [], b""), one)
        self.assertEqual((128 + signal.SIGHUP, [], b""), both)


if __name__ == "__main__":
    tap.main()
