#!/usr/bin/env python3
""".ci/tidy.py checks a file again if anything that its result depends on has changed, and only then.

clang-tidy and clang++ are stand-ins: the first finds something in files with the word "bad", and notes its calls.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / ".ci/tidy.py"
CLANG_TIDY = """#!/bin/bash
if [[ $1 == --version ]]; then cat "$TOOLS/version"; exit; fi
echo "$@" >>"$TOOLS/calls"
if grep -q bad "$2"; then echo "$2: found"; exit 1; fi
"""
CLANG = """#!/bin/bash
grep -q unreadable "${@: -1}" && exit 1
echo "x: ${@: -1} \\\\"
echo "  ${@: -1}.h"
"""


class Tidy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.tools = self.folder / "tools"
        self.tools.mkdir()
        for name, text in ("clang-tidy", CLANG_TIDY), ("clang++", CLANG):
            (self.tools / name).write_text(text)
            (self.tools / name).chmod(0o755)
        (self.tools / "version").write_text("14\n")
        self.clone = self.make_clone("clone")

    def make_clone(self, name):
        clone = self.folder / name
        (clone / ".ci").mkdir(parents=True)
        shutil.copy(SCRIPT, clone / ".ci")
        for file, text in (".clang-tidy", "Checks: all\n"), ("a.cpp", "a\n"), ("a.cpp.h", "header\n"):
            (clone / file).write_text(text)
        self.write_flags(clone, "-O3")
        return clone

    def write_flags(self, clone, flag):
        source = clone / "a.cpp"
        commands = [{"file": str(source), "command": f"/usr/bin/ccache c++ {option} -I{clone} -o a.o -c {source}"}
                    for option in (flag, "-second-instruction-set")]
        (clone / "compile_commands.json").write_text(json.dumps(commands))

    def check(self, clone=None, files=("a.cpp",)):
        """Runs the script; its exit code, and how often it called clang-tidy."""
        clone = clone or self.clone
        calls = self.tools / "calls"
        calls.write_text("")
        environment = {**os.environ, "PATH": f"{self.tools}:{os.environ['PATH']}", "TOOLS": str(self.tools)}
        done = subprocess.run([sys.executable, ".ci/tidy.py", ".", self.folder / "cache", *files], cwd=clone,
                              env=environment, capture_output=True, text=True, check=False)
        self.output = done.stdout + done.stderr
        return done.returncode, len(calls.read_text().splitlines())

    def test_a_clean_file_is_checked_once(self):
        self.assertEqual(self.check(), (0, 1), self.output)
        self.assertEqual(self.check(), (0, 0))
        self.assertEqual(self.check(self.make_clone("elsewhere")), (0, 0))

    def test_every_change_is_checked(self):
        changes = [lambda: (self.clone / "a.cpp").write_text("a changed\n"),
                   lambda: (self.clone / "a.cpp.h").write_text("header changed\n"),
                   lambda: (self.clone / ".clang-tidy").write_text("Checks: some\n"),
                   lambda: (self.tools / "version").write_text("15\n"),
                   lambda: self.write_flags(self.clone, "-O2")]
        self.check()
        for change in changes:
            change()
            self.assertEqual(self.check(), (0, 1), self.output)
            self.assertEqual(self.check(), (0, 0), self.output)

    def test_changes_of_comments_are_not_checked(self):
        def write(*lines):
            (self.clone / "a.cpp").write_text("\n".join(lines) + "\n")

        write("// one", "int a;  // two", 'f("http://a");')
        self.assertEqual(self.check(), (0, 1), self.output)
        write("", "// three", "// lines", "int a;", 'f("http://a");')
        self.assertEqual(self.check(), (0, 0), self.output)
        for changed in ('f("http://b");', "int a;  // NOLINT(a)", "int a;  // NOLINT(b)", "int b;"):
            write(changed)
            self.assertEqual(self.check(), (0, 1), self.output)

    def test_findings_are_not_remembered(self):
        (self.clone / "a.cpp").write_text("bad\n")
        for _ in range(2):
            self.assertEqual(self.check(), (1, 1))
            self.assertIn("a.cpp: found", self.output)

    def test_a_file_that_cannot_be_preprocessed_is_always_checked(self):
        (self.clone / "a.cpp").write_text("unreadable\n")
        for _ in range(2):
            self.assertEqual(self.check(), (0, 1))

    def test_files_that_are_not_compiled(self):
        self.assertEqual(self.check(files=("a.cpp", "b.cpp")), (0, 1))
        self.assertIn("1 are not compiled", self.output)
        self.assertEqual(self.check(files=("b.cpp",)), (1, 0))  # nothing checked is nothing shown
        self.assertEqual(self.check(files=()), (2, 0))


if __name__ == "__main__":
    unittest.main()
