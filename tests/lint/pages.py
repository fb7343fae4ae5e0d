# SPDX-License-Identifier: MIT
"""The links of the Markdown pages below a directory, and their targets."""
import os
import re

# Directories of builds, caches and git contain pages that are not ours.
FOREIGN = re.compile(r"^(build.*|\..*|__pycache__)$")
PAGE = re.compile(r"\.md$")
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s+<?([^\s>]+)>?")
HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*$")
FENCE = re.compile(r"^ {0,3}(```|~~~)")
CODE = re.compile(r"(`+)(.+?)\1")
# Paths of the repository in inline code. Those in core and plugins change too often.
PATH = re.compile(r"^(?:\./)?((?:configs|contrib|docs|tests)/[\w./-]*)$")


def list_files(top, names, left_out=()):
    """The paths of all files whose names match, relative to top; without directories left out."""
    paths = []
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders
                            if not FOREIGN.match(name) and name not in left_out)
        paths += [os.path.relpath(os.path.join(folder, name), top)
                  for name in sorted(files) if names.search(name)]
    return paths


def list_pages(top):
    return list_files(top, PAGE)


def read_prose(path):
    """(number, line) of each line that is neither fenced nor indented code."""
    fenced = False
    after_blank = True
    indented = False
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file.read().splitlines(), 1):
            if FENCE.match(line):
                fenced = not fenced
                continue
            indented = line.startswith("    ") and (after_blank or indented)
            after_blank = line.strip() == ""
            if not fenced and not indented:
                yield number, line


def slug(heading):
    """The anchor that GitHub and GitLab give to a heading."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def read_anchors(path):
    anchors = set()
    for _, line in read_prose(path):
        match = HEADING.match(line)
        if match:
            name = slug(match[2])
            number = 0
            while name + ("-%d" % number if number else "") in anchors:
                number += 1
            anchors.add(name + ("-%d" % number if number else ""))
    return anchors


def read_links(path):
    """(number, target) of each link and image."""
    for number, line in read_prose(path):
        text = CODE.sub("", line)
        for match in list(LINK.finditer(text)) + list(DEFINITION.finditer(text)):
            yield number, match[1]


def read_paths(path):
    """(number, path) of each file or directory of the repository that is named in inline code."""
    for number, line in read_prose(path):
        for match in CODE.finditer(line):
            named = PATH.match(match[2].strip().split(":")[0])
            if named:
                yield number, named[1]


def fault_of(top, page, target):
    """Why a link of the page leads nowhere, or None."""
    if re.match(r"^[a-z][a-z0-9+.-]*:", target):
        return None  # on another host: not checked
    name, _, anchor = target.partition("#")
    if name.startswith("/"):
        return "is absolute"
    path = os.path.normpath(os.path.join(top, os.path.dirname(page), name)) if name else \
        os.path.join(top, page)
    if os.path.relpath(path, top).startswith(".."):
        return "leads out of the repository"
    if not os.path.exists(path):
        return "leads to no file"
    if anchor and (not path.endswith(".md") or anchor not in read_anchors(path)):
        return "leads to no heading"
    return None


def find_broken(top):
    """One line for each link and each named file of the pages that does not exist."""
    broken = []
    for page in list_pages(top):
        path = os.path.join(top, page)
        for number, target in read_links(path):
            fault = fault_of(top, page, target)
            if fault:
                broken.append("%s:%d: %s %s" % (page, number, target, fault))
        for number, named in read_paths(path):
            if not os.path.exists(os.path.join(top, named)):
                broken.append("%s:%d: there is no %s" % (page, number, named))
    return broken


# --- citations of pages in sources ---------------------------------------------------------------

SOURCE = re.compile(r"\.(c|h|py|bash|cmake|conf|rules)$|^(run|demo|packages|boot|image|CMakeLists\.txt)$")
CITED_PAGE = re.compile(r"\b((?:docs|contrib|tests)/[\w/-]+\.md)\b")
CITED_RULE = re.compile(r"design\.md, rules? ((?:\d+(?:, | and | to |\b))+)")


def list_sources(top):
    return list_files(top, SOURCE, ("corpus", "lint"))


def find_wrong_citations(top):
    """One line for each page or rule that a source cites and that does not exist."""
    anchors = read_anchors(os.path.join(top, "docs", "design.md"))
    rules = {match[1] for match in (re.match(r"rule-(\d+)-", anchor) for anchor in anchors) if match}
    wrong = []
    for source in list_sources(top):
        with open(os.path.join(top, source), encoding="utf-8") as file:
            text = re.sub(r"\n\s*[*#]*\s*", " ", file.read())
        wrong += ["%s: there is no %s" % (source, page) for page in CITED_PAGE.findall(text)
                  if not os.path.exists(os.path.join(top, page))]
        wrong += ["%s: there is no rule %s" % (source, number)
                  for cited in CITED_RULE.findall(text) for number in re.findall(r"\d+", cited)
                  if number not in rules]
    return wrong
