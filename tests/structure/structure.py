#!/usr/bin/env python3
"""Checks the layer rules by reading #include lines: arrows point down only (CONTRIBUTING.md, "Layers").

Usage: structure.py ROOT. Prints each violation as file:line: what, and exits 1 if there are any.
"""

import pathlib
import re
import sys

# The layers that each layer may include.
LAYERS = {
    "base": {"base"},
    "kernels": {"kernels", "base"},
    "engine": {"engine", "kernels", "base"},
    "models": {"models", "engine", "kernels", "base"},
    "data": {"data", "kernels", "base"},
    "trainer": {"trainer", "models", "data", "engine", "kernels", "base"},
}
# The rooms of trainer/: which other rooms each may include. "trainer" is the files beside the rooms.
ROOMS = {
    "trainer/schedule": set(),
    "trainer/store": set(),
    "trainer/options": {"trainer/schedule", "trainer/store"},
    "trainer/workers": set(),
    "trainer/step": {"trainer/options", "trainer/schedule", "trainer/store", "trainer/workers"},
    "trainer/record": {"trainer/options", "trainer/store"},
    "trainer/plan": {"trainer/options", "trainer/record", "trainer/schedule", "trainer/step"},
}
ROOMS["trainer"] = set(ROOMS)
ROOMS["trainer/cli"] = set(ROOMS)
EIGEN = re.compile(r"(unsupported/)?Eigen/")
CUDA = re.compile(r"(cuda|cudnn|cublas|cooperative_groups|cub/|thrust/|nccl|nvtx|mma\.h|sm_\d+|device_launch)")
MPI = re.compile(r"mpi\.h")
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
C_SUFFIXES = {".h", ".hpp", ".cpp", ".cc", ".c", ".cu", ".cuh"}
OTHER_SUFFIXES = {".py", ".cmake", ".sh", ".html", ".js", ".css"}
CHECKED_FOLDERS = [*LAYERS, "bench", "tests", "cmake"]
MAX_LINES = 500


def source_files(root):
    """Paths relative to root, sorted, of every source file in the checked folders."""
    for folder in CHECKED_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in C_SUFFIXES | OTHER_SUFFIXES and path.is_file():
                yield path.relative_to(root)


def includes(root, file):
    """(line number, name as written, path relative to root or None for a header from elsewhere)."""
    for number, line in enumerate((root / file).read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match[2]
        beside = (root / file.parent / name).resolve()
        if match[1] == '"' and beside.is_file() and beside.is_relative_to(root):
            yield number, name, beside.relative_to(root)
        elif (root / name).is_file():
            yield number, name, pathlib.PurePosixPath(name)
        else:
            # A header that does not exist still counts as part of its folder.
            inside = "/" in name and name.split("/")[0] in CHECKED_FOLDERS
            yield number, name, pathlib.PurePosixPath(name) if inside else None


def in_folder(file, folder):
    return str(file).startswith(folder + "/")


def room_of(file):
    """The folder of a file of trainer/; None for any other file."""
    return str(file.parent) if file is not None and file.parts[0] == "trainer" else None


def broken_rule(file, name, target):
    """The rule that `file`, of a layer, breaks by including `name`, found at `target`; None if it breaks none."""
    layer = file.parts[0]
    if target is not None and target.parts[0] in CHECKED_FOLDERS and target.parts[0] not in LAYERS[layer]:
        return f"{layer} must not include {target.parts[0]}: {name}"
    room, other = room_of(file), room_of(target)
    if room and other and other != room and other not in ROOMS.get(room, set()):
        return f"{room} must not include {other}: {name}"
    for backend in "kernels/cpu", "kernels/cuda":
        outside = not in_folder(file, backend) and str(file) != "engine/device.cpp"
        if target is not None and in_folder(target, backend) and outside:
            return f"only engine/device.cpp includes headers of {backend}: {name}"
    outside = not in_folder(file, "kernels/mpi") and str(file) != "trainer/workers/open_workers.cpp"
    if target is not None and in_folder(target, "kernels/mpi") and outside:
        return f"only trainer/workers/open_workers.cpp includes headers of kernels/mpi: {name}"
    if EIGEN.match(name) and not in_folder(file, "kernels/cpu"):
        return f"only kernels/cpu includes Eigen: {name}"
    if target is None and CUDA.match(name) and not in_folder(file, "kernels/cuda"):
        return f"only kernels/cuda includes CUDA: {name}"
    if target is None and MPI.match(name) and not in_folder(file, "kernels/mpi"):
        return f"only kernels/mpi includes MPI: {name}"
    return None


def find_cycle(graph):
    """A list of files, or rooms, each including the next and the last the first; None if there is none."""
    done, path = set(), []

    def visit(file):
        if file in path:
            return path[path.index(file):]
        if file in done:
            return None
        path.append(file)
        for target in graph.get(file, []):
            cycle = visit(target)
            if cycle:
                return cycle
        path.pop()
        done.add(file)
        return None

    return next((cycle for cycle in map(visit, list(graph)) if cycle), None)


def violations(root):
    """Every broken rule below `root`, as lines of text."""
    root = pathlib.Path(root).resolve()
    graph = {}
    for file in source_files(root):
        lines = len((root / file).read_text(errors="replace").splitlines())
        if lines > MAX_LINES:
            yield f"{file}:{lines}: longer than {MAX_LINES} lines"
        if file.suffix not in C_SUFFIXES:
            continue
        found = list(includes(root, file))
        graph[str(file)] = [str(target) for _, _, target in found if target is not None]
        if file.parts[0] in LAYERS:
            for number, name, target in found:
                rule = broken_rule(file, name, target)
                if rule:
                    yield f"{file}:{number}: {rule}"
    cycle = find_cycle(graph)
    if cycle:
        yield f"{cycle[0]}:1: includes itself: {' -> '.join([*cycle, cycle[0]])}"


def main(arguments):
    if len(arguments) != 2 or not (pathlib.Path(arguments[1]) / "kernels").is_dir():
        print("usage: structure.py ROOT, the folder that contains kernels/", file=sys.stderr)
        return 2
    found = list(violations(arguments[1]))
    print("\n".join(found) if found else "The layer rules hold.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
