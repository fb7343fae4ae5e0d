# SPDX-License-Identifier: MIT
"""Test modules that run in guests of tests/vm.

    MACHINE = guest.Machine(cpu="EPYC")
    if __name__ == "__main__":
        guest.main(MACHINE)

A module started on this machine boots the guest and starts itself there again; its tests run in the
guest, and their TAP is printed here. tests/vm/guests.py runs several modules, those with equal
machines one after the other in one guest: each leaves the guest as it was.
"""
import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time

import tap

HERE = os.path.dirname(os.path.abspath(__file__))
BOOT = os.path.join(HERE, "..", "vm", "boot")
MARK = "RAPL_IN_GUEST"

# On a busy machine a guest takes many times as long.
PATIENCE_SECONDS = 60
LONGEST_TEST_SECONDS = 600
LONGEST_GUEST_SECONDS = 7200

# Messages of the kernel about its own errors.
COMPLAINTS = ("BUG:", "WARNING: CPU", "Oops", "Call Trace", "general protection fault",
              "blocked for more than", "soft lockup")

# Runs scripts in the guest, one after the other. Ends at an empty script, or if none arrives within
# the given seconds. After each script it writes a line to the kernel's log, which separates the
# complaints about one module from those about the next.
SERVE = r"""
while :; do
    for ((i = 0; i < 10 * $1; i++)); do
        [[ ! -e /run/out/next ]] || break
        sleep 0.1
    done
    mv /run/out/next /run/out/now 2>/dev/null && [[ -s /run/out/now ]] || exit 0
    bash /run/out/now
    status=$?
    echo '<4>a module has ended' >/dev/kmsg
    printf '\n# ended with status %d\n' $status
done
"""
KERNEL_ENDED = "a module has ended"
ENDED = re.compile(r"# ended with status (\d+)")


class Machine:
    """A guest: see tests/vm/boot --help. seconds: time limit of a module, several times what it
    needs. patience: seconds for which the guest waits for a module."""

    def __init__(self, cpu="Skylake-Server", smp="4,sockets=2,cores=2,threads=1",
                 load="rapl_registers,msr,intel_rapl_msr,rapl", settings=(), seconds=300,
                 patience=120):
        self.options = ["--cpu", cpu, "--smp", smp, "--load", load]
        for setting in settings:
            self.options += ["--set", setting]
        self.seconds = seconds
        self.patience = patience


# --- what comes out ------------------------------------------------------------------------------


class Report:
    """TAP of several modules on stdout, numbered as one."""

    def __init__(self):
        self.count = 0
        self.failed = 0
        self.lock = threading.Lock()

    def say(self, *lines):
        with self.lock:
            for line in lines:
                match = re.fullmatch(r"(not )?ok\b(?: \d+)?(.*)", line)
                if match:
                    self.count += 1
                    self.failed += bool(match[1])
                    line = "%sok %d%s" % (match[1] or "", self.count, match[2])
                print(line, flush=True)


class Outcome:
    """The results of one module, and whether they are complete. say: receives each line at once;
    without it lines are kept."""

    def __init__(self, path, say=None):
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.lines = []
        self.say = say or (lambda *lines: self.lines.extend(lines))
        self.count = 0
        self.failed = 0
        self.planned = None

    def take(self, line):
        plan = re.fullmatch(r"1\.\.(\d+)", line)
        if plan:
            self.planned = int(plan[1])
            return
        if line.startswith(("ok ", "not ok ")):
            self.count += 1
            self.failed += line.startswith("not")
        if line.startswith(("boot: ", "guest: ", "qemu: ")):
            line = "# " + line
        if line:
            self.say(line)

    def fail(self, why):
        self.failed += 1
        self.say("not ok - %s: %s" % (self.name, why))

    def end(self, status):
        """Checks how it ended."""
        if self.planned != self.count:
            self.fail("it ended after %d of its tests, with status %d" % (self.count, status))
        elif status > 1 or status == 1 and not self.failed:
            self.fail("it ended with status %d" % status)


# --- what runs -----------------------------------------------------------------------------------

processes = []  # that are still running
stopping = threading.Event()


def start(command):
    if stopping.is_set():
        sys.exit()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
                               start_new_session=True)
    processes.append(process)
    if stopping.is_set():  # a signal that came earlier did not find it there
        stop(process)
        sys.exit()
    return process


def stop(process):
    """Ends the process, and then everything left in its session; returns its status."""
    process.terminate()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    if process in processes:
        processes.remove(process)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def follow(process, outcome, seconds):
    """Reads the lines of one module. Returns its status, or None if the process ended earlier. Ends
    the process after the given seconds."""
    def give_up():
        outcome.say("# given up after %d s" % seconds)
        stop(process)

    timer = threading.Timer(seconds, give_up)
    timer.start()
    try:
        for line in process.stdout:
            line = line.rstrip("\r\n")
            ended = ENDED.fullmatch(line)
            if ended:
                return int(ended[1])
            outcome.take(line)
        return None
    finally:
        timer.cancel()


def run_here(path, outcome, seconds):
    """Runs a module that needs no guest."""
    process = start([sys.executable, path])
    try:
        follow(process, outcome, seconds)
        outcome.end(stop(process))
    finally:
        stop(process)


class Guest:
    """A guest that runs modules one after the other."""

    def __init__(self, machine):
        self.folder = tempfile.TemporaryDirectory(prefix="rapl-vm-")
        self.seen = 0  # lines of the kernel's messages
        self.serves = True  # until it has ended
        self.process = start([BOOT, *machine.options, "--seconds", str(LONGEST_GUEST_SECONDS),
                              "--out", self.folder.name, "bash", "-c", SERVE, "serve",
                              str(machine.patience)])

    def send(self, script):
        path = os.path.join(self.folder.name, "next")
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(script)
        os.rename(path + ".new", path)

    def run(self, path, words, environment, outcome, seconds):
        """Returns whether another module may follow: a failed one may leave the guest in any
        state."""
        passed_on = {key: os.environ[key] for key in ("RAPL_BUILD", "RAPL_LONG", "CI")
                     if key in os.environ}
        variables = {MARK: "1", "PYTHONDONTWRITEBYTECODE": "1",
                     "RAPL_PATIENCE_SECONDS": PATIENCE_SECONDS, **passed_on, **environment}
        self.send("exec " + shlex.join(["env", *map("%s=%s".__mod__, variables.items()),
                                        sys.executable, path, *words]))
        status = follow(self.process, outcome, seconds)
        self.serves = status is not None
        outcome.end(status if self.serves else stop(self.process))
        return not self.complain(outcome) and self.serves and not outcome.failed

    def kernel_lines(self):
        try:
            with open(os.path.join(self.folder.name, "console.log"), encoding="utf-8",
                      errors="replace") as log:
                return log.readlines()[self.seen:]
        except FileNotFoundError:
            return [COMPLAINTS[0] + " there is no console.log"]

    def complain(self, outcome):
        """Fails the module if the kernel has complained since the last one. Complaints may come
        after the module's last line."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            lines = self.kernel_lines()
            if self.process.poll() is not None or time.monotonic() > end or \
                    any(KERNEL_ENDED in line for line in lines):
                break
            time.sleep(0.05)
        said = [line.strip() for line in lines if any(word in line for word in COMPLAINTS)]
        self.seen += len(lines)
        if said:
            outcome.say(*["# " + line for line in said])
            outcome.fail("the guest's kernel complained")
        return said

    def close(self, outcome):
        """Ends the guest; errors count for the last module."""
        try:
            if self.serves:
                self.send("")
                follow(self.process, outcome, PATIENCE_SECONDS)
                status = stop(self.process)
                if status:
                    outcome.fail("its guest ended with status %d" % status)
                self.complain(outcome)
        finally:
            stop(self.process)
            self.folder.cleanup()


def stop_with_all():
    """Makes signals that end this process end what it started."""
    def end(number, frame):
        stopping.set()
        for process in list(processes):
            process.terminate()
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # unless ignored, as under nohup
            signal.signal(number, end)


def main(machine, prepare=dict):
    """Runs the calling module. prepare: gives environment variables for it that can only be found
    on this machine."""
    path, words = os.path.abspath(sys.argv[0]), sys.argv[1:]
    if MARK in os.environ:
        tap.LONGEST_SECONDS = LONGEST_TEST_SECONDS
        tap.main()
    stop_with_all()
    report = Report()
    outcome = Outcome(path, report.say)
    environment = prepare()
    guest = Guest(machine)
    try:
        guest.run(path, words, environment, outcome, machine.seconds)
    finally:
        guest.close(outcome)
    report.say("1..%d" % report.count)
    sys.exit(1 if report.failed else 0)
