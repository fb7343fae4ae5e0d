# SPDX-License-Identifier: MIT
"""What tests/vm/boot and tests/support/guest.py say of a guest is so, however it ended. Runs on
this machine, with guests that load no driver."""
import collections
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SUPPORT = os.path.join(HERE, "..", "support")
sys.path.insert(0, SUPPORT)
import daemons  # noqa: E402
import tap  # noqa: E402

TOP = os.path.abspath(os.path.join(HERE, "..", ".."))
BOOT = os.path.join(HERE, "boot")
IMAGE = os.path.join(TOP, "build-tests", "vm")

# A guest gives up before a test does.
SECONDS = 100

Ended = collections.namedtuple("Ended", "status text errors seconds")


def boot(*words, program=BOOT, **more):
    command = [program, "--smp", "1", "--load", "", "--seconds", str(SECONDS), *words]
    return run(command, **more)


def run(command, **more):
    began = time.monotonic()
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, encoding="utf-8", check=False, **more)
    return Ended(ended.returncode, ended.stdout, ended.stderr, time.monotonic() - began)


def two_at_a_time(function, all_words):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda words: function(*words), all_words))


def processes_of(out):
    """Those whose command line names the folder, as QEMU's does, and that still run."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                named = os.fsencode(out) in file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if named and daemons.is_alive(int(pid)):
            found.append(int(pid))
    return found


def setUpModule():
    """What it takes to make the image is none of the times below."""
    subprocess.run([os.path.join(HERE, "image")], check=True, stdout=subprocess.DEVNULL)


class BootTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rapl boot,")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def check_gone(self, out):
        daemons.wait_until(lambda: not processes_of(out), "the end of QEMU", 10)


class Programs(BootTest):
    def test_status_is_passed_on(self):
        ended = two_at_a_time(boot, [["true"], ["sh", "-c", "exit 3"], ["no-such-program"],
                                     [os.path.join(TOP, "README.md")]])
        self.assertEqual([0, 3, 127, 126], [one.status for one in ended], ended)
        self.assertEqual(["", ""], [one.errors for one in ended[:2]])
        self.assertRegex(ended[2].text, "no-such-program.*: No such file or directory\n")
        self.assertRegex(ended[3].text, "README.md.*: Permission denied\n")

    def test_words_and_folder_and_environment_arrive_as_they_are(self):
        words = ["a b", "", "'", '"', "two\nlines\n", "$HOME `id` \\ \\n *", "é ☃", "-x", "--", "a=b"]
        show = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), {**os.environ}]))"
        ended = boot("--env", "SPACED=a  b ", "--env=QUOTED='\"$HOME\n=", "--env", "EMPTY=",
                     sys.executable, "-c", show, *words, cwd=self.folder,
                     env={**os.environ, "OF_THE_HOST": "1"})
        self.assertEqual((0, ""), (ended.status, ended.errors))
        found_words, folder, environment = json.loads(ended.text)
        self.assertEqual(words, found_words)
        self.assertEqual(self.folder, folder)
        self.assertEqual(["a  b ", "'\"$HOME\n=", ""],
                         [environment[name] for name in ("SPACED", "QUOTED", "EMPTY")])
        self.assertNotIn("OF_THE_HOST", environment)

    def test_output_is_whole(self):
        # Also that of a program that leaves another one behind, which holds the line open.
        text = "".join("%d é☃\t%s\n" % (number, "%03d" % (number % 997) * 200)
                       for number in range(1000)) + "no newline"
        ended = boot("sh", "-c", 'sleep 1000 & sleep 0.5; cat "$0"', self.write("text", text))
        self.assertEqual((0, ""), (ended.status, ended.errors))
        self.assertEqual(text, ended.text)

    def test_out_holds_what_is_left_there(self):
        os.mkdir(self.path("o, u t"))
        self.write("o, u t/status", "7\n")  # of an earlier guest
        ended = boot("--out", "o, u t", "sh", "-c", "echo left >/run/out/left; echo said >/dev/kmsg",
                     cwd=self.folder)
        self.assertEqual((0, ""), (ended.status, ended.errors))
        self.assertEqual({"left", "begun", "status", "program", "console.log", "qemu.log"},
                         set(os.listdir(self.path("o, u t"))))
        self.assertEqual("left\n", self.read("o, u t/left"))

    def test_files_of_the_host_stay(self):
        self.write("file", "as it was")
        script = ("mount -o remount,rw / 2>&1; echo changed >file; echo new >new; rm -f file; "
                  "mkdir new; mv file moved; chmod 777 file; touch %s/new-file" % HERE)
        ended = boot("sh", "-c", script + "; true", cwd=self.folder)
        self.assertEqual(0, ended.status, ended)
        self.assertEqual(["file"], os.listdir(self.folder))
        self.assertEqual("as it was", self.read("file"))
        self.assertFalse(os.path.exists(os.path.join(HERE, "new-file")))

    def test_what_programs_expect_of_a_system(self):
        script = ("set -e; cat <(echo of a shell) /dev/stdin <<<input; [[ -w /dev/shm && -w /tmp ]]; "
                  "exec 3<>/dev/ptmx; date >/dev/stderr; ip -brief address show lo")
        ended = boot("bash", "-c", script)
        self.assertEqual(0, ended.status, ended)
        self.assertRegex(ended.text, r"of a shell\ninput\n(?s:.*)127\.0\.0\.1")


class Verdicts(BootTest):
    def test_a_guest_without_a_verdict(self):
        out = self.path("out")
        panic, powered_off, reset, hung = two_at_a_time(boot, [
            *(["sh", "-c", "echo %s >/proc/sysrq-trigger; sleep 1000" % key] for key in "cob"),
            ["--out", out, "--seconds", "8", "sleep", "1000"]])
        for ended in (panic, powered_off, reset):
            self.assertEqual(125, ended.status, ended)
            self.assertIn("boot: the guest ended without a verdict", ended.errors)
        self.assertIn("Kernel panic", panic.errors)
        self.assertEqual(124, hung.status, hung)
        self.assertIn("boot: the guest was given up after 8 s\n", hung.errors)
        self.assertLess(hung.seconds, 8 + 20)
        self.check_gone(out)

    def check_killed(self, number):
        """What is left in the folder for temporary files."""
        temporary = self.path("temporary%d" % number)
        os.mkdir(temporary)
        command = [BOOT, "--smp", "1", "--load", "", "sleep", "1000"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": temporary}) as it:
            try:
                daemons.wait_until(lambda: len(processes_of(temporary)) > 1, "QEMU")
                time.sleep(1)
                it.send_signal(number)
                it.wait(30)
            finally:
                it.kill()
            self.check_gone(temporary)
            return it.returncode, os.listdir(temporary), it.stderr.read()

    def test_boot_is_ended(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            with self.subTest(number):
                status = 128 + (signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)
                self.assertEqual((status, [], b""), self.check_killed(number))

    def test_boot_is_killed(self):
        self.assertEqual(-signal.SIGKILL, self.check_killed(signal.SIGKILL)[0])

    def test_a_module_that_is_not_there_is_told(self):
        ended = boot("--load", "no_such_module", "true")
        self.assertEqual((0, ""), (ended.status, ended.text))
        self.assertIn("guest: init: no_such_module could not be loaded\n", ended.errors)

    def test_wrong_options(self):
        for words, told in (
                (["--banana"], "unknown option --banana; see --help"),
                (["--out"], "--out needs a value; see --help"),
                (["--cpu", "Banana"], "--cpu Banana .*; see qemu-system-x86_64 -cpu help"),
                (["--cpu=EPYC,modle=1"], "--cpu EPYC,modle=1 .*; see qemu-system-x86_64 -cpu help"),
                (["--smp", "4,sockets=3"], "--smp 4,sockets=3 .*, as 4,sockets=2,"),
                (["--smp", "many"], "--smp many .*, as 4,sockets=2,"),
                (["--seconds", "5s"], "--seconds takes a number above 0, not 5s"),
                (["--seconds=0"], "--seconds takes a number above 0, not 0"),
                (["--load", "msr rapl"], "--load takes names with commas between them, not msr rapl"),
                (["--set", "package_mw=1"], "--set takes MODULE.PARAMETER=VALUE, .* package_mw=1"),
                (["--set", "a.b=1 c"], "--set takes MODULE.PARAMETER=VALUE, .* a.b=1 c"),
                (["--env", "NAME"], "--env takes NAME=VALUE, not NAME"),
                (["--out", os.path.abspath(__file__)], "--out .*test_boot.py: no such folder")):
            with self.subTest(words):
                program = [] if words == ["--out"] else ["true"]
                ended = run([BOOT, *words, *program])
                self.assertEqual((2, ""), (ended.status, ended.text), ended)
                self.assertRegex(ended.errors, "(?m)^boot: " + told)
        ended = run([BOOT])
        self.assertEqual((2, ""), (ended.status, ended.text))
        self.assertIn("Usage: ", ended.errors)

    def test_a_folder_that_the_guest_does_not_see(self):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            ended = run([BOOT, "true"], cwd=folder)
        self.assertEqual(2, ended.status)
        self.assertIn("without %s: change to another folder" % folder, ended.errors)


# --- tests/support/guest.py ----------------------------------------------------------------------

MODULE = """
import os, sys, unittest
sys.path.insert(0, %(support)r)
import guest

class Three(unittest.TestCase):
    def test_a(self):
        pass
    def test_b(self):
        %(body)s
    def test_c(self):
        pass

if __name__ == "__main__":
    guest.main(guest.Machine(smp="1", load="", seconds=%(seconds)d))
"""


class Modules(BootTest):
    def module(self, name, body):
        """The command that runs a module of three tests, the second of which does this."""
        text = MODULE % {"support": SUPPORT, "seconds": SECONDS, "body": body}
        return [sys.executable, self.write(name + ".py", text)]

    def run_module(self, name, body):
        return run(self.module(name, body))

    def test_what_went_wrong_is_told(self):
        bodies = {
            "well": "pass",
            "fails": "self.fail('told')",
            "panics": "open('/proc/sysrq-trigger', 'w').write('c')",
            # As the kernel prints a WARN(), by its level, too.
            "warns": "open('/dev/kmsg', 'w').write('<4>WARNING: CPU: 0 PID: 1 at kernel/x.c')",
            "silent": "os._exit(0)",
            "hums": "print('1..x'); os._exit(1)",
        }
        ended = dict(zip(bodies, two_at_a_time(self.run_module, bodies.items())))
        self.assertEqual({**dict.fromkeys(bodies, 1), "well": 0},
                         {name: one.status for name, one in ended.items()}, ended)
        lines = {name: [line for line in one.text.splitlines() if not line.startswith("#")]
                 for name, one in ended.items()}
        three = ["ok %d - %%s Three.test_%s" % pair for pair in ((1, "a"), (2, "b"), (3, "c"))]
        early = "not ok 2 - %s: the guest ended after 1 of its tests, with status %d"
        complained = "not ok %d - %%s: the guest's kernel complained"
        for name, wanted in {
                "well": [*three, "1..3"],
                "fails": [three[0], "not " + three[1], three[2], "1..3"],
                "panics": [three[0], early % ("%s", 125), complained % 3, "1..3"],
                "warns": [*three, complained % 4, "1..4"],
                "silent": [three[0], early % ("%s", 0), "1..2"],
                "hums": [three[0], "1..x", early % ("%s", 1), "1..2"]}.items():
            with self.subTest(name):
                self.assertEqual([line.replace("%s", name) for line in wanted], lines[name])
        self.assertIn("# [", ended["warns"].text)

    def test_a_module_that_is_ended_takes_its_guest_along(self):
        temporary = self.path("temporary")
        os.mkdir(temporary)
        command = self.module("hangs", "import time; time.sleep(1000)")
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              env={**os.environ, "TMPDIR": temporary}) as it:
            try:
                daemons.wait_until(lambda: len(processes_of(temporary)) > 1, "QEMU")
                it.terminate()
                self.assertEqual(128 + signal.SIGTERM, it.wait(30))
            finally:
                it.kill()
        self.check_gone(temporary)
        self.assertEqual([], os.listdir(temporary))


class Images(BootTest):
    def test_two_boots_make_one_image(self):
        # In a checkout of its own, where an earlier attempt was killed.
        for part in ("tests/vm", "contrib"):
            shutil.copytree(os.path.join(TOP, part), self.path(part))
        image = self.path("build-tests/vm")
        os.makedirs(image)
        for name in os.listdir(IMAGE):
            if name.endswith(".deb"):  # it need not be fetched again
                os.link(os.path.join(IMAGE, name), os.path.join(image, name))
        with subprocess.Popen([self.path("tests/vm/image")], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, start_new_session=True,
                              env={**os.environ, "TMPDIR": self.folder}) as killed:
            killed.stdout.readline()
            os.killpg(killed.pid, signal.SIGKILL)
        ended = two_at_a_time(
            lambda word: boot("echo", word, program=self.path("tests/vm/boot"), cwd=self.folder),
            [["one"], ["two"]])
        self.assertEqual([(0, "one\n"), (0, "two\n")], [(one.status, one.text) for one in ended])
        self.assertEqual(1, sum("Making the guest's image" in one.errors for one in ended), ended)
        self.assertEqual({"kernel", "initrd", "made-from", "lock"},
                         {name for name in os.listdir(image) if not name.endswith(".deb")})


if __name__ == "__main__":
    tap.main()
