# SPDX-License-Identifier: MIT
"""Boots systemd with udevd on this machine's files, in a guest of tests/vm.

systemd is the first process of a PID namespace. Its root is an overlay: files written to it (below
Booted.root) disappear with the guest. Devices, drivers and their uevents are those of the guest.
"""
import os
import shutil
import signal
import subprocess
import time

import execd

FOLDER = "/run/booted"
TARGET = "booted.target"

# Starts only the units that every boot has, none that the host has enabled. Then it creates a file
# as a signal, because each call of systemctl takes the emulated processor half a second.
TARGET_TEXT = """[Unit]
Requires=basic.target
Wants=booted.service
"""
SERVICE_TEXT = """[Unit]
Wants=systemd-udev-settle.service
After=basic.target systemd-udev-settle.service
[Service]
Type=oneshot
ExecStart=/bin/touch /booted
"""

# Units that only cost time here: the first alone takes 4 s of the emulated processor.
MASKED = ("systemd-tmpfiles-setup.service", "systemd-tmpfiles-clean.timer", "systemd-update-utmp.service",
          "systemd-journal-flush.service", "systemd-timesyncd.service", "e2scrub_reap.service",
          "modprobe@.service", "systemd-random-seed.service", "dbus.socket",
          "systemd-networkd.service", "ldconfig.service", "systemd-hwdb-update.service")


class Booted:
    """Call prepare() to add files, boot(), and then run() commands in it."""

    def __init__(self, masked=MASKED):
        self.root = os.path.join(FOLDER, "root")
        self.process = None
        self.pid = None
        os.mkdir(FOLDER)
        mount("-t", "tmpfs", "-o", "mode=755,size=400m", "booted", FOLDER)
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(FOLDER, name))
        mount("-t", "overlay", "-o", "lowerdir=/,upperdir=%s/upper,workdir=%s/work" % (FOLDER, FOLDER),
              "booted", self.root)
        for name in ("sys", "dev"):
            mount("--rbind", "/" + name, self.path("/" + name))
        if os.path.exists(self.path("/.dockerenv")):  # so that it is not taken for a container
            os.remove(self.path("/.dockerenv"))
        for name in ("system", "user"):
            shutil.rmtree(self.path("/etc/systemd/" + name), ignore_errors=True)
        for name in masked:
            os.makedirs(self.path("/etc/systemd/system"), exist_ok=True)
            os.symlink("/dev/null", self.path("/etc/systemd/system/" + name))
        self.write("/etc/systemd/system/" + TARGET, TARGET_TEXT)
        self.write("/etc/systemd/system/booted.service", SERVICE_TEXT)
        self.write("/etc/fstab", "")

    def path(self, path):
        return self.root + path

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, path):
        with open(self.path(path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def copy(self, source, path, mode=0o644):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        shutil.copyfile(source, self.path(path))
        os.chmod(self.path(path), mode)

    # --- running ---------------------------------------------------------------------------------

    def boot(self):
        """Returns once basic.target is reached and udev has handled all existing devices."""
        # Moves to the new root as a booting machine does: in a chroot, user namespaces are not
        # allowed.
        script = ('cd "/newroot$0" && mount --move . / && exec chroot . /bin/sh -c '
                  '"mount -t proc proc /proc && exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin '
                  'TERM=dumb /lib/systemd/systemd --unit=' + TARGET + ' --show-status=no"')
        self.process = subprocess.Popen(
            ["unshare", "--pid", "--mount", "--fork", "--kill-child", "nsenter",
             "--mount=/proc/self/ns/mnt", "/bin/sh", "-c", script, self.root],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.pid = self._wait(self._first_child, "no first process")
        self._wait(lambda: os.path.exists(self.path("/booted")), TARGET + " is not reached")
        os.remove(self.path("/booted"))

    def _first_child(self):
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid),
                  encoding="ascii") as file:
            pids = file.read().split()
        return int(pids[0]) if pids else None

    def _wait(self, condition, what):
        end = time.monotonic() + 2 * execd.PATIENCE_SECONDS
        while True:
            result = condition()
            if result:
                return result
            if self.process.poll() is not None:
                raise AssertionError("systemd has ended with %d" % self.process.returncode)
            if time.monotonic() > end:
                raise AssertionError("%s\n%s" % (what, self.tell()))
            time.sleep(0.2)

    def stop(self):
        """Stops it like a power failure."""
        if self.process is not None:
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def close(self):
        """Leaves nothing of it in the guest, except drivers that its udevd loaded."""
        self.stop()
        subprocess.run(["umount", "--recursive", "--lazy", FOLDER], check=True)
        os.rmdir(FOLDER)

    def call(self, *words, folder="/", seconds=2 * execd.PATIENCE_SECONDS):
        """Runs a command in it to its end; gives status, and stdout with stderr."""
        inside = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--", "env",
                  "--chdir=" + folder]
        return subprocess.run([*inside, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False,
                              timeout=seconds)

    def run(self, *words, check=True, **more):
        """Returns the command's output; AssertionError if its status is not 0."""
        ended = self.call(*words, **more)
        if check and ended.returncode:
            raise AssertionError("%s: status %d\n%s" % (" ".join(words), ended.returncode, ended.stdout))
        return ended.stdout.strip()

    def log(self, unit):
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit=" + unit)

    def tell(self):
        """Returns its state, to explain a failure."""
        return "\n".join(self.call(*words).stdout for words in (
            ("systemctl", "list-jobs", "--no-pager"), ("systemctl", "--failed", "--no-pager"),
            ("journalctl", "--no-pager", "--lines=60")))

    def settle(self):
        """Waits until udev has handled all uevents so far."""
        self.run("udevadm", "settle", "--timeout=%d" % execd.PATIENCE_SECONDS)


def mount(*words):
    subprocess.run(["mount", *words], check=True)
