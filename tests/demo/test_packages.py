# SPDX-License-Identifier: MIT
"""contrib/packages with a fake apt-get: what it asks apt-get for, and what it leaves alone."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import handbook  # noqa: E402
import tap  # noqa: E402

PACKAGES = os.path.join(handbook.SOURCE, "contrib", "packages")
# The file that keeps services from being started, and copies of it.
SHOW_POLICY = "tail -v -n +1 /usr/sbin/policy-rc.d*"

DPKG_QUERY = """#!/bin/sh
sed 's/$/ installed/' "$FAKE/installed"
"""

# Knows the packages a, b and c, and d, which depends on c. Its lock is taken for a second.
APT_GET = """#!/bin/bash
echo "$*" >>"$FAKE/calls"
plan() {
    for word in "$@"; do
        case $word in
        a | b | c) echo "Inst $word (1.0 Debian:12 [all])" ;;
        d) echo "Inst c (1.0 Debian:12 [all])"; echo "Inst d [0.9] (1.0 Debian:12 [all])" ;;
        -* | install | *=* | *::*) ;;
        *) echo "E: Unable to locate package $word"; exit 100 ;;
        esac
    done
}
case " $* " in
*" -s "*) plan "$@" ;;
*" --print-uris "*) ;;
*" update "*) ;;
*" download "*)
    for word in "$@"; do
        [[ $word != [a-d]=1.0 ]] || cp "$FAKE/${word%=*}.deb" .
    done ;;
*" install "*)
    @SHOW_POLICY@ >"$FAKE/policy" 2>/dev/null
    printf 'Waiting for cache lock: Could not get lock x. It is held by process 7 (other)\\r'
    touch "$FAKE/begun"
    sleep 1
    while [[ $1 != -- ]]; do shift; done
    printf '%s\\n' "${@:2}" >>"$FAKE/installed" ;;
esac
""".replace("@SHOW_POLICY@", SHOW_POLICY)


class Packages(unittest.TestCase):
    def setUp(self):
        self.fake = tempfile.mkdtemp(prefix="rapl-packages-test-")
        self.addCleanup(shutil.rmtree, self.fake)
        self.temporary = os.path.join(self.fake, "tmp")
        os.mkdir(self.temporary)
        for name, text in (("apt-get", APT_GET), ("dpkg-query", DPKG_QUERY), ("installed", "base\n"),
                           ("calls", "")):
            path = os.path.join(self.fake, name)
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
            os.chmod(path, 0o755)
        for name in ("mktemp", "tr", "grep", "sleep", "sort", "tail", "cat", "rm", "sed", "awk", "mkdir",
                     "realpath", "flock", "tar", "dpkg-deb", "ln", "env", "bash", "sh", "touch", "cp"):
            os.symlink(shutil.which(name, path="/usr/bin:/bin"), os.path.join(self.fake, name))

    def start(self, *words, before=()):
        process = subprocess.Popen(
            [*before, PACKAGES, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True, cwd=self.fake,
            env={"PATH": self.fake, "FAKE": self.fake, "TMPDIR": self.temporary})
        self.addCleanup(process.communicate)
        return process

    def run_it(self, *words, **more):
        process = self.start(*words, **more)
        output = process.communicate(timeout=execd.PATIENCE_SECONDS)[0]
        self.assertEqual([], os.listdir(self.temporary))
        return process.returncode, output

    def read(self, name):
        with open(os.path.join(self.fake, name), encoding="utf-8") as file:
            return file.read()

    def installs(self):
        """The calls that change something."""
        calls = [line for line in self.read("calls").splitlines() if "install" in line.split()]
        return [line for line in calls if not {"-s", "--print-uris"} & set(line.split())]

    def make_archives(self):
        for name in "abcd":
            folder = os.path.join(self.fake, "archive-" + name)
            for part in ("DEBIAN", "lib/systemd/system"):
                os.makedirs(os.path.join(folder, part))
            with open(folder + "/DEBIAN/control", "w", encoding="ascii") as file:
                file.write("Package: %s\nVersion: 1.0\nArchitecture: all\nMaintainer: x <x@y>\n"
                           "Description: x\n" % name)
            with open(folder + "/lib/systemd/system/%s.service" % name, "w", encoding="ascii"):
                pass
            subprocess.run(["dpkg-deb", "--build", folder, os.path.join(self.fake, name + ".deb")],
                           stdout=subprocess.DEVNULL, check=True)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_no_service_of_others_is_denied(self):
        """policy-rc.d stays as it was while apt-get installs."""
        before = subprocess.run(["sh", "-c", SHOW_POLICY], text=True, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        status, output = self.run_it("a")
        self.assertEqual(0, status, output)
        self.assertEqual(before, self.read("policy"))

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_what_is_missing_is_installed(self):
        status, output = self.run_it("--for", "a test", "base", "a")
        self.assertEqual((0, "base\na\n"), (status, self.read("installed")), output)
        self.assertIn("Missing Debian packages (a test): a", output)
        self.assertIn("--no-remove -- a", self.installs()[0])
        self.assertIn("Waiting for another program that installs packages, up to 300 s: "
                      "held by process 7 (other)", output)
        self.assertEqual((0, ""), self.run_it("base", "a"))

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_what_may_be_missing(self):
        status, output = self.run_it("--also=unknown", "--also=b", "a")
        self.assertEqual(0, status, output)
        self.assertIn("Continuing without: ", output)
        self.assertRegex(self.installs()[0], " -- a b$")

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_unknown_package(self):
        status, output = self.run_it("unknown")
        self.assertEqual(1, status)
        self.assertIn("E: Unable to locate package unknown\n", output)
        self.assertIn("By hand: apt-get install unknown\n", output)
        self.assertEqual([], self.installs())

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_interrupted(self):
        """The script passes the signal to apt-get alone, because dpkg may be running."""
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.start("a")
            execd.wait_until(lambda: os.path.exists(self.fake + "/begun"), "apt-get install")
            process.send_signal(number)
            process.communicate(timeout=execd.PATIENCE_SECONDS)
            self.assertEqual(status, process.returncode)
            self.assertEqual([], os.listdir(self.temporary))
            os.remove(self.fake + "/begun")
            with open(self.fake + "/installed", "w", encoding="ascii") as file:
                file.write("base\n")

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_killed(self):
        """apt-get finishes what it has begun, and nothing of the script is left."""
        process = self.start("a")
        execd.wait_until(lambda: os.path.exists(self.fake + "/begun"), "apt-get install")
        process.kill()
        process.wait()
        self.assertEqual([], os.listdir(self.temporary))
        execd.wait_until(lambda: self.read("installed") == "base\na\n", "the end of apt-get")

    def as_nobody(self):
        if os.geteuid() != 0:
            return []
        subprocess.run(["chown", "-R", "nobody", self.fake], check=True)
        return [shutil.which("setpriv"), "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]

    def test_without_sudo(self):
        status, output = self.run_it("a", before=self.as_nobody())
        self.assertEqual(1, status)
        self.assertIn("there is no sudo", output)
        self.assertIn("By hand, as root: apt-get install a\n", output)

    def test_unpacked_without_a_right(self):
        """With their dependencies, once each; nothing is installed."""
        self.make_archives()
        before = self.as_nobody()
        folder = self.fake + "/a folder"
        status, output = self.run_it("--unpack", folder, "d", "base", before=before)
        self.assertEqual(0, status, output)
        for name in "cd":
            self.assertTrue(os.path.exists(folder + "/usr/lib/systemd/system/%s.service" % name))
        self.assertEqual(["bin", "lib", "lib64", "sbin", "unpacked", "usr"], sorted(os.listdir(folder)))
        self.assertEqual([], self.installs())
        self.assertEqual((0, ""), self.run_it("--unpack", folder, "d", "base", before=before))


if __name__ == "__main__":
    tap.main()
