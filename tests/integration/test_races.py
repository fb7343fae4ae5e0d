# SPDX-License-Identifier: MIT
"""rapl.so in the real collectd under ThreadSanitizer, memcheck and helgrind: reads in parallel with
other plugins, its thread, shutdown at the worst moments, and what it leaves behind. For each
tool, a fault planted into the plugin (planted.c) shows that the tool detects it."""
import contextlib
import glob
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import daemons  # noqa: E402
import execd  # noqa: E402
import tap  # noqa: E402
import tree  # noqa: E402

# The plugins again, built with -fsanitize=thread.
BUILD_THREAD = os.environ.get("RAPL_BUILD_THREAD", os.path.join(execd.BUILD, "..", "build-thread"))

OTHERS = "".join("<LoadPlugin %s>\nInterval 0.1\n</LoadPlugin>\n" % name
                 for name in ("cpu", "memory", "load"))
# System calls in which a plugin waits for a file: pread64, readlink, getdents64, openat,
# newfstatat, openat2. read is not included: threads wait for each other in it under valgrind.
FILE_CALLS = {"17", "89", "217", "257", "262", "437"}

# The name of the function with libc's symbols, and without.
SIGNAL_RETURNS = [("libc.so.6", "__restore_rt"), ("libc.so.6", "?")]

SAMPLER_RANGE_UJ = 1199999999  # at 300 W half of the range takes 2 s
SAMPLER_OPTIONS = ("MaxPower 300", "ReportHealth true")


def load(seconds):
    return "<LoadPlugin rapl>\nInterval %g\n</LoadPlugin>\nLoadPlugin afterwards" % seconds


def block(root, *lines):
    return '<Plugin rapl>\n  Root "%s"\n  %s\n</Plugin>' % (root, "\n  ".join(lines))


def is_waiting_for_a_file(pid):
    """Whether one of its threads has been in the same system call for a while."""
    def calls():
        found = {}
        for path in glob.glob("/proc/%d/task/*/syscall" % pid):
            with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
                found[path] = file.read()
        return found
    before = calls()
    time.sleep(0.15)
    return any(text == before.get(path) and text.split()[0] in FILE_CALLS
               for path, text in calls().items())


class Tool:
    """A tool that watches collectd, and its findings."""

    build = execd.BUILD

    def plugin(self, name):
        return os.path.join(self.build, "tests", "integration", name + ".so")

    def missing(self):
        for path in (self.plugin("planted"), self.plugin("afterwards"), daemons.COLLECTD_PLUGIN):
            if not os.path.exists(path):
                return "%s is not built" % path
        return daemons.missing_programs(collectd="collectd-core") or daemons.missing_simulator()

    def start(self, stage, name, rapl, **more):
        """Starts collectd under the tool, which writes to the program's directory."""
        plugins = {"rapl.so": os.path.join(self.build, "plugins", "collectd", "rapl.so"),
                   "afterwards.so": self.plugin("afterwards"), **more.pop("plugins", {})}
        environment = {**self.environment(), **more.pop("environment", {})}
        return stage.collectd(name, rapl, plugins=plugins, environment=environment,
                              before=self.words(), **more)

    def start_planted(self, stage, name, rapl, fault, **more):
        return self.start(stage, name, rapl, plugins={"rapl.so": self.plugin("planted")},
                          environment={"RAPL_PLANTED": fault}, **more)

    def environment(self):
        return {}

    def words(self):
        return []


class ThreadSanitizer(Tool):
    build = BUILD_THREAD

    def library(self):
        text = subprocess.run(["ldd", self.plugin("planted")], stdout=subprocess.PIPE,
                              check=True).stdout.decode()
        match = re.search(r"libtsan\S* => (/\S+)", text)
        return match and match.group(1)

    def missing(self):
        return super().missing() or (None if self.library() else "the build has no libtsan (gcc)")

    def environment(self):
        return {"LD_PRELOAD": self.library(),
                "TSAN_OPTIONS": "log_path=tsan exitcode=0 history_size=7"}

    def words(self):
        # Its memory map leaves little room for address randomization.
        words = [daemons.find_program("setarch") or "setarch", "-R"]
        tried = subprocess.run([*words, "true"], stderr=subprocess.DEVNULL, check=False)
        return words if tried.returncode == 0 else []

    def findings(self, collectd):
        text = ""
        for path in glob.glob(os.path.join(collectd.folder, "tsan.*")):
            with open(path, encoding="utf-8", errors="replace") as file:
                text += file.read()
        return [part for part in text.split("==================\n") if "rapl.so" in part]


def frames_of(stack):
    """Object and function of each frame, innermost first, down to a signal handler of collectd,
    which the kernel makes return to a function of libc. The interrupted frames are left out."""
    frames = [(os.path.basename(frame.findtext("obj", "")), frame.findtext("fn", "?"))
              for frame in stack.iter("frame")]
    for i in range(1, len(frames)):
        if frames[i - 1][0] == "collectd" and frames[i] in SIGNAL_RETURNS:
            return frames[:i]
    return frames


class Valgrind(Tool):
    """of: words of the command, besides those common to all valgrind tools."""

    def __init__(self, *of):
        self.of = of

    def missing(self):
        return super().missing() or daemons.missing_programs(valgrind="valgrind")

    def words(self):
        return [daemons.find_program("valgrind"), *self.of, "--num-callers=40", "--xml=yes",
                "--xml-file=valgrind.xml", "--child-silent-after-fork=yes"]

    def findings(self, collectd):
        path = os.path.join(collectd.folder, "valgrind.xml")
        found = []
        for error in xml.etree.ElementTree.parse(path).getroot().iter("error"):
            frames = [frame for stack in error.iter("stack") for frame in frames_of(stack)]
            ours = any(file == "rapl.so" for file, _ in frames)
            kind, names = error.findtext("kind"), {name for _, name in frames}
            # What collectd keeps of a registered plugin belongs to collectd; and a waiter that took
            # another's signal signals itself, without the lock (glibc, pthread_cond_wait.c).
            others = "module_register" in names or (
                kind == "Misc" and "__pthread_cond_wait_common" in names)
            if ours and not others:
                found.append("%s:\n  %s" % (kind, "\n  ".join(
                    "%s %s" % frame for frame in frames)))
        return found


class Scenarios:
    """Mixed into a test case: one run of collectd for each scenario."""

    tool = None

    @classmethod
    def missing(cls):
        return cls.tool.missing()

    @classmethod
    def prepare(cls):
        stage, start = cls.stage, cls.tool.start
        cls.began = time.monotonic()
        cls.roots = {}
        cls.collectds = {}
        machine = stage.simulate("server", "--load", "wave")
        stuck = {name: stage.simulate("server") for name in ("init", "read")}
        sampled = cls.enterClassContext(
            tree.Tree.make({"intel-rapl:0": "package-0"}, SAMPLER_RANGE_UJ))
        cls.enterClassContext(tree.Pump(sampled, "intel-rapl:0", 200, SAMPLER_RANGE_UJ))

        def run(name, root, *lines, begin=start, **more):
            cls.roots[name] = root
            cls.collectds[name] = begin(stage, name, block(root, *lines), **more)
            return cls.collectds[name]

        stuck["init"].process.send_signal(signal.SIGSTOP)
        run("beside-others", machine.root, "ReportHealth true", load=load(0.1), outputs=OTHERS)
        run("sampler", sampled.root, *SAMPLER_OPTIONS, load=load(3))
        run("statistics", machine.root, "SampleInterval 0.001", "ReportHealth true", load=load(0.5))
        run("in-a-read", stuck["read"].root, load=load(0.2))
        run("in-init", stuck["init"].root, load=load(0.2))
        run("in-a-sample", sampled.root, *SAMPLER_OPTIONS, load=load(9),
            begin=lambda *words, **more: cls.tool.start_planted(*words, fault="slow", **more))
        cls.init_waited = cls.stop_while_it_waits(cls.collectds["in-init"], stuck["init"])
        cls.read_waited = cls.stop_in_a_read(cls.collectds["in-a-read"], stuck["read"])
        cls.trouble(cls.collectds["beside-others"], machine)
        cls.stop_in_a_sample(cls.collectds["in-a-sample"])
        cls.collectds["sampler"].wait_rows("rapl-package-0/energy-package", 3)
        cls.collectds["statistics"].wait_rows("rapl-package-1/power-package-max", 3)
        cls.samples = {name: cls.collectds[name].rows()["rapl/derive-sweeps"]
                       for name in ("sampler", "statistics")}
        cls.stage.stop([cls.collectds[name] for name in ("sampler", "statistics", "beside-others")])
        # Another configuration after a restart: collectd cannot change it otherwise.
        run("other-options", machine.root, 'Zone "package-1"', "IgnoreSelected true",
            'Source "pigeon"', 'MaxPower "much"',
            load=load(0.2) + "\n" + block(machine.root, 'Zone "*/dram"', "ReportTotal false"))
        cls.collectds["other-options"].wait_rows("rapl-package-0/energy-package", 3)
        cls.statuses = stage.stop(cls.collectds.values())

    @staticmethod
    def stop_while_it_waits(collectd, machine):
        """SIGTERM while a file does not answer; returns whether collectd had to wait for it."""
        collectd.wait_until(lambda: is_waiting_for_a_file(collectd.pid), "it to wait")
        collectd.ask_to_stop()
        time.sleep(0.5)
        waited = collectd.process.poll() is None
        machine.process.send_signal(signal.SIGCONT)
        collectd.stop()
        return waited

    @classmethod
    def stop_in_a_read(cls, collectd, machine):
        collectd.wait_rows("rapl/energy-total", 3)
        machine.process.send_signal(signal.SIGSTOP)
        return cls.stop_while_it_waits(collectd, machine)

    @classmethod
    def stop_in_a_sample(cls, collectd):
        # The samples of init, of the first report, and of the thread.
        begun = collectd.wait_until(lambda: len(collectd.lines("a sample begins")) >= 3, "a sample")
        collectd.ask_to_stop()
        collectd.stop()
        cls.sample_waited = begun

    @classmethod
    def trouble(cls, collectd, machine):
        name = "rapl-package-0/energy-package"
        collectd.wait_rows(name, 5)
        for commands in (["fail package-0/dram EIO"], ["remove package-1"], ["online 0-1"],
                         ["add package-1", "heal package-0/dram", "online 0-3"]):
            os.kill(collectd.pid, signal.SIGUSR1)  # flush
            machine.command(*commands)
            collectd.wait_more(name, 4)
        cls.others = {os.path.basename(path).partition("-")[0]
                      for path in glob.glob(os.path.join(collectd.csv, "*"))}

    # --- results ---------------------------------------------------------------------------------

    def test_the_tool_has_nothing_to_say_of_the_plugin(self):
        for name, collectd in self.collectds.items():
            with self.subTest(scenario=name):
                self.assertEqual([], self.tool.findings(collectd))

    def test_all_end_with_status_0(self):
        self.assertEqual({0}, set(self.statuses.values()), self.statuses)

    def test_the_others_were_there(self):
        self.assertEqual({"rapl", "cpu", "memory", "load"}, self.others)

    def test_shutdown_came_in_the_middle(self):
        self.assertTrue(self.init_waited)
        self.assertTrue(self.read_waited)
        self.assertTrue(self.sample_waited)

    def test_the_thread_was_there(self):
        # Each report of the plain run is between two samples of its own.
        for name, values in self.samples.items():
            (_, first), *_, (_, last) = values
            self.assertGreater(last - first, len(values) - 1, name)

    def test_nothing_is_left_after_shutdown(self):
        for name, collectd in self.collectds.items():
            with self.subTest(scenario=name):
                self.assertEqual([], left_behind(collectd, self.roots[name]))


def left_behind(collectd, root):
    """Threads and files of the plugin after its shutdown. A thread has the name of the thread that
    started it, and collectd's readers have ended by then."""
    lines = [line.partition("afterwards: ")[2] for line in collectd.lines("afterwards: ")]
    if lines[-1:] != ["that is all"]:
        return ["nothing was told"]
    return [line for line in lines if line.startswith(("thread reader", "file " + root)) or
            re.match("file (/sys/|/dev/cpu|anon_inode:.perf)", line)]


class Races(Scenarios, daemons.StageTest):
    tool = ThreadSanitizer()


class Memory(Scenarios, daemons.StageTest):
    tool = Valgrind("--leak-check=full", "--show-leak-kinds=all", "--track-fds=no")


class Locks(Scenarios, daemons.StageTest):
    tool = Valgrind("--tool=helgrind")


class Planted(daemons.StageTest):
    """Each of the checks above detects its fault."""

    @classmethod
    def missing(cls):
        return Races.tool.missing() or Memory.tool.missing()

    @classmethod
    def prepare(cls):
        cls.sampled = cls.enterClassContext(
            tree.Tree.make({"intel-rapl:0": "package-0"}, SAMPLER_RANGE_UJ))
        cls.collectds = {
            name: tool.start_planted(cls.stage, name, block(cls.sampled.root, *SAMPLER_OPTIONS),
                                     fault, load=load(3))
            for name, tool, fault in (("race", Races.tool, "race"), ("lock", Locks.tool, "race"),
                                      ("leak", Memory.tool, "leak"),
                                      ("thread", Memory.tool, "thread"))}
        for collectd in cls.collectds.values():
            collectd.wait_rows("rapl/derive-sweeps", 3)
        cls.stage.stop(cls.collectds.values())

    def test_a_race_is_seen(self):
        findings = Races.tool.findings(self.collectds["race"])
        self.assertTrue(any("data race" in text and "rapl_sample" in text for text in findings),
                        findings)

    def test_a_lock_that_is_not_held_is_seen(self):
        findings = Locks.tool.findings(self.collectds["lock"])
        self.assertTrue(any(text.startswith("Race") and "rapl_sample" in text
                            for text in findings), findings)

    def test_a_leak_is_seen(self):
        findings = Memory.tool.findings(self.collectds["leak"])
        self.assertTrue(any("Leak" in text and "rapl_open" in text for text in findings), findings)

    def test_files_that_stay_open_are_seen(self):
        left = left_behind(self.collectds["leak"], self.sampled.root)
        self.assertTrue(any("file " + self.sampled.root in line for line in left), left)

    def test_a_thread_that_goes_on_is_seen(self):
        left = left_behind(self.collectds["thread"], self.sampled.root)
        self.assertTrue(any(line.startswith("thread reader") for line in left), left)


if __name__ == "__main__":
    tap.main()
