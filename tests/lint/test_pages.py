# SPDX-License-Identifier: MIT
"""The pages of the repository: every relative link and every anchor leads somewhere."""
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import handbook  # noqa: E402
import pages  # noqa: E402
import tap  # noqa: E402


class Repository(unittest.TestCase):
    def test_every_link_leads_somewhere(self):
        self.assertEqual([], pages.find_broken(TOP))

    def test_readme_has_at_most_120_lines(self):
        with open(os.path.join(TOP, "README.md"), encoding="utf-8") as file:
            self.assertLessEqual(len(file.read().splitlines()), 120)

    def test_readme_links_to_every_page_of_docs(self):
        linked = {target.partition("#")[0]
                  for _, target in pages.read_links(os.path.join(TOP, "README.md"))}
        there = {page for page in pages.list_pages(TOP) if page.startswith("docs" + os.sep)}
        self.assertGreater(len(there), 10)
        self.assertEqual(set(), there - linked)

    def test_sources_cite_pages_and_rules_that_there_are(self):
        self.assertEqual([], pages.find_wrong_citations(TOP))

    def test_layers_are_those_of_tests_run(self):
        layers = subprocess.run(
            ["bash", "-c", '. "$0"; echo "${all_layers[@]}" "${long_layers[@]}"',
             os.path.join(TOP, "tests", "run.d", "layers.bash")],
            stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout.split()
        self.assertEqual(set(layers), {row[0] for row in handbook.rows("docs/testing.md", "layer")})

    def test_commands_for_rights_are_those_that_are_tried(self):
        """tests/systemd runs those of contrib/systemd/README.md in a guest."""
        tried = handbook.commands("contrib/systemd/README.md", "From the folder of the source")
        tried += handbook.commands("contrib/systemd/README.md", "Telegraf:")
        page = handbook.commands("docs/permissions.md", "of a zone that are read")
        page += handbook.commands("docs/permissions.md", "Then Telegraf")
        self.assertEqual(tried, page)
        joined = handbook.commands("README.md", "everyone. Other ways")
        readme = [command for line in joined for command in line.split(" && sudo ")]
        self.assertEqual(sorted(tried[:-2]), sorted(readme))
        start = handbook.commands("README.md", "**Telegraf**")
        self.assertEqual(tried[-2:], start[1:3])


class Checker(unittest.TestCase):
    """What the checker finds in pages made for this test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = folder.name

    def write(self, path, text):
        path = os.path.join(self.top, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def check(self, text, *broken):
        self.write("docs/page.md", text)
        self.assertEqual(["docs/page.md:" + line for line in broken], pages.find_broken(self.top))

    def test_a_file_that_is_missing(self):
        self.check("# Page\n\n[a](other.md) and ![b](b.png)\n", "3: other.md leads to no file",
                   "3: b.png leads to no file")

    def test_a_heading_that_is_missing(self):
        self.write("README.md", "# Top\n## One two\n")
        self.check("[a](../README.md#one-two) [b](../README.md#one-three) [c](#page)\n\n# Page 1\n",
                   "1: ../README.md#one-three leads to no heading", "1: #page leads to no heading")

    def test_a_definition(self):
        self.check("see [a]\n\n[a]: gone.md\n", "3: gone.md leads to no file")

    def test_a_file_outside(self):
        self.check("[a](../../etc/passwd) [b](/etc/passwd)\n",
                   "1: ../../etc/passwd leads out of the repository", "1: /etc/passwd is absolute")

    def test_a_named_file_that_is_missing(self):
        self.write("contrib/there", "")
        self.check("`contrib/there` `contrib/gone` `docs/` `./tests/run unit`\n",
                   "1: there is no contrib/gone")

    def test_what_is_no_link(self):
        self.check("`[a](b)`\n\n    [a](b)\n\n```\n[a](b)\n```\n\n[a](https://example.org/b#c)\n")

    def test_anchors_of_headings(self):
        self.write("docs/page.md", "# `energy_uj`, and why\n## What's new?\n## Same\n## Same\n```\n# x\n```\n"
                   "## A [link](page.md) in it\n")
        self.assertEqual({"energy_uj-and-why", "whats-new", "same", "same-1", "a-link-in-it"},
                         pages.read_anchors(os.path.join(self.top, "docs", "page.md")))

    def test_citations(self):
        self.write("docs/design.md", "### Rule 1: one\n### Rule 2: two\n")
        self.write("tests/a.c", "/* docs/design.md, rules 1\n * and 3; docs/gone.md; docs/design.md, rule 2. */\n")
        self.assertEqual(["tests/a.c: there is no docs/gone.md", "tests/a.c: there is no rule 3"],
                         pages.find_wrong_citations(self.top))

    def test_pages_of_builds_are_not_ours(self):
        self.write("build-tests/page.md", "[a](gone.md)")
        self.write(".cache/page.md", "[a](gone.md)")
        self.check("# Page\n")


if __name__ == "__main__":
    tap.main()
