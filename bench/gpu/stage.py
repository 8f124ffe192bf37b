"""Shared by the stages of bench/gpu_suite.sh: running programs, the time left, the results."""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
STAGE_SECONDS = 460  # less than eight minutes: the rest is for start and end
DEVICE = "cuda"
PRECISIONS = ["bf16", "tf32", "fp32"]  # the most important first


class Unable(Exception):
    """The stage cannot begin; the text is one line."""


class Done:
    """A finished program: its output, its seconds, and its exit code, which is None if the time was up.

    The program gets a process group of its own, so that its children end with it.
    """

    def __init__(self, words, seconds, **options):
        start = time.monotonic()
        with subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, text=True,
                              start_new_session=True, **options) as process:
            try:
                self.output, _ = process.communicate(timeout=max(seconds, 1))
                self.code = process.returncode
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                self.output, _ = process.communicate()
                self.code = None
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        self.seconds = time.monotonic() - start


class Stage:
    """The options, the time left, and the results so far."""

    def __init__(self, options):
        self.options = options
        self.start = time.monotonic()
        self.results, self.left_out, self.failures = [], [], []

    def left(self):
        return STAGE_SECONDS - (time.monotonic() - self.start)

    def program(self, name):
        return self.options.build / name

    def has_time(self, what, seconds):
        if self.left() >= seconds:
            return True
        self.left_out.append(what)
        return False

    def fail(self, what):
        print(f"FAILED: {what}", flush=True)
        self.failures.append(what)

    def output(self, what, words, peer=False):
        """Returns what a program printed in time. A peer that fails is left out; our own programs must work."""
        print(f"{what} ({self.left():.0f} s left)", flush=True)
        done = Done(words, self.left(), stdout=subprocess.PIPE)
        if done.code is None:
            self.left_out.append(f"{what}: not finished")
        elif done.code != 0 and peer:
            self.left_out.append(f"{what}: exit code {done.code}")
        elif done.code != 0:
            self.fail(f"{what}: exit code {done.code}")
        return done.output


def json_lines(text):
    """Returns the JSON objects in `text`, one per line. Lines that are cut off are left out."""
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return [value for value in found if isinstance(value, dict)]


def has_torch(stage):
    if subprocess.run([stage.options.torch, "-c", "import torch"], capture_output=True, check=False).returncode == 0:
        return True
    stage.left_out.append(f"PyTorch: {stage.options.torch} does not import it")
    return False


class DeviceMemory:
    """The peak of GPU memory during a block, in bytes above the use before it, as nvidia-smi sees it."""

    def __init__(self):
        self.before, self.peak, self.ended = self.used(), 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    @staticmethod
    def used():
        words = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        try:
            return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[0]) << 20
        except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
            return 0

    def watch(self):
        while not self.ended.wait(0.1):
            self.peak = max(self.peak, self.used() - self.before)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
