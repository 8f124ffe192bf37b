#!/usr/bin/env python3
"""Runs clang-tidy on source files, and remembers by content which files are clean.

    .ci/tidy.py BUILD_FOLDER CACHE_FOLDER FILE...

Takes each file's flags from BUILD_FOLDER/compile_commands.json. A result depends on the version of clang-tidy,
.clang-tidy, the flags, and the file and all headers that it includes, without their comments. A hash over these names
the result. CACHE_FOLDER holds an empty file for each clean result. Ends with 1 if there are findings.
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
DAYS_KEPT = 90  # after its last use
# g++ has warnings that clang++ does not know, and headers (omp.h) that clang-tidy does not bring. g++'s headers use
# functions that the standard deprecates.
HEADERS_OF_GCC = subprocess.run(["g++", "-print-file-name=include"], capture_output=True, text=True,
                                check=True).stdout.strip()
FLAGS_OF_CLANG = ["-Wno-unknown-warning-option", "-Wno-deprecated-declarations", "-idirafter", HEADERS_OF_GCC]


def compile_flags(build):
    """Returns each file's flags: those of its first command, where it is compiled for several instruction sets."""
    flags = {}
    for command in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(command["command"])
        source = command["file"]
        compiler = next(i for i, word in enumerate(words) if not word.endswith("ccache"))
        output = words.index("-o")
        kept = [word for word in words[compiler + 1:output] + words[output + 2:] if word not in ("-c", source)]
        flags.setdefault(pathlib.Path(source), kept + FLAGS_OF_CLANG)
    return flags


def run(*words):
    return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, cwd=ROOT)


def code_of(line):
    """Returns a line without its comment, unless the comment speaks to clang-tidy or "//" may be in a string."""
    code, _, comment = line.partition(b"//")
    return line if b"NOLINT" in comment or code.count(b'"') % 2 else code.rstrip()


@functools.lru_cache(maxsize=None)
def digest_of(file):
    lines = map(code_of, (ROOT / file).read_bytes().splitlines())
    return hashlib.sha256(b"\n".join(line for line in lines if line)).hexdigest()


@functools.lru_cache(maxsize=None)
def version():
    return run("clang-tidy", "--version").stdout


def included(source, flags):
    """Returns the file and all that it includes; None if the preprocessor fails, which clang-tidy then reports."""
    done = run("clang++", *flags, "-M", "-MT", "x", source)
    return done.stdout.replace("\\\n", " ").split()[1:] if done.returncode == 0 else None


def key_of(source, flags):
    """Returns the name of the result. It holds no path of the clone, so that clones share results."""
    files = included(source, flags)
    if files is None:
        return None
    parts = [version(), digest_of(".clang-tidy"), *flags]
    for file in sorted(set(files)):
        parts += [file, digest_of(file)]
    return hashlib.sha256("\n".join(parts).replace(str(ROOT), "").encode()).hexdigest()


def check(source, flags, cache):
    """Returns what clang-tidy finds, as text or None; and True if the cache knew that it finds nothing."""
    key = key_of(source, flags)
    if key and (cache / key).exists():
        os.utime(cache / key)
        return None, True
    done = run("clang-tidy", "--quiet", source, "--", *flags)
    if done.returncode != 0:
        return done.stdout + done.stderr, False
    if key:
        (cache / key).touch()
    return None, False


def forget_old_results(cache):
    for file in cache.iterdir():
        if file.stat().st_mtime < time.time() - DAYS_KEPT * 86400:
            file.unlink(missing_ok=True)


def main(arguments):
    if len(arguments) < 3:
        print("usage: .ci/tidy.py BUILD_FOLDER CACHE_FOLDER FILE...", file=sys.stderr)
        return 2
    flags = compile_flags(pathlib.Path(arguments[0]))
    cache = pathlib.Path(arguments[1])
    sources = [pathlib.Path(file).resolve() for file in arguments[2:]]
    compiled = [source for source in sources if source in flags]
    cache.mkdir(parents=True, exist_ok=True)
    forget_old_results(cache)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
        results = list(executor.map(lambda source: check(source, flags[source], cache), compiled))
    findings = [found for found, _ in results if found]
    print("".join(findings), end="")
    known = sum(known for _, known in results)
    print(f"{len(compiled) - len(findings)} of {len(compiled)} files are tidy, {known} of them unchanged since they were "
          f"last checked; {len(sources) - len(compiled)} are not compiled on this machine")
    return 1 if findings or not compiled else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
