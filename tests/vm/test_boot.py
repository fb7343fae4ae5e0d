# SPDX-License-Identifier: MIT
"""tests/vm/boot reports correctly how a guest ended, in all cases. Runs on this machine, with
guests that load no driver."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import boots  # noqa: E402
import tap  # noqa: E402

tap.LONGEST_SECONDS = 2 * boots.SECONDS
seconds = 900


def setUpModule():
    """Under nohup, SIGHUP would be ignored by all processes started here, and no shell could trap
    it. Making the image is not part of the times measured below."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    subprocess.run([os.path.join(HERE, "image")], check=True, stdout=subprocess.DEVNULL)


class Programs(boots.BootTest):
    """One guest covers all cases that do not end it."""

    WORDS = ["a b", "", "'", '"', "two\nlines\n", "$HOME `id` \\ \\n *", "é ☃", "-x", "--", "a=b"]
    TEXT = "".join("%d é☃\t%s\n" % (number, "%03d" % (number % 997) * 200)
                   for number in range(1000)) + "no newline"
    SHOW = """
import json, os, subprocess, sys
with open("/run/out/words", "w") as file:
    json.dump([sys.argv[1:], os.getcwd(), {**os.environ}], file)
sys.exit(subprocess.run(["bash", "script"]).returncode)
"""
    # The program leaves another process behind, which keeps the serial line open.
    SCRIPT = """
{
    mount -o remount,rw / 2>&1; echo changed >file; echo new >new; rm -f file; mkdir new
    mv file moved; chmod 777 file; touch %s/new-file
} >/dev/null 2>&1
(
    set -e; cat <(echo of a shell) /dev/stdin <<<input; [[ -w /dev/shm && -w /tmp ]]
    exec 3<>/dev/ptmx; date >/dev/stderr; ip -brief address show lo; echo all
) >/run/out/system
echo said >/dev/kmsg
sleep 1000 & sleep 0.5; cat text; exit 3
"""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rapl boot,")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        os.mkdir(os.path.join(cls.folder, "o, u t"))
        for name, text in (("script", cls.SCRIPT % HERE), ("file", "as it was"), ("text", cls.TEXT),
                           ("o, u t/status", "7\n")):  # of an earlier guest
            boots.write(os.path.join(cls.folder, name), text)
        cls.ended = boots.boot(
            "--out", "o, u t", "--env", "SPACED=a  b ", "--env=QUOTED='\"$HOME\n=", "--env", "EMPTY=",
            sys.executable, "-c", cls.SHOW, *cls.WORDS, cwd=cls.folder,
            env={**os.environ, "OF_THE_HOST": "1"})

    def setUp(self):
        self.assertEqual((3, ""), (self.ended.status, self.ended.errors))

    def test_words_and_folder_and_environment_arrive_as_they_are(self):
        words, folder, environment = json.loads(self.read("o, u t/words"))
        self.assertEqual(self.WORDS, words)
        self.assertEqual(self.folder, folder)
        self.assertEqual(["a  b ", "'\"$HOME\n=", ""],
                         [environment[name] for name in ("SPACED", "QUOTED", "EMPTY")])
        self.assertNotIn("OF_THE_HOST", environment)

    def test_output_is_whole(self):
        """Except for the date, which the script writes to its stderr."""
        date, _, text = self.ended.text.partition("\n")
        self.assertRegex(date, r"\d\d:\d\d:\d\d")
        self.assertEqual(self.TEXT, text)

    def test_out_holds_what_is_left_there(self):
        self.assertEqual({"words", "system", "begun", "status", "program", "console.log", "qemu.log"},
                         set(os.listdir(self.path("o, u t"))))

    def test_files_of_the_host_stay(self):
        self.assertEqual({"script", "file", "text", "o, u t"}, set(os.listdir(self.folder)))
        self.assertEqual("as it was", self.read("file"))
        self.assertEqual(0o644, os.stat(self.path("file")).st_mode & 0o777)
        self.assertFalse(os.path.exists(os.path.join(HERE, "new-file")))

    def test_what_programs_expect_of_a_system(self):
        self.assertRegex(self.read("o, u t/system"),
                         r"\Aof a shell\ninput\n(?s:.*)127\.0\.0\.1(?s:.*)\nall\n\Z")


class Verdicts(boots.BootTest):
    def test_programs_that_cannot_be_run(self):
        missing, denied = boots.two_at_a_time(boots.boot, [
            ["--load", "no_such_module", "no-such-program"], [os.path.join(boots.TOP, "README.md")]])
        self.assertEqual((127, 126), (missing.status, denied.status), (missing, denied))
        self.assertRegex(missing.text, "no-such-program.*: No such file or directory\n")
        self.assertRegex(denied.text, "README.md.*: Permission denied\n")
        self.assertIn("guest: init: no_such_module could not be loaded\n", missing.errors)

    def test_a_guest_without_a_verdict(self):
        out = self.path("out")
        panic, powered_off, reset, hung = boots.two_at_a_time(boots.boot, [
            *(["sh", "-c", "echo %s >/proc/sysrq-trigger; sleep 1000" % key] for key in "cob"),
            ["--out", out, "--seconds", "8", "sleep", "1000"]])
        for ended in (panic, powered_off, reset):
            self.assertEqual(125, ended.status, ended)
            self.assertIn("boot: the guest ended without a verdict", ended.errors)
            self.assertNotIn("another one", ended.errors)
        self.assertIn("Kernel panic", panic.errors)
        self.assertEqual(124, hung.status, hung)
        self.assertIn("boot: the guest was given up after 8 s\n", hung.errors)
        # While other guests run, which do little more than boot.
        self.assertGreaterEqual(hung.seconds, 8)
        self.assertLess(hung.seconds, 8 + 3 * max(
            ended.seconds for ended in (panic, powered_off, reset)))
        self.check_gone(out)

    # A fake QEMU that behaves differently the first time, or each time.
    QEMU = """#!/bin/bash
folder=$(dirname "$0") real=%s
if [[ ! -e $folder/once ]]; then
    %s
    %s
fi
exec "$real" "$@"
"""
    PANICS = 'exec "$real" "$@" -append "console=ttyS0 panic=-1 rdinit=/nowhere"'

    def boot_badly(self, name, first, then="touch \"$folder/once\""):
        """Runs boot with a fake QEMU, waiting only 5 s for a guest to begin."""
        for part in ("tests/vm", "build-tests"):
            os.makedirs(self.path(name + "/" + part))
        os.symlink(boots.IMAGE, self.path(name + "/build-tests/vm"))
        self.write(name + "/tests/vm/image", "#!/bin/sh\n", 0o755)
        with open(boots.BOOT, encoding="utf-8") as file:
            text, count = re.subn(r"(?m)^BEGIN_SECONDS=\d+", "BEGIN_SECONDS=%d" % (
                5 if "sleep" in first else boots.SECONDS), file.read())
        self.assertEqual(1, count)
        program = self.write(name + "/tests/vm/boot", text, 0o755)
        self.write(name + "/" + boots.QEMU, self.QEMU % (
            shutil.which(boots.QEMU), then, first), 0o755)
        return boots.boot("echo", "done", program=program, cwd=self.folder, env={
            **os.environ, "PATH": self.path(name) + ":" + os.environ["PATH"]})

    def test_a_guest_that_never_began_is_tried_once_more(self):
        panicked, hung, always = boots.two_at_a_time(self.boot_badly, [
            ["panicked", self.PANICS], ["hung", "exec sleep 1000"], ["always", self.PANICS, ""]])
        self.assertEqual((0, "done\n"), (panicked.status, panicked.text), panicked)
        self.assertEqual("boot: the guest ended before the program began; here is another one\n",
                         panicked.errors)
        self.assertEqual((0, "done\n"), (hung.status, hung.text), hung)
        self.assertEqual("boot: the guest did not start within 5 s; here is another one\n", hung.errors)
        self.assertEqual((125, ""), (always.status, always.text), always)
        self.assertIn("boot: the guest ended without a verdict", always.errors)
        self.assertIn("Kernel panic", always.errors)
        self.assertEqual(1, always.errors.count("here is another one"))

    def test_boot_is_ended(self):
        command = [boots.BOOT, "--smp", "1", "--load", "", "sleep", "1000"]
        numbers = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL]
        ended = boots.two_at_a_time(self.end, [
            [number.name, command, number] for number in numbers])
        for number, status, one in zip(numbers, (143, 143, 130), ended):
            self.assertEqual((status, [], b""), one, number)
        self.assertEqual(-signal.SIGKILL, ended[-1][0])

    def test_wrong_options(self):
        wrong = (
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
            (["--out", os.path.abspath(__file__)], "--out .*test_boot.py: no such folder"))
        commands = [[boots.BOOT, *words, *([] if words == ["--out"] else ["true"])]
                    for words, _ in wrong]
        for (words, message), ended in zip(wrong, boots.two_at_a_time(
                boots.run, [[command] for command in commands])):
            with self.subTest(words):
                self.assertEqual((2, ""), (ended.status, ended.text), ended)
                self.assertRegex(ended.errors, "(?m)^boot: " + message)
                self.assertNotIn("another one", ended.errors)
        ended = boots.run([boots.BOOT])
        self.assertEqual((2, ""), (ended.status, ended.text))
        self.assertIn("Usage: ", ended.errors)

    def test_a_folder_that_the_guest_does_not_see(self):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            ended = boots.run([boots.BOOT, "true"], cwd=folder)
        self.assertEqual(2, ended.status)
        self.assertIn("without %s: change to another folder" % folder, ended.errors)


class Images(boots.BootTest):
    def test_two_boots_make_one_image(self):
        # In a checkout of its own, in which an earlier attempt was killed.
        for part in ("tests/vm", "contrib"):
            shutil.copytree(os.path.join(boots.TOP, part), self.path(part))
        image = self.path("build-tests/vm")
        os.makedirs(image)
        for name in os.listdir(boots.IMAGE):
            if name.endswith(".deb"):  # so that it is not fetched again
                os.link(os.path.join(boots.IMAGE, name), os.path.join(image, name))
        with subprocess.Popen([self.path("tests/vm/image")], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, start_new_session=True,
                              env={**os.environ, "TMPDIR": self.folder}) as killed:
            killed.stdout.readline()
            os.killpg(killed.pid, signal.SIGKILL)
        ended = boots.two_at_a_time(
            lambda word: boots.boot("echo", word, program=self.path("tests/vm/boot"), cwd=self.folder),
            [["one"], ["two"]])
        self.assertEqual([(0, "one\n"), (0, "two\n")], [(one.status, one.text) for one in ended])
        self.assertEqual(1, sum("Making the guest's image" in one.errors for one in ended), ended)
        self.assertEqual({"kernel", "initrd", "made-from", "lock"},
                         {name for name in os.listdir(image) if not name.endswith(".deb")})


if __name__ == "__main__":
    tap.main()
