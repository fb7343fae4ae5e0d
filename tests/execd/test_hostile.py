# SPDX-License-Identifier: MIT
"""Files, links and names made to hang or mislead rapl-execd: it reports the other zones correctly,
and nothing else."""
import ctypes
import os
import re
import shutil
import socket
import stat
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import PATIENCE_SECONDS, run
from hostile import (BAD, SOUND, HostileCase, class_path, replace_with_link, write)
from tree import CLASS, RANGE_UJ, Pump, Tree

STRACE = shutil.which("strace")
ATTRIBUTES = ("name", "energy_uj", "max_energy_range_uj", "constraint_0_max_power_uw")
SECRET = "2718281828"
EXTRA = "domain=package,package_id=2"


def make_device(path, major, minor):
    os.unlink(path)
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(major, minor))


def make_block_device(path):
    os.unlink(path)
    os.mknod(path, 0o666 | stat.S_IFBLK, os.makedev(7, 0))


def make_socket(path):
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket must be short, and a zone's is not.
        folder = os.open(os.path.dirname(path), os.O_PATH)
        server.bind("/proc/self/fd/%d/%s" % (folder, os.path.basename(path)))
        os.close(folder)


def make_fifo(path):
    os.unlink(path)
    os.mkfifo(path)


def make_folder(path):
    os.unlink(path)
    os.mkdir(path)


def make_huge(path):
    """A sparse file of 1 GB without any blocks."""
    os.truncate(path, 0)
    os.truncate(path, 1 << 30)


def make_ring(path):
    """Two links that point to each other."""
    replace_with_link(path, os.path.basename(path) + ".x")
    os.symlink(os.path.basename(path), path + ".x")


def content(text):
    def spoil(path):
        with open(path, "wb") as file:
            file.write(text)
    return spoil


KINDS = {
    "a FIFO": make_fifo, "a socket": make_socket, "a folder": make_folder,
    "null": lambda path: make_device(path, 1, 3), "zero": lambda path: make_device(path, 1, 5),
    "full": lambda path: make_device(path, 1, 7), "random": lambda path: make_device(path, 1, 8),
    "a terminal": lambda path: make_device(path, 5, 0),
    "the console": lambda path: make_device(path, 5, 1), "a disk": make_block_device,
    "a link to itself": lambda path: replace_with_link(path, os.path.basename(path)),
    "a ring of links": make_ring,
}
CONTENTS = {
    "10 MB of digits": b"7" * 10000000, "binary": bytes(range(256)), "NUL within": b"12\0" b"34\n",
    "10 MB of newlines": b"\n" * 10000000, "negative": b"-1\n", "hexadecimal": b"0xffff\n",
    "a format": b"%s%s%n\n", "an escape": b"\x1b[31m5\n",
}


class Attributes(HostileCase):
    """A zone with a file that is missing, is of another type, or contains no valid value."""

    def check(self, attribute, how, spoil, extra):
        with self.subTest(file=attribute, how=how):
            tree = self.sound_tree()
            tree.add(BAD, "package-2", 5)
            spoil(os.path.realpath(tree.path(BAD, attribute)))
            # A package that exists but cannot be read leaves the total out.
            unread = attribute == "energy_uj"
            messages = self.check_sound(tree, messages=2, extra=extra, total=not unread)
            self.assertEqual(len(messages), 2 if unread else 1, messages)
            self.assertIn("%s/%s" % (BAD, attribute), messages[0])
            if unread:
                self.assertRegex(messages[1], "^W! package-2 has a counter .* total is left out")

    @unittest.skipUnless(os.geteuid() == 0, "only root makes devices")
    def test_what_is_no_file(self):
        for attribute in ATTRIBUTES:
            extra = {EXTRA} if attribute in ATTRIBUTES[2:] else set()
            for how, make in KINDS.items():
                self.check(attribute, how, make, extra)

    def test_what_is_no_value(self):
        for attribute in ATTRIBUTES[1:]:
            extra = {EXTRA} if attribute in ATTRIBUTES[2:] else set()
            for how, text in CONTENTS.items():
                self.check(attribute, how, content(text), extra)
            self.check(attribute, "1 GB", make_huge, extra)

    def test_a_file_without_newline_is_a_file(self):
        tree = self.sound_tree()
        for zone in SOUND:
            tree.write(zone, "name", SOUND[zone])
            tree.write(zone, "energy_uj", "%d" % tree.energy_uj(zone))
        self.assertEqual(self.check_sound(tree), [])

    def test_to_look_at_a_fifo_does_not_open_it(self):
        tree = self.sound_tree()
        tree.add(BAD, "package-2", 5)
        path = os.path.realpath(tree.path(BAD, "energy_uj"))
        make_fifo(path)
        opened = threading.Event()

        def wait_for_reader():
            os.close(os.open(path, os.O_WRONLY))
            opened.set()
        writer = threading.Thread(target=wait_for_reader, daemon=True)
        writer.start()
        time.sleep(0.05)
        self.check_sound(tree, messages=2, total=False)
        self.assertFalse(opened.is_set())
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        writer.join(PATIENCE_SECONDS)
        self.assertTrue(opened.is_set())


class Links(HostileCase):
    LEVELS = ("sys", "sys/class", CLASS, class_path("", BAD).lstrip("/"))

    def test_loops_on_the_way_to_all_zones(self):
        for level in self.LEVELS[:3]:
            for target in (os.path.basename(level), ".", "..", "/" + level, level + "/" + level):
                with self.subTest(level=level, target=target), Tree() as tree:
                    path = os.path.join(tree.root, level)
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    os.symlink(target, path)
                    self.check_silent(tree.root)

    def test_loops_in_place_of_a_zone(self):
        for target in (BAD, ".", "..", "../powercap", "/", "/" + CLASS, "../powercap/" + BAD):
            with self.subTest(target=target):
                tree = self.sound_tree()
                os.symlink(target, class_path(tree.root, BAD))
                self.check_sound(tree, messages=1)

    def test_a_zone_that_is_another_one(self):
        """Reached through a link: the zone has the other's name, and is reported once."""
        tree = self.sound_tree()
        os.symlink("intel-rapl:0", class_path(tree.root, BAD))
        self.assertEqual([], self.check_sound(tree))

    def outside(self):
        """Creates a zone outside of the root, and a way to it from the root."""
        outside = Tree()
        self.addCleanup(outside.__exit__)
        folder = os.path.join(outside.root, "zone")
        for attribute, text in (("name", "package-2"), ("energy_uj", SECRET),
                                ("max_energy_range_uj", RANGE_UJ)):
            write(folder, attribute, "%s\n" % text)
        return folder

    def ways_out(self, folder, root):
        """Link targets, as written, that lead to a file or directory with that path."""
        ups = os.path.join(*[".."] * 40, folder.lstrip("/"))
        yield from (folder, ups, "/proc/self/root" + folder, os.path.join("/proc/1/root", folder),
                    os.path.relpath(folder, root))

    @unittest.skipUnless(STRACE, "strace is not installed")
    def test_nothing_outside_of_the_root_is_opened(self):
        folder = self.outside()
        for attribute in ("", "name", "energy_uj", "max_energy_range_uj"):
            tree = self.sound_tree()
            ways = self.ways_out(os.path.join(folder, attribute).rstrip("/"),
                                 os.path.join(tree.root, CLASS))
            for number, way in enumerate(ways):
                zone = "intel-rapl:%x" % (2 + number)
                if attribute == "":
                    os.symlink(way, class_path(tree.root, zone))
                    continue
                tree.add(zone, "package-%d" % (2 + number), 5)
                replace_with_link(os.path.realpath(tree.path(zone, attribute)), way)
            trace = os.path.join(tree.root, "trace")
            with Pump(tree, list(SOUND), 20):
                ended = run("--once", "--interval=60ms", root=tree.root,
                            environment={"ASAN_OPTIONS": "detect_leaks=0"}, before=[
                                STRACE, "-f", "-y", "-o", trace, "-e", "trace=file,pread64,read"])
            with self.subTest(attribute=attribute):
                self.assertEqual(ended.status, 0)
                with open(trace, encoding="utf-8", errors="replace") as file:
                    opened = re.findall(r"= \d+<([^>]*)>$", file.read(), re.MULTILINE)
                self.assertIn(os.path.realpath(tree.path("intel-rapl:0", "energy_uj")), opened)
                self.assertEqual([path for path in opened if path.startswith(folder)], [])
                self.assertNotIn(SECRET, ended.text + "".join(ended.lines))
                self.assertLessEqual(len(ended.messages), 1, ended.messages)

    def test_links_to_what_the_process_has_open(self):
        for target in ("/proc/self/fd/0", "/proc/self/mem", "/dev/stdin", "/dev/zero", "/dev/tty",
                       "/etc/shadow"):
            for attribute in ("name", "energy_uj"):
                with self.subTest(target=target, attribute=attribute):
                    tree = self.sound_tree()
                    tree.add(BAD, "package-2", 5)
                    replace_with_link(os.path.realpath(tree.path(BAD, attribute)), target)
                    self.check_sound(tree, messages=1)

    def test_a_real_proc_below_the_root_is_no_way_out(self):
        """As in a container that sees its host's proc below HOST_MOUNT_PREFIX."""
        libc = ctypes.CDLL(None, use_errno=True)
        tree = self.sound_tree()
        proc = os.path.join(tree.root, "other")
        os.mkdir(proc)
        if libc.mount(b"/proc", proc.encode(), None, 4096, None) != 0:  # MS_BIND
            self.skipTest("mount: " + os.strerror(ctypes.get_errno()))
        try:
            folder = self.outside()
            tree.add(BAD, "package-2", 5)
            replace_with_link(os.path.realpath(tree.path(BAD, "energy_uj")),
                              "/other/self/root" + os.path.join(folder, "energy_uj"))
            tree.add("intel-rapl:3", "package-3", 5)
            replace_with_link(os.path.realpath(tree.path("intel-rapl:3", "energy_uj")),
                              "/other/self/fd/0")
            self.check_sound(tree, messages=2)
        finally:
            libc.umount2(proc.encode(), 2)


class Names(HostileCase):
    def test_names_are_data(self):
        for name, domain in (
                (b"\x1b[2Jpackage-2\n", "__2Jpackage-2"), (b'a"b,c d=e\n', "a_b_c_d_e"),
                (b"\xff\xfe\x80\n", "___"), (b"total\n", "total_"), (b"package--1\n", "package--1"),
                (b"package-99999999999999\n", "package-99999999999999"), (b"x" * 63 + b"\n", "x" * 63),
                (b"package-2\\\n", "package-2_"), (b"rapl,a=b c=1\nrapl 1\n", "rapl_a_b_c_1")):
            with self.subTest(name=name):
                tree = self.sound_tree()
                tree.add(BAD, "other", 5)
                tree.write(BAD, "name", name)
                self.assertEqual(self.check_sound(tree, extra={"domain=" + domain}), [])

    def test_names_that_are_none(self):
        for name in (b"", b"\n", b"\0\0\0\n", b"x" * 64 + b"\n", b"x" * 255 + b"\n"):
            with self.subTest(name=name):
                tree = self.sound_tree()
                tree.add(BAD, "other", 5)
                tree.write(BAD, "name", name)
                self.check_sound(tree, messages=1)

    def test_forty_zones_of_one_name(self):
        """All but the sound one show about the same and do not move: they count as one more
        counter."""
        tree = self.sound_tree()
        for number in range(2, 40):
            tree.add("intel-rapl:%x" % number, "package-0", 5 * number)
        second = "domain=package,package_id=0,zone_id=intel-rapl:2"
        messages = self.check_sound(tree, messages=1, extra={second})
        self.assertRegex(messages[0], "^W! package-0-intel-rapl:2: .*same name")

    def test_entries_that_only_look_like_zones(self):
        tree = self.sound_tree()
        for entry in (b"intel-rapl:\n0", b"intel-rapl-\x1b[31m:0", b"intel-rapl-\xff:0",
                      b"intel-rapl-a,b c:0", b"intel-rapl:00", b"intel-rapl:0x1",
                      b"intel-rapl:100000000", b"intel-rapl:-1", b"intel-rapl::", b"intel-rapl:0:",
                      b"intel-rapl:G", b"intel-rapl:0:0\n", b"intel-rapl-%s%n:0", b"Intel-rapl:0",
                      b"intel-rapl:" + b"0" * 200, b"dtpm:0", b"intel-rapl", b"x" * 255):
            folder = os.path.join(class_path(tree.root).encode(), entry)
            os.mkdir(folder)
            for attribute, text in ((b"name", b"package-7\n"), (b"energy_uj", b"5\n")):
                with open(os.path.join(folder, attribute), "wb") as file:
                    file.write(text)
        self.assertEqual(self.check_sound(tree), [])

    def test_deep_nesting(self):
        tree = self.sound_tree()
        zone = BAD
        while len(zone) < 252:
            os.makedirs(class_path(tree.root, zone))
            write(class_path(tree.root, zone), "name", "core\n")
            write(class_path(tree.root, zone), "energy_uj", "5\n")
            zone += ":0"
        messages = self.check_sound(tree, extra={"domain=core"}, messages=3)
        self.assertNotEqual(messages, [])

    def test_the_table_of_zones_is_plain_text(self):
        tree = self.sound_tree()
        tree.add(BAD, "other", 5)
        tree.write(BAD, "name", b"\x1b[2J\x07\xff\n")
        with Pump(tree, [*SOUND, BAD], 20):
            text = run("--check", root=tree.root).text
        self.assertRegex(text, r"\A[\x20-\x7e\n]+\Z")


if __name__ == "__main__":
    tap.main()
