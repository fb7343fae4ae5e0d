# SPDX-License-Identifier: MIT
"""Every system call of rapl-execd from main() on fails with each of its errors, once and
permanently (injected by strace), with each source that can be read here."""
import collections
import concurrent.futures
import os
import shutil
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "execd")]

import calls
import extent
import machines
import tap
import walk
from test_perf import missing_perf

# A run mostly waits: this many use about one processor.
AT_ONCE = 16
# A problem that the fault causes appears in every try.
TRIES = 3
# Every third fault, unless all are requested.
EACH = 1 if extent.ALL else 3
SOME = os.environ.get("RAPL_FAULTS")  # words in a fault's name, to run some alone


def make_usual(machine_class):
    """The behaviour without a fault: the calls made, and the descriptors held."""
    for tries_left in reversed(range(TRIES)):
        try:
            return run_usual(machine_class)
        except AssertionError:
            if not tries_left:
                raise


def run_usual(machine_class):
    usual = walk.Walk(machine_class())
    try:
        outcome = usual.run()
        made = usual.calls()
        checked = walk.Usual(outcome.descriptors[-1],
                             collections.Counter(call.name for call in made))
        walk.check_told(usual.machine, usual.began, outcome.told)
        wrong = walk.missing_after(usual.machine, outcome)
        if wrong or outcome.status or outcome.unanswered or len(outcome.told) < machines.STEPS:
            raise AssertionError("without a fault: %s, %s" % (wrong, outcome))
        return made, checked
    finally:
        usual.close()


def try_again(machine_class, usual, fault):
    """Problems that also appear in every try when the fault runs alone. On a busy machine more calls
    are made, so each try takes the number of the call from the run before."""
    for _ in range(TRIES):
        wrong, made = try_fault(machine_class, usual, fault)
        if not wrong:
            break
        fault = fault._replace(number=calls.find_number(made, fault))
    return wrong


def try_fault(machine_class, usual, fault):
    """The name of the fault with its problems, or None; and the calls that were made."""
    one = walk.Walk(machine_class(), fault)
    try:
        outcome = one.run()
        made = one.calls()
        wrong = walk.problems_of(one.machine, fault, outcome, usual, one.began)
    finally:
        one.close()
    if wrong:
        wrong = "%s: %s; %s" % (calls.name_fault(fault), "; ".join(wrong), outcome.messages[:4])
    return wrong or None, made


@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
class Injection(unittest.TestCase):
    def check_every_call(self, machine_class, known=()):
        made, usual = make_usual(machine_class)
        faults = calls.list_faults(made, known)
        some = faults[::EACH] if not SOME else [
            fault for fault in faults
            if all(word in calls.name_fault(fault) for word in SOME.split())]
        kinds = calls.kinds(made) - set(known)
        print("# %d calls; of these %d kinds are failed here, of %d system calls: %d of %d faults"
              % (len(made), len(kinds), len({name for name, detail in kinds}), len(some),
                 len(faults)), flush=True)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            suspects = [fault for fault, wrong in zip(some, pool.map(
                lambda fault: try_fault(machine_class, usual, fault)[0], some)) if wrong]
        # If the program had to wait in the middle of a read, it reports the power of another time.
        wrong = list(filter(None, (try_again(machine_class, usual, fault) for fault in suspects)))
        self.assertFalse(wrong, "\n" + "\n".join(wrong))

    @staticmethod
    def known():
        """Calls that all sources have in common; the list of online CPUs is not among them."""
        return {(name, detail) for name, detail in calls.kinds(make_usual(machines.Powercap)[0])
                if "online" not in detail}

    def test_powercap(self):
        self.check_every_call(machines.Powercap)

    def test_own_clock_and_signals(self):
        self.check_every_call(machines.Clocked, self.known())

    def test_msr(self):
        self.check_every_call(machines.Registers, self.known())

    def test_perf(self):
        if missing_perf():
            self.skipTest(missing_perf())
        self.check_every_call(machines.Events, self.known())


if __name__ == "__main__":
    tap.LONGEST_SECONDS = 1200  # for a thousand runs on a busy machine
    tap.main()
