# SPDX-License-Identifier: MIT
"""Starts rapl-sim, a simulated machine with known true energy."""
import collections
import os
import select
import shutil
import signal
import subprocess
import tempfile
import unittest

from execd import BUILD, PATIENCE_SECONDS, Execd

PROGRAM = os.path.join(BUILD, "contrib", "simulator", "rapl-sim")

Truth = collections.namedtuple("Truth", "began_ns now_ns watts joules")


def parse_truth(text):
    """Watts, and joules since the start, by series name."""
    stamps, watts, joules = {}, {}, {}
    for words in map(str.split, text.splitlines()):
        if words[0].endswith("_ns"):
            stamps[words[0]] = int(words[1])
        else:
            watts[words[-3]], joules[words[-3]] = float(words[-2]), float(words[-1])
    return Truth(stamps["began_ns"], stamps["now_ns"], watts, joules)


class Machine:
    """rapl-sim on FUSE, at .root; ends with its with block."""

    def __init__(self, *options):
        self.root = tempfile.mkdtemp(prefix="rapl-sim-")
        self.process = subprocess.Popen([PROGRAM, "--leash", *options, self.root],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        ready = select.select([self.process.stdout], [], [], PATIENCE_SECONDS)[0]
        if not ready or b"served at" not in self.process.stdout.readline():
            self.stop()
            raise AssertionError("rapl-sim does not serve: %s" % self.errors)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.errors = self.process.communicate()[1].decode()
        if os.path.ismount(self.root):
            subprocess.run(["umount", "-l", self.root], check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def control(self, command):
        with open(os.path.join(self.root, "control"), "w", encoding="ascii") as file:
            file.write(command + "\n")

    def truth(self):
        with open(os.path.join(self.root, "truth"), encoding="ascii") as file:
            return parse_truth(file.read())


def why_not():
    """Returns why no simulated machine is possible here, or None."""
    if not os.path.exists(PROGRAM):
        return "rapl-sim is not built"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse cannot be opened"
    try:
        Machine().stop()
    except AssertionError as error:
        return str(error)
    return None


REASON = why_not()
needed = unittest.skipIf(REASON is not None, REASON or "")


class Simulated(unittest.TestCase):
    """Ends machines and programs with the test."""

    def simulate(self, name="server", *options):
        machine = Machine("--machine", name, *options)
        self.addCleanup(machine.stop)
        return machine

    def start(self, machine, *options, **more):
        program = Execd("--health=yes", *options, root=machine.root, **more)
        self.addCleanup(program.kill)
        return program
