"""Checks that code compiled for one instruction set cannot run on a processor without it.

The linker keeps one copy of an inline function that several files share. If that copy came from a file compiled for
AVX-512, it could run anywhere in the program, on a processor without AVX-512 too. So all code of such files that is
visible to others must be in the instruction set's own namespace, and none may run before main().

usage: isolated_kernels.py NM NAMESPACE OBJECT...
"""

import re
import subprocess
import sys

SYMBOL = re.compile(r"^[0-9a-f]+ (?P<kind>\w) (?P<name>.+)$")
CODE = "TtWi"  # in a text section, weak, indirect


def leaks(symbols, namespace):
    """Returns the lines of nm's output, demangled, that name code outside the namespace."""
    found = []
    for line in symbols.splitlines():
        match = SYMBOL.match(line)
        if not match or match["kind"] not in CODE:
            continue
        before_main = match["name"].startswith(("_GLOBAL__sub_I", "__static_initialization"))
        visible = match["kind"] != "t"
        # nm leaves the names of some lambdas mangled.
        inside = f"crescendo::{namespace}::" in match["name"] or match["name"].startswith(
            f"_ZN9crescendo{len(namespace)}{namespace}")
        if before_main or visible and not inside:
            found.append(line)
    return found


def check_itself():
    assert not leaks("0 T crescendo::avx2::f()\n0 t g()\n0 V typeinfo for A\n0 W std::f<crescendo::avx2::A>()", "avx2")
    assert leaks("0 W crescendo::f()", "avx2")
    assert leaks("0 W int std::max<int>(int, int)", "avx2")
    assert leaks("0 t _GLOBAL__sub_I_f.cpp", "avx2")
    assert not leaks("0 W _ZN9crescendo4avx21fIZNS0_1gEvEUlvE_EEvT_", "avx2")
    assert leaks("0 W _ZN9crescendo6avx5121fIZNS0_1gEvEUlvE_EEvT_", "avx2")


def main(nm, namespace, *objects):
    check_itself()
    assert objects, __doc__
    listing = subprocess.run([nm, "-C", "--defined-only", *objects], check=True, capture_output=True, text=True).stdout
    assert f"crescendo::{namespace}::make_backend" in listing, f"{namespace}: no factory among its symbols"
    found = sorted(set(leaks(listing, namespace)))
    for line in found:
        print(f"{namespace}: visible outside its namespace: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
