# SPDX-License-Identifier: MIT
"""A processor that the driver does not know."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402

MACHINE = guest.Machine(cpu="max", smp="1", load="msr")


class NoRapl(unittest.TestCase):
    def test_driver_refuses(self):
        loading = subprocess.run(["modprobe", "intel_rapl_msr"], check=False)
        self.assertNotEqual(0, loading.returncode)
        ended = execd.run("--check")
        self.assertEqual((1, []), (ended.status, ended.messages))
        self.assertIn("/sys/class/powercap holds no RAPL zone", ended.text)
        self.assertIn("measure on its host", ended.text)

    def test_class_is_missing(self):
        """A kernel without CONFIG_POWERCAP, simulated with an empty directory over the class."""
        subprocess.run(["mount", "-t", "tmpfs", "none", os.path.dirname(kernel.POWERCAP)],
                       check=True)
        self.addCleanup(subprocess.run, ["umount", os.path.dirname(kernel.POWERCAP)], check=True)
        ended = execd.run("--check")
        self.assertEqual((1, []), (ended.status, ended.messages))
        self.assertIn("/sys/class/powercap: No such file or directory", ended.text)
        self.assertIn("CONFIG_POWERCAP", ended.text)


if __name__ == "__main__":
    guest.main(MACHINE)
