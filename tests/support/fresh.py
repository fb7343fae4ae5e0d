# SPDX-License-Identifier: MIT
"""A fresh Debian in a folder: debootstrap's smallest system, shared by all tests and never changed.

Each run has its own namespaces for mounts and processes, and this machine's network. Its changes go
to a folder that is removed with it.
"""
import os
import shutil
import signal
import subprocess
import tempfile
import time

import execd
from handbook import SOURCE

FOLDER = os.path.join(SOURCE, "build-tests", "fresh")
CHECKOUT = "/home/new comer/rapl"
USER = "newcomer"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# The first process of the system reaps orphans, as init does. It creates a file once it has changed
# its root: until then, its root is this machine's, also for a process that enters.
READY = "/run/rapl-fresh"
INIT = ("mount -t proc proc /proc && mount -t tmpfs run /run && : >" + READY +
        " && while :; do sleep 1000 & wait $!; done")


def missing():
    if os.geteuid() != 0:
        return "a system in a folder needs root"
    if shutil.which("apt-get") is None:
        return "there is no apt-get"
    if mirror() is None or not os.path.exists(KEYRING):
        return "this machine has no packages of Debian's"
    return None


def mirror():
    """The mirror from which this machine gets Debian, or None."""
    text = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    return next((line.split()[1] for line in text.splitlines() if line.startswith("Debian ")), None)


def make(suite):
    """Makes the folder of a fresh system of that suite, which must not be changed."""
    folder = os.path.join(FOLDER, suite)
    if os.path.exists(folder):
        return folder
    os.makedirs(FOLDER, exist_ok=True)
    tools = os.path.join(FOLDER, "tools")
    subprocess.run([os.path.join(SOURCE, "contrib", "packages"), "--unpack", tools, "debootstrap"],
                   check=True)
    program = shutil.which("debootstrap") or tools + "/usr/sbin/debootstrap"
    environment = dict(os.environ)
    if program.startswith(tools):
        environment["DEBOOTSTRAP_DIR"] = tools + "/usr/share/debootstrap"
    shutil.rmtree(folder + ".new", ignore_errors=True)
    subprocess.run([program, "--variant=minbase", "--include=sudo,init-system-helpers",
                    "--keyring=" + KEYRING, suite, folder + ".new", mirror()],
                   stdout=subprocess.DEVNULL, check=True, env=environment)
    in_root = ["chroot", folder + ".new"]
    subprocess.run([*in_root, "useradd", "--create-home", USER], check=True)
    with open(folder + ".new/etc/sudoers.d/newcomer", "w", encoding="ascii") as file:
        file.write(USER + " ALL=(ALL:ALL) NOPASSWD: ALL\n")
    for path in ("dev", "proc", "sys"):
        os.makedirs(os.path.join(folder + ".new", path), exist_ok=True)
    os.rename(folder + ".new", folder)
    return folder


def copy_checkout(folder):
    """Clones the checkout and adds changes that are not committed."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", SOURCE, folder], check=True)
    names = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=SOURCE, check=True,
                           stdout=subprocess.PIPE).stdout
    with subprocess.Popen(["tar", "-c", "--ignore-failed-read", "--null", "-T", "-"], cwd=SOURCE, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as reader:
        with subprocess.Popen(["tar", "-x", "-C", folder], stdin=reader.stdout) as writer:
            reader.stdin.write(names)
            reader.stdin.close()
            assert writer.wait() == 0


class Fresh:
    """A running system over the folders below; the first folder hides files of the others."""

    def __init__(self, *below, online=True):
        self.folder = tempfile.mkdtemp(prefix="run-", dir=FOLDER)
        self.root = os.path.join(self.folder, "root")
        for name in ("root", "upper", "work"):
            os.mkdir(os.path.join(self.folder, name))
        is_first = not any(os.path.exists(folder + CHECKOUT) for folder in below)
        if is_first:
            copy_checkout(os.path.join(self.folder, "upper") + CHECKOUT)
        options = "lowerdir=%s,upperdir=%s/upper,workdir=%s/work" % (
            ":".join(below), self.folder, self.folder)
        script = ('mount -t overlay -o "$1" fresh "$0" && mount --bind /sys "$0/sys" && '
                  'mount --rbind /dev "$0/dev" && cp /etc/resolv.conf "$0/etc/resolv.conf" && '
                  'exec chroot "$0" bash -c "$2"')
        self.init = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL",
             "unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
             *([] if online else ["--net"]), "bash", "-c", script, self.root, options, INIT],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            self.pid = execd.wait_until(self._first_process, "the first process of the system")
            if is_first:
                self.run("chown", "-R", USER + ":", "/home/new comer")
        except BaseException:
            self.close()
            raise

    def _first_process(self):
        with open("/proc/%d/task/%d/children" % (self.init.pid, self.init.pid),
                  encoding="ascii") as file:
            pids = file.read().split()
        if not pids or not os.path.exists("/proc/%s/root%s" % (pids[0], READY)):
            return None
        return int(pids[0])

    def path(self, path):
        return "/proc/%d/root%s" % (self.pid, path)

    def words(self, *words, user="root"):
        home = "/root" if user == "root" else "/home/" + user
        inside = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--net", "--root",
                  "env", "-i", "--chdir=" + CHECKOUT, "TERM=dumb", "HOME=" + home,
                  "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        if user != "root":
            inside += ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]
        return [*inside, *words]

    def call(self, *words, user="root", seconds=900):
        """Runs a command in the checkout; status and output."""
        return subprocess.run(self.words(*words, user=user), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, timeout=seconds)

    def run(self, *words, **more):
        ended = self.call(*words, **more)
        if ended.returncode != 0:
            raise AssertionError("%s: status %d\n%s" % (words, ended.returncode, ended.stdout))
        return ended.stdout

    def start(self, *words, user="root"):
        """Starts a command in the background; its output is a pipe."""
        return subprocess.Popen(self.words(*words, user=user), stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                start_new_session=True)

    def processes(self):
        """The commands that run in it, except its first process and this query."""
        text = self.run("bash", "-c", "exec 2>/dev/null; for p in /proc/[0-9]*; do "
                        "[[ ${p#/proc/} = $$ ]] || tr '\\0' ' ' <$p/cmdline 2>/dev/null && echo; done")
        return sorted(line for line in text.splitlines()
                      if line.strip() and not line.startswith(("sleep 1000", "bash -c", "tr ")))

    def close(self, keep=None):
        """Ends it. Its changes can be kept as a folder for other systems."""
        os.killpg(self.init.pid, signal.SIGKILL)
        self.init.wait()
        if keep:
            os.rename(os.path.join(self.folder, "upper"), keep)
        end = time.monotonic() + execd.PATIENCE_SECONDS
        while True:  # the mounts disappear with the last process
            shutil.rmtree(self.folder, ignore_errors=True)
            if not os.path.exists(self.folder) or time.monotonic() > end:
                return
            time.sleep(0.2)


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
