# SPDX-License-Identifier: MIT
"""Test modules that run in a guest of tests/vm, one guest per module.

    MACHINE = guest.Machine(cpu="EPYC")
    if __name__ == "__main__":
        guest.main(MACHINE)

Started on this machine, such a module boots the guest, in which it is started again; there its
tests run, and their TAP appears here.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile

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
        self.failed = 0
        self.planned = None

    def run(self, stream):
        for line in stream:
            line = line.rstrip("\r\n")
            plan = re.fullmatch(r"1\.\.(\d+)", line)
            if plan:
                self.planned = int(plan[1])
                continue
            if line.startswith(("ok ", "not ok ")):
                self.count += 1
                self.failed += line.startswith("not")
            self.say(line)

    def fail(self, name, why):
        self.count += 1
        self.failed += 1
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
    """Runs the module at path in a guest; its exit status: 0 if all went well there."""
    name = os.path.splitext(os.path.basename(path))[0]
    passed_on = {key: os.environ[key] for key in ("RAPL_BUILD", "RAPL_LONG", "RAPL_TELEGRAF", "CI")
                 if key in os.environ}
    environment = {MARK: "1", "PYTHONDONTWRITEBYTECODE": "1",
                   "RAPL_PATIENCE_SECONDS": PATIENCE_SECONDS, **passed_on}
    relay = Relay()
    with tempfile.TemporaryDirectory(prefix="rapl-vm-") as out:
        process = subprocess.Popen(
            machine.command([sys.executable, path, *words], out, environment),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8", errors="replace")
        try:
            relay.run(process.stdout)
            status = process.wait()
        finally:
            process.terminate()
            process.wait()
        said = complaints(os.path.join(out, "console.log"))
    if relay.planned != relay.count:
        relay.fail(name, "the guest ended after %d of its tests, with status %d" %
                   (relay.count, status))
    elif status > 1 or status == 1 and not relay.failed:
        relay.fail(name, "the guest ended with status %d" % status)
    if said:
        for line in said:
            relay.say("# " + line)
        relay.fail(name, "the guest's kernel complained")
    relay.say("1..%d" % relay.count)
    return 1 if relay.failed else 0


def main(machine):
    if MARK in os.environ:
        tap.main()
    # What is under way is unwound, so that the guest ends, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(boot(machine, os.path.abspath(sys.argv[0]), sys.argv[1:]))
