"""The stages build, test and sanitize, which check that the backend works on this GPU."""

import os
import shlex
import subprocess
import xml.etree.ElementTree

from gpu.stage import ROOT, STAGE_SECONDS, Done

TARGETS = ["crescendo", "crescendo_cuda", "step_bench", "kernel_bench", "test_gpu_kernels",
           "test_gpu_convolutions", "test_gpu_engine", "test_gpu_models", "test_gpu_runs", "test_gpu_workers"]


def stage_build(stage):
    configure = ["cmake", "-S", ROOT, "-B", stage.options.build, "-DCMAKE_BUILD_TYPE=Release", "-DCRESCENDO_CUDA=ON",
                 "-DCRESCENDO_INSTRUCTION_SETS=native"]
    if stage.options.dependencies:
        configure.append(f"-DCMAKE_PREFIX_PATH={stage.options.dependencies.resolve()}")
    build = ["cmake", "--build", stage.options.build, "--parallel", os.cpu_count(), "--target", *TARGETS]
    for words in configure, build:
        done = Done(words, stage.left())
        stage.results.append({"command": shlex.join(map(str, words)), "seconds": done.seconds, "code": done.code})
        if done.code != 0:
            return stage.fail(f"{words[0]} {words[1]}")


def stage_test(stage):
    report = (stage.options.build / "test.xml").resolve()
    report.unlink(missing_ok=True)
    done = Done(["ctest", "--test-dir", stage.options.build, "-L", "gpu", "--output-on-failure", "--no-tests=error",
                 "--output-junit", report], stage.left())
    if done.code != 0:
        stage.fail(f"ctest: exit code {done.code}")
    if report.is_file():
        for case in xml.etree.ElementTree.parse(report).iter("testcase"):
            passed = case.get("status") == "run"
            stage.results.append({"test": case.get("name"), "passed": passed, "seconds": float(case.get("time"))})
            if not passed:
                stage.fail(f"{case.get('name')}: {case.get('status')}")


def sanitize(stage, tool, program, chosen):
    done = Done(["compute-sanitizer", "--tool", tool, "--error-exitcode", "1", stage.program(program), chosen],
                min(stage.left(), STAGE_SECONDS / 4), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    last = done.output.strip().splitlines()[-8:]
    print("\n".join([f"{tool} of {program}: exit code {done.code}", *last]), flush=True)
    stage.results.append({"tool": tool, "program": program, "passed": done.code == 0,
                          "finished": done.code is not None, "seconds": done.seconds, "last_lines": last})
    if done.code != 0:
        stage.fail(f"{tool} of {program}: " + ("the time was up" if done.code is None else f"exit code {done.code}"))


def stage_sanitize(stage):
    # Checks our own convolutions only, not cuDNN's.
    for program, chosen in (("test_gpu_kernels", "--test-case-exclude=convolutions *"),
                            ("test_gpu_convolutions", "--test-case=*conv*")):
        for tool in "memcheck", "racecheck":
            sanitize(stage, tool, program, chosen)


