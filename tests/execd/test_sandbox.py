# SPDX-License-Identifier: MIT
"""rapl-execd gives up what it does not need: forbidden actions, tried from inside."""
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import sandbox  # noqa: E402
import tap  # noqa: E402
from tree import Pump, Tree  # noqa: E402

ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram"}
PERF = ("count_event", "move_to_cpu")


def landlock_version():
    """The kernel's Landlock version, as --check prints it; 0: none."""
    found = re.search(r"Landlock ABI (\d+)", execd.run("--check", root="/").text)
    return int(found[1]) if found else 0


VERSION = landlock_version() if sandbox.is_built_in() else 0
NO_LANDLOCK = "this kernel has no Landlock (the guest of tests/vm has)"


def wait_for_lock(pid):
    """Waits for the sandbox of a program that may print nothing."""
    execd.wait_until(lambda: sandbox.read_status(pid)["Seccomp"] == "2", "it is locked in")


class Simulated(sandbox.Tries):
    def setUp(self):
        super().setUp()
        self.tree = Tree.make(ZONES)
        self.addCleanup(self.tree.__exit__)
        self.enterContext(Pump(self.tree, list(ZONES), 20))
        self.root = self.tree.root

    def start(self, *options, **more):
        program = execd.Execd(*options, root=self.root, **more)
        self.addCleanup(program.kill)
        program.ask()
        return program


class Halves(Simulated):
    """Landlock or seccomp alone, in a program that links rapl-execd's own objects."""

    def check_half(self, name, column, more):
        status, lines = self.run_locked(name, self.root)
        self.assertEqual(0, status, lines)
        expected = {name: ends[column] or "done" for name, ends in sandbox.EACH.items()}
        self.check(self.parse(lines), "locked", {**expected, **more})

    @unittest.skipUnless(VERSION, NO_LANDLOCK)
    def test_files(self):
        self.check_half("files", 0, {"truncate_file": "EACCES"} if VERSION >= 3 else {})
        if VERSION >= 3:
            self.check_untouched("locked")

    def test_calls(self):
        self.check_half("calls", 1, {**sandbox.NEWER, **dict.fromkeys(sandbox.RULES, "done"),
                                     **dict.fromkeys(PERF, "done")})

    def test_calls_of_powercap(self):
        status, lines = self.run_locked("calls", self.root, "powercap")
        self.assertEqual(0, status)
        self.check(self.parse(lines), "locked", dict.fromkeys(PERF, "EPERM"))

    @unittest.skipUnless(VERSION, NO_LANDLOCK)
    def test_whole(self):
        status, lines = self.run_locked("all", self.root)
        self.assertEqual(0, status, lines)
        self.check(self.parse(lines), "locked", sandbox.WHOLE)
        self.check_untouched("locked")

    def test_calls_of_other_architectures_end_it(self):
        """Such calls would pass a filter that only checks numbers of this architecture."""
        for kind in ("int80", "x32"):
            with self.subTest(kind):
                status, lines = self.run_locked("free", self.root, "auto", kind)
                # A kernel without IA32_EMULATION has no int 0x80.
                self.assertIn(status, (0, -signal.SIGSEGV), lines)
                if status == 0:
                    status, lines = self.run_locked("calls", self.root, "auto", kind)
                    self.assertEqual(-signal.SIGSYS, status, lines)

    def test_refusals_are_answered_whatever_was_inherited(self):
        """If SIGSYS is blocked or ignored, the kernel would end the process instead."""
        def block():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGSYS])

        def ignore():
            signal.signal(signal.SIGSYS, signal.SIG_IGN)

        for inherit in (block, ignore):
            with self.subTest(inherit.__name__):
                ended = subprocess.run([sandbox.LOCKED, "calls", self.root, "auto"],
                                       env={"TRY_FOLDER": self.folder}, preexec_fn=inherit,
                                       capture_output=True, text=True, check=False)
                self.assertEqual(0, ended.returncode)
                results = self.parse(ended.stderr.splitlines())
                self.assertEqual("EPERM", results["locked"]["open_socket"])

    def test_calls_that_libc_makes_with_signals_blocked_are_answered(self):
        """clone in fork(3) of glibc 2.41, and in pthread_create(3) of every libc."""
        self.assertEqual(0, self.run_locked("calls", self.root, "auto", "blocked")[0])

    def test_sleep_goes_on_after_a_stop(self):
        """The kernel continues the sleep with a system call of its own."""
        with subprocess.Popen([sandbox.LOCKED, "calls", self.root, "auto", "sleep"]) as process:
            wait_for_lock(process.pid)
            time.sleep(0.05)
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.05)
            process.send_signal(signal.SIGCONT)
            self.assertEqual(0, process.wait(execd.PATIENCE_SECONDS))

    def test_abort_ends_it_as_ever(self):
        self.assertEqual(-signal.SIGABRT, self.run_locked("calls", self.root, "auto", "abort")[0])


@unittest.skipUnless(VERSION or not sandbox.is_built_in(), NO_LANDLOCK)
class Inside(Simulated):
    """The real program, with a preloaded library that tries forbidden actions."""

    def check_stages(self, program, perf_parses, perf_waits):
        results = self.parse(program.lines())
        self.check(results, "parses", {**sandbox.WHOLE, **dict.fromkeys(PERF, perf_parses),
                                       **dict.fromkeys(sandbox.RULES, "done")})
        self.check(results, "waits", {**sandbox.WHOLE, **dict.fromkeys(PERF, perf_waits),
                                      **dict.fromkeys(sandbox.RULES, "EPERM")})
        self.check_untouched("parses", "waits")

    def test_whichever_source_reads(self):
        """perf is allowed while it may become the source."""
        self.check_stages(self.intrude(root=self.root), "done", "EPERM")
        self.assertIn("domain=package,package_id=0", self.report)

    def test_powercap(self):
        self.check_stages(self.intrude("--source=powercap", root=self.root), "EPERM", "EPERM")

    def test_each_refusal_is_told_once_by_name(self):
        program = self.intrude(root=self.root)
        program.ask()
        program.ask()
        lines = [line for line in program.lines() if "was refused" in line]
        names = [re.match("W! the system call ([a-z0-9_]+) was refused", line)[1]
                 for line in lines]
        self.assertEqual(len(set(names)), len(names), names)
        self.assertLessEqual({"socket", "execve", "openat", "ptrace", "mount", "chroot"},
                             set(names))
        for line in lines:
            self.assertRegex(line, "Fix: report this")
        self.assertEqual(0, program.stop())

    def test_signal_from_elsewhere_is_no_refusal(self):
        """The signal's value is where the kernel puts the number of a call."""
        program = self.start()
        value = ctypes.c_void_p(41)  # socket
        self.assertEqual(0, ctypes.CDLL(None).sigqueue(program.pid, int(signal.SIGSYS), value))
        program.ask()
        program.ask()
        self.assertEqual([], program.messages())


class Nothing(Simulated):
    """Nothing that the program itself does is refused."""

    def trace(self, *options):
        log = os.path.join(self.folder, "trace")
        ended = execd.run(*options, root=self.root, before=("strace", "-f", "-o", log), text=b"\n")
        with open(log, encoding="utf-8", errors="replace") as file:
            return ended, file.read()

    def check_trace(self, text):
        """The sandbox was complete, and nothing was refused."""
        self.assertTrue("SECCOMP_SET_MODE_FILTER, 0, {len=" in text)
        self.assertEqual([], re.findall("SIGSYS {.*", text))

    def test_in_no_mode(self):
        for options in (["--check"], ["--once", "--interval=50ms"], ["--interval=50ms"],
                        ["--health=yes", "--debug"], ["--source=powercap"], ["--source=perf"],
                        ["--source=msr"], ["--root=" + self.root + "/missing"]):
            with self.subTest(options=options):
                ended, text = self.trace(*options)
                self.check_trace(text)
                self.assertNotIn("refused", "".join(ended.lines) + ended.text)

    def test_many_zones(self):
        """More zones than qsort(3) sorts without asking for the size of memory."""
        for number in range(1, 300):
            self.tree.add("intel-rapl:%x" % number, "package-%d" % number, 1)
        ended, text = self.trace("--once", "--interval=50ms")
        self.assertEqual((0, []), (ended.status, ended.messages))
        self.check_trace(text)


class Status(Simulated):
    """What the kernel reports about the process."""

    def check(self, pid, permitted, effective):
        status = sandbox.read_status(pid)
        self.assertEqual(("1", "2"), (status["NoNewPrivs"], status["Seccomp"]))
        self.assertEqual([permitted, effective, 0, 0], [status["Cap" + name] for name in
                                                        ("Prm", "Eff", "Inh", "Amb")])

    def own(self):
        return sandbox.read_status(os.getpid())["CapEff"] & sandbox.FOUR

    def test_below_another_root_nothing_is_raised_nor_taken(self):
        self.check(self.start().pid, self.own(), self.own())

    def test_own_root(self):
        for root in ("/", "//"):
            program = execd.Execd(root=root)
            self.addCleanup(program.kill)
            wait_for_lock(program.pid)
            self.check(program.pid, self.own(), 0)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_ambient_and_inheritable_are_given_up(self):
        before = ("setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps",
                  "+net_raw,+sys_admin,+chown", "--ambient-caps", "+net_raw,+sys_admin")
        shutil.copy(execd.PROGRAM, self.folder)
        program = os.path.join(self.folder, "rapl-execd")
        with execd.Execd(root=self.root, program=program, before=before) as running:
            running.ask()
            self.check(running.pid, 1 << 21, 1 << 21)
        with execd.Execd(root="/", program=program, before=before) as running:
            wait_for_lock(running.pid)
            self.check(running.pid, 1 << 21, 0)


class Without(Simulated):
    """If a part of the sandbox is not available, the rest is used, and the program continues."""

    def refuse(self, *calls, options=()):
        rules = [word for call in calls for word in ("-e", "inject=" + call)]
        return execd.run(*options, root=self.root, text=b"\n",
                         before=("strace", "-f", "-o", os.devnull, *rules))

    def check(self, calls, on, off):
        ended = self.refuse(*calls, options=["--check"])
        self.assertEqual(0, ended.status)
        self.assertRegex(ended.text, "\nlocked   .*" + on)
        self.assertRegex(ended.text, "\n         not " + off)
        self.assertEqual([], ended.lines)
        ended = self.refuse(*calls)
        self.assertEqual(0, ended.status)
        self.assertRegex(ended.text, "domain=package")
        told = [line for line in ended.lines if "sandbox incomplete" in line]
        self.assertEqual(1, len(told), ended.lines)
        self.assertRegex(told[0], "I! sandbox incomplete, continuing: " + off)

    def test_kernel_without_landlock(self):
        self.check(["landlock_create_ruleset:error=EOPNOTSUPP"], "system calls",
                   "files: the kernel has no Landlock")
        self.check(["landlock_create_ruleset:error=ENOSYS"], "system calls",
                   "files: the kernel has no Landlock")

    def test_capabilities_that_cannot_be_given_up(self):
        self.check(["capset:error=EPERM"], "system calls", "capabilities: Operation not permitted")

    def test_no_new_privileges_is_refused(self):
        """Without it, neither Landlock nor seccomp can be used."""
        number = self.number_of("prctl", "NO_NEW_PRIVS, 1")
        self.check(["prctl:error=EPERM:when=%s+" % number], "capabilities",
                   "no new privileges, files and system calls: Operation not permitted")

    def number_of(self, call, argument, *injected):
        """The position of the call with that argument, among those that the libraries make before
        it."""
        log = os.path.join(self.folder, "calls")
        execd.run("--check", root=self.root,
                  before=("strace", "-o", log, *injected))
        with open(log, encoding="utf-8") as file:
            lines = [line for line in file if line.startswith(call + "(")]
        return next(number for number, line in enumerate(lines, 1) if argument in line)

    @unittest.skipUnless(VERSION, NO_LANDLOCK)
    def test_no_more_layers(self):
        self.check(["landlock_restrict_self:error=E2BIG"], "system calls", "files: ")

    @unittest.skipUnless(VERSION, NO_LANDLOCK)
    def test_filter_outside_forbids_filters(self):
        self.check(["seccomp:error=EINVAL"], "files", "system calls: Invalid argument")

    def test_seccomp_is_refused_and_prctl_sets_the_same_filters(self):
        """As SystemCallFilter=@system-service of systemd 252 does: nothing is missing then."""
        for error in ("EPERM", "ENOSYS"):
            with self.subTest(error):
                rule = "inject=seccomp:error=" + error
                ended = execd.run("--check", root=self.root, before=("strace", "-o", os.devnull,
                                                                     "-e", rule))
                self.assertRegex(ended.text, "\nlocked   .*system calls")
                self.assertNotIn("not system calls", ended.text)
                with execd.Execd(root=self.root, before=("strace", "-o", os.devnull, "-D", "-e",
                                                         rule)) as program:
                    program.ask()
                    program.ask()
                    self.assertEqual([], program.messages())
                    self.assertEqual(["2", "2"], [sandbox.read_status(program.pid)[name] for name in
                                                  ("Seccomp", "Seccomp_filters")])

    def test_every_way_to_a_filter_is_refused(self):
        refused = "-e", "inject=seccomp:error=EPERM"
        number = self.number_of("prctl", "PR_SET_SECCOMP", *refused)
        self.check(["seccomp:error=EPERM", "prctl:error=EPERM:when=%d+" % number],
                   "no new privileges", "system calls: refused from outside; SystemCallFilter= .* "
                                        "has to allow seccomp")

    @unittest.skipUnless(VERSION, NO_LANDLOCK)
    def test_landlock_is_refused(self):
        self.check(["landlock_create_ruleset:error=EPERM"], "system calls",
                   "files: refused from outside; SystemCallFilter= .* has to allow "
                   "landlock_create_ruleset, landlock_add_rule and landlock_restrict_self")

    @unittest.skipUnless(VERSION, NO_LANDLOCK)
    def test_openat2_is_refused(self):
        """As filters of containers without openat2 do: no rules can be added then."""
        ended = self.refuse("openat2:error=EPERM", options=["--check"])
        self.assertEqual(0, ended.status, ended.text)
        self.assertRegex(ended.text, "not files: ")


if not sandbox.is_built_in():
    class LeftOut(unittest.TestCase):
        def test_check_says_so(self):
            text = execd.run("--check", root="/").text
            self.assertRegex(text, "not no new privileges, files and system calls: built without")


if __name__ == "__main__":
    tap.main()
