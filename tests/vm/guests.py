#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs test modules: those of equal machines one after the other in one guest, with two guests at a
time. Prints their output as one TAP stream, with the lines of each module together.

    tests/vm/guests.py tests/vm/test_*.py tests/systemd/test_*.py

A module without a MACHINE runs on this machine. Exit status 0: none failed.
"""
import concurrent.futures
import importlib.util
import os
import signal
import sys
import threading
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import guest  # noqa: E402

AT_A_TIME = 2
PAUSE_SECONDS = 0.1


class Module:
    def __init__(self, path):
        self.path = os.path.abspath(path)
        name = os.path.splitext(os.path.basename(path))[0]
        spec = importlib.util.spec_from_file_location(name, self.path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.machine = getattr(module, "MACHINE", None)
        self.seconds = getattr(self.machine or module, "seconds", 300)
        self.prepare = getattr(module, "prepare", None)
        self.prepared = concurrent.futures.Future()
        if self.prepare is None:
            self.prepared.set_result({})

    def order(self):
        """Modules with preparation come first: it can take minutes, while others run."""
        return self.prepare is not None, -self.seconds


class Work:
    """The modules that are left, by machine. Those still being prepared wait here, so that this
    neither uses up their time nor keeps a guest waiting."""

    def __init__(self, modules):
        self.lock = threading.Lock()
        self.queues = {}
        for module in sorted(modules, key=Module.order):
            machine = module.machine
            key = (*machine.options, machine.patience) if machine else module.path
            self.queues.setdefault(key, []).append(module)

    def next_queue(self):
        """Of the queues with a prepared module, the longest; or None."""
        with self.lock:
            ready = [queue for queue in self.queues.values() if self.find(queue)]
            return max(ready, default=None,
                       key=lambda queue: sum(module.seconds for module in queue))

    @staticmethod
    def find(queue):
        return next((module for module in queue if module.prepared.done()), None)

    def take(self, queue):
        """A prepared module, or None."""
        with self.lock:
            module = self.find(queue)
            if module:
                queue.remove(module)
            return module

    def is_left(self):
        with self.lock:
            return any(self.queues.values())


def prepare(modules):
    for module in filter(lambda module: module.prepare, modules):
        try:
            module.prepared.set_result(module.prepare())
        except Exception as failure:  # pylint: disable=broad-except
            module.prepared.set_exception(failure)


def run_lane(work, report):
    while work.is_left() and not guest.stopping.is_set():
        queue = work.next_queue()
        module = queue and work.take(queue)
        if module is None:
            guest.stopping.wait(PAUSE_SECONDS)
        elif module.machine is None:
            outcome = guest.Outcome(module.path)
            module.prepared.result()
            guest.run_here(module.path, outcome, module.seconds)
            report.say(*outcome.lines)
        else:
            run_in_guest(work, queue, module, report)


def run_in_guest(work, queue, module, report):
    """Runs the module, and those after it while its guest works."""
    module.prepared.result()  # before a guest is booted for it
    machine = guest.Guest(module.machine)
    outcome = guest.Outcome(module.path)
    try:
        while machine.run(module.path, [], module.prepared.result(), outcome, module.seconds):
            module = work.take(queue)
            if module is None:
                break
            report.say(*outcome.lines)
            outcome = guest.Outcome(module.path)
    finally:
        machine.close(outcome)
        report.say(*outcome.lines)


def main():
    modules = [Module(path) for path in sys.argv[1:]]
    if not modules:
        sys.exit(__doc__)
    guest.stop_with_all()
    report = guest.Report()
    work = Work(modules)

    def run():
        while not guest.stopping.is_set():
            try:
                return run_lane(work, report)
            except Exception:  # pylint: disable=broad-except
                report.say("not ok - guests.py", *traceback.format_exc().splitlines())

    threading.Thread(target=prepare, args=(modules,), daemon=True).start()
    lanes = [threading.Thread(target=run, daemon=True) for _ in range(AT_A_TIME)]
    for lane in lanes:
        lane.start()
    try:
        for lane in lanes:
            lane.join()
    finally:  # after a signal has ended it, they clean up
        for lane in lanes:
            lane.join()
    report.say("1..%d" % report.count)
    sys.exit(1 if report.failed or not report.count else 0)


if __name__ == "__main__":
    main()
