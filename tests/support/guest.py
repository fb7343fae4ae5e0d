# SPDX-License-Identifier: MIT
"""Test modules that run in a guest of tests/vm, one guest per module.

    MACHINE = guest.Machine(cpu="EPYC")
    if __name__ == "__main__":
        guest.main(MACHINE)

Started on this machine, such a module boots the guest, in which it is started again; there its
tests run, and their TAP appears here.
"""
import os
import subprocess
import sys
import tempfile
import threading

import tap

HERE = os.path.dirname(os.path.abspath(__file__))
BOOT = os.path.join(HERE, "..", "vm", "boot")
MARK = "RAPL_IN_GUEST"

# A guest on a machine that is busy with others takes several times as long.
PATIENCE_SECONDS = 30

# What the kernel says when something in it went wrong.
COMPLAINTS = ("BUG:", "WARNING: CPU", "Oops", "Call Trace", "general protection fault",
              "blocked for more than", "soft lockup")


class Machine:
    """A guest: see tests/vm/boot --help."""

    def __init__(self, cpu="Skylake-Server", smp="4,sockets=2,cores=2,threads=1",
                 load="rapl_registers,msr,intel_rapl_msr,rapl", settings=(), seconds=300):
        self.options = ["--cpu", cpu, "--smp", smp, "--load", load, "--seconds", str(seconds)]
        for setting in settings:
            self.options += ["--set", setting]

    def command(self, program, out, environment=()):
        """The command that runs the program in it."""
        options = [*self.options, "--out", out]
        for name, value in dict(environment).items():
            options += ["--env", "%s=%s" % (name, value)]
        return [BOOT, *options, *program]


class Relay:
    """Prints what comes out of the guest, and remembers whether it was whole."""

    def __init__(self):
        self.count = 0
        self.planned = None

    def run(self, stream):
        for line in stream:
            line = line.rstrip("\r\n")
            if line.startswith("1.."):
                self.planned = int(line[3:])
                continue
            if line.startswith(("ok ", "not ok ")):
                self.count += 1
            self.say(line)

    def fail(self, name, why):
        self.count += 1
        self.say("not ok %d - %s: %s" % (self.count, name, why))

    @staticmethod
    def say(line):
        print(line, flush=True)


def complaints(log_path):
    """What the guest's kernel said that it must not say."""
    try:
        with open(log_path, encoding="utf-8", errors="replace") as log:
            return [line.strip() for line in log if any(word in line for word in COMPLAINTS)]
    except FileNotFoundError:
        return ["there is no console.log"]


def boot(machine, path, words):
    """Runs the module at path in a guest; the number of failures it did not tell of itself."""
    name = os.path.splitext(os.path.basename(path))[0]
    passed_on = {key: os.environ[key] for key in ("RAPL_BUILD", "RAPL_SLOW", "CI")
                 if key in os.environ}
    environment = {MARK: "1", "PYTHONDONTWRITEBYTECODE": "1",
                   "RAPL_PATIENCE_SECONDS": PATIENCE_SECONDS, **passed_on}
    relay = Relay()
    with tempfile.TemporaryDirectory(prefix="rapl-vm-") as out:
        process = subprocess.Popen(
            machine.command([sys.executable, path, *words], out, environment),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
        reader = threading.Thread(target=relay.run, args=(process.stdout,))
        reader.start()
        status = process.wait()
        reader.join()
        if relay.planned != relay.count:
            relay.fail(name, "the guest ended after %d of its tests, with status %d" %
                       (relay.count, status))
        elif status > 1:
            relay.fail(name, "the guest ended with status %d" % status)
        said = complaints(os.path.join(out, "console.log"))
        if said:
            for line in said:
                relay.say("# " + line)
            relay.fail(name, "the guest's kernel complained")
            status = 1
    relay.say("1..%d" % relay.count)
    return status


def main(machine):
    if MARK in os.environ:
        tap.main()
    sys.exit(boot(machine, os.path.abspath(sys.argv[0]), sys.argv[1:]))
