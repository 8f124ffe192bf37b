#!/usr/bin/env python3
"""Reads registers, memory accesses and instructions of our CUDA kernels from the built module, without a GPU.

    bench/gpu_code.py [--module build/libcrescendo_cuda.so] [--cuobjdump PROGRAM] [--json]

Prints for every kernel and architecture: registers, static shared memory and stack per thread; accesses of local
memory (spilled registers, or arrays with a variable index); accesses of global memory by width in bits; tensor-core
and FP64 instructions. Instructions are counted once each, however often they run.

occupancy  share of the 64 warps that fit on a multiprocessor at once, limited by registers, static shared memory and
           block size. As NVIDIA's occupancy calculator for compute capability 8.0 and 9.0: 65,536 registers, given to
           a warp in units of 256 and to warps in fours; 2,048 threads; 32 blocks; 164 or 228 KiB of shared memory, of
           which each block loses 1 KiB.
must       bytes per element that a pointwise kernel has to move by its contract: each operand read or written once
moves      bytes per element that its instructions move

cuobjdump is in CUDA's toolkit and in pip's nvidia-cuda-cuobjdump; c++filt in binutils.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Operands per element of the pointwise kernels: read, written, written on demand. a: activation, r: real.
# A + marks kernels that add to their output.
CONTRACTS = {
    "relu_forward": ("a", "a", ""), "relu_backward+": ("aaa", "a", ""), "relu_backward": ("aa", "a", ""),
    "scale_add": ("aa", "a", ""), "scale+": ("aa", "a", ""), "scale": ("a", "a", ""),
    "widen+": ("ar", "r", ""), "widen": ("a", "r", ""), "fill": ("", "r", ""), "fill_activations": ("", "a", ""),
    "blend": ("rr", "r", ""), "sgd": ("rr", "r", "a"), "momentum": ("rrr", "rr", "a"), "adam": ("rrrr", "rrr", "a"),
}
# The calls of the formulas in kernels/pointwise.h. Fill is one kernel for reals and for activations that are reals.
FORMULAS = {"ReluOf": "relu_forward", "ReluGradient": "relu_backward", "ScaledSum": "scale_add", "ScaledBy": "scale",
            "Blended": "blend", "Constant": "fill"}
BYTES = {"bf16": 2, "float": 4}
SHARED_OF_SM = {"sm_80": 164 << 10, "sm_90a": 228 << 10}
RESERVED_SHARED = 1 << 10  # per block; cuobjdump includes it from sm_90 on


class Failure(Exception):
    """A failure; the text is one line."""


def output(words):
    """Returns a program's output. cuobjdump looks for nvdisasm on the path."""
    path = os.pathsep.join([str(pathlib.Path(words[0]).parent), os.environ.get("PATH", "")])
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False,
                          env={**os.environ, "PATH": path})
    if done.returncode != 0:
        raise Failure(f"{words[0]}: exit code {done.returncode}: {(done.stderr.strip().splitlines() or [''])[-1]}")
    return done.stdout


# ---- Parsing cuobjdump's output

def resources(text):
    """Returns {(architecture, mangled name): {"REG": ..., "STACK": ..., "SHARED": ...}} of -res-usage."""
    found, architecture, name = {}, None, None
    for line in text.splitlines():
        if line.startswith("arch = "):
            architecture = line.split()[2]
        elif line.startswith(" Function "):
            name = line.split()[1].rstrip(":")
        elif "REG:" in line:
            numbers = {key: int(number) for key, number in re.findall(r"(\w+)(?:\[0\])?:(\d+)", line)}
            found.setdefault((architecture, name), numbers)
    return found


def block_sizes(text):
    """Returns {mangled name: threads of a block} of -elf, for kernels with launch bounds."""
    found, name, attribute = {}, None, None
    for line in text.splitlines():
        words = line.split()
        if line.startswith(".section .nv.info.") or line.startswith(".nv.info."):
            name = words[-1].split(".nv.info.")[1]
        elif words[:1] == ["Attribute:"]:
            attribute = words[1]
        elif words[:1] == ["Value:"] and attribute == "EIATTR_MAX_THREADS":
            sizes = [int(word, 16) for word in words[1:4]]
            found[name] = sizes[0] * sizes[1] * sizes[2]
    return found


INSTRUCTION = re.compile(r"\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)")


def instructions(text):
    """Returns {(architecture, mangled name): Counter of instructions with their modifiers} of -sass."""
    found, architecture, counts = {}, None, collections.Counter()
    for line in text.splitlines():
        match = INSTRUCTION.match(line)
        if match:
            counts[match[1]] += 1
        elif line.startswith("arch = "):
            architecture = line.split()[2]
        elif "Function : " in line:
            counts = collections.Counter()
            found.setdefault((architecture, line.split()[2]), counts)
    return found


# ---- Facts of a kernel

def snake_case(name):
    """Returns e.g. max_pool2d_forward for MaxPool2dForward."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def short_name(demangled):
    """Returns the kernel call with its type, its elements at once and, if it adds, a +; or the kernel's signature."""
    text = re.sub(r"\bcrescendo::(cuda::)?", "", demangled)
    text = re.sub(r"\(\w+\)(?=\d)", "", text)  # the type of an enumerator
    formula = re.match(r"void map_kernel<(\d+), (\w+), (AddTo<)?(\w+)[,>]", text)
    if formula and formula[4] in FORMULAS:
        call = FORMULAS[formula[4]] + ("_activations" if formula[4] == "Constant" and formula[2] != "float" else "")
        return f"{call}<{formula[2]}, {formula[1]}>{'+' if formula[3] else ''}"
    function = re.search(r"OwnKernels<(\w+)>::(?:compute\((\w+) const&\)|(\w+)\()", text)
    if not function:
        return re.sub(r"^void |\(.*$", "", text)
    at_once = re.match(r"void (?:map|update)_kernel<(\d+),", text)
    call = snake_case(function[2]) if function[2] else function[3]
    name = f"{call}<{function[1]}{', ' + at_once[1] if at_once else ''}>"
    if "AddTo<" in text or re.search(r"each_write<.*\{lambda\(long\)#1\}>\(long, ", text):
        name += "+"
    if text.startswith("void reduce_kernel<"):
        name += ", partial results" if re.match(r"void reduce_kernel<\w+, reduce<", text) else ", elements"
    return name


def of_prefix(counts, *prefixes):
    return sum(count for opcode, count in counts.items() if opcode.split(".")[0] in prefixes)


def accesses(counts, *opcodes):
    """Returns {bits: count} of the accesses of global memory by these instructions."""
    found = collections.Counter()
    for instruction, count in counts.items():
        opcode, *modifiers = instruction.split(".")
        if opcode in opcodes:
            bits = [int(re.sub(r"\D", "", word)) for word in modifiers if re.fullmatch(r"[US]?(8|16|64|128)", word)]
            found[bits[0] if bits else 32] += count
    return {str(bits): count for bits, count in sorted(found.items(), reverse=True)}


def bytes_of(widths):
    return sum(int(bits) // 8 * count for bits, count in widths.items())


def is_double(instruction):
    arithmetic = re.match(r"(DADD|DMUL|DFMA|DSETP|DMNMX)\b", instruction)
    return bool(arithmetic) or "F64" in instruction or "64H" in instruction


def occupancy(architecture, registers, shared, threads):
    warps = (threads + 31) // 32
    by_registers = 65536 // (-(-registers * 32 // 256) * 256) // 4 * 4 // warps
    by_shared = SHARED_OF_SM.get(architecture, SHARED_OF_SM["sm_80"]) // (shared + RESERVED_SHARED)
    return min(by_registers, by_shared, 2048 // threads, 32) * warps / 64


def bytes_an_element(name, loads, stores):
    """Returns (must, moves); None if there is no contract per element, or if it cannot tell the stores apart."""
    match = re.fullmatch(r"(\w+)<(\w+)(?:, \d+)?>(\+)?", name)
    contract = CONTRACTS.get(match[1] + (match[3] or "")) if match else None
    if not contract:
        return None, None
    size = {"a": BYTES[match[2]], "r": 4}
    read, written, on_demand = (sum(size[letter] for letter in part) for part in contract)
    must = read + written + on_demand
    if on_demand:  # one code for all optimizers, so the accesses of one are unknown
        return must, None
    elements, rest = divmod(bytes_of(stores), written)
    return must, None if rest or not elements else bytes_of(loads) / elements + written


def facts(architecture, name, numbers, counts, threads):
    loads, stores = accesses(counts, "LDG", "LDGSTS"), accesses(counts, "STG")
    reserved = RESERVED_SHARED if architecture.startswith("sm_9") and numbers["SHARED"] >= RESERVED_SHARED else 0
    shared = numbers["SHARED"] - reserved
    must, moves = bytes_an_element(name, loads, stores)
    return {"kernel": name, "architecture": architecture, "registers": numbers["REG"], "threads": threads,
            "occupancy": occupancy(architecture, numbers["REG"], shared, threads) if threads else None,
            "shared_bytes": shared, "stack_bytes": numbers["STACK"], "local_accesses": of_prefix(counts, "LDL", "STL"),
            "loads": loads, "stores": stores, "bulk_copies": of_prefix(counts, "UTMALDG", "UTMASTG", "UBLKCP"),
            "tensor_core": of_prefix(counts, "HMMA", "HGMMA"),
            "fp64": sum(count for opcode, count in counts.items() if is_double(opcode)),
            "instructions": sum(counts.values()) - of_prefix(counts, "NOP"),
            "must": must, "moves": moves}


def kernels(module, cuobjdump):
    """Returns the facts of every own kernel of a module, by name. Kernels that are in two files appear once."""
    found = resources(output([cuobjdump, "-res-usage", module]))
    code = instructions(output([cuobjdump, "-sass", module]))
    threads = block_sizes(output([cuobjdump, "-elf", module]))
    if not found:
        raise Failure(f"{module}: no kernels in it")
    mangled = [name for _, name in found]
    demangled = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True)
    rows = {}
    for (key, numbers), full in zip(found.items(), demangled.stdout.splitlines()):
        row = facts(key[0], short_name(full), numbers, code[key], threads.get(key[1]))
        rows.setdefault((row["kernel"], row["architecture"]), row)
    return [rows[key] for key in sorted(rows)]


def widths_text(widths):
    return " ".join(f"{bits}:{count}" for bits, count in widths.items()) or "-"


def table(rows):
    heading = ["kernel", "for", "registers", "occupancy", "shared", "stack", "local", "loads, bits:count", "stores",
               "tensor core", "FP64", "must", "moves"]
    lines = [heading]
    for row in rows:
        share = "" if row["occupancy"] is None else f"{row['occupancy'] * 100:.0f} %"
        lines.append([row["kernel"], row["architecture"], row["registers"], share, row["shared_bytes"],
                      row["stack_bytes"], row["local_accesses"], widths_text(row["loads"]), widths_text(row["stores"]),
                      row["tensor_core"], row["fp64"], "" if row["must"] is None else row["must"],
                      "" if row["moves"] is None else f"{row['moves']:.4g}"])
    lines = [[str(cell) for cell in line] for line in lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heading))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def commit():
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def cuobjdump_of(name):
    found = shutil.which(name) or shutil.which("/usr/local/cuda/bin/" + name)
    if not found:
        raise Failure(f"no {name}: see --cuobjdump")
    return pathlib.Path(found).absolute()


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"gpu_code.py: {message} (see --help)\n")


def main(arguments):
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", type=pathlib.Path, default=ROOT / "build/libcrescendo_cuda.so")
    parser.add_argument("--cuobjdump", default="cuobjdump", metavar="PROGRAM")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if not options.module.is_file():
        parser.error(f"--module {options.module}: there is no such file")
    try:
        cuobjdump = cuobjdump_of(options.cuobjdump)
        rows = kernels(options.module, cuobjdump)
        version = re.search(r"release [\d.]+", output([cuobjdump, "--version"]))
    except Failure as failure:
        parser.error(str(failure))
    if options.json:
        head = {"command": "bench/gpu_code.py --json", "commit": commit(),
                "cuobjdump": version[0] if version else "unknown"}
        lines = ",\n".join(json.dumps(row) for row in rows)
        print(f'{json.dumps(head)[:-1]}, "kernels": [\n{lines}\n]}}')
    else:
        print(table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
