"""The stage train: WRN-16-4 on CIFAR-10. Equal bits when repeated and resumed; then the whole run, timed."""

import datetime
import json
import signal
import subprocess
import time

from gpu.stage import DEVICE, Done, Unable, json_lines

TRAINING = ["--recipe", "cifar10-max5120-increased-momentum", "--precision", "bf16"]
SHORT_UPDATES = 32  # two epochs and a little
LONG_RUN = ["--eval-every", "10", "--checkpoint-every", "200"]
TO_STOP = 20  # seconds for the whole run to save and end


class Runs:
    """Training runs in folders of their own."""

    def __init__(self, stage):
        self.stage = stage
        self.folder = stage.options.build / "runs" / datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        self.folder.mkdir(parents=True)

    def words(self, name, *flags):
        return [self.stage.program("crescendo"), "train", *TRAINING, "--device", DEVICE, "--data-dir",
                self.stage.options.data_dir, "--run-dir", self.folder / name, "--quiet", *map(str, flags)]

    def digest(self, name):
        words = [self.stage.program("crescendo"), "inspect", self.folder / name, "--digest"]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()

    def events(self, name):
        file = self.folder / name / "metrics.jsonl"
        return json_lines(file.read_text()) if file.is_file() else []

    def record(self, what, name, seconds, **more):
        """Records and returns the run's result and how far it came."""
        events = self.events(name)
        tested = [event for event in events if event.get("event") == "evaluate"]
        result = {"what": what, "seconds": seconds, "epochs": max([e.get("epoch", 0) for e in events], default=0),
                  "accuracy": tested[-1]["accuracy"] if tested else None, "digest": self.digest(name), **more}
        self.stage.results.append(result)
        print(json.dumps(result), flush=True)
        return result

    def short(self, what, name, *flags):
        done = Done(self.words(name, "--max-updates", SHORT_UPDATES, *flags), self.stage.left())
        if done.code != 0:
            self.stage.fail(f"{what}: exit code {done.code}")
        return self.record(what, name, done.seconds)

    def kill(self, name):
        """Starts a run that saves often, and kills it once it has saved."""
        words = self.words(name, "--max-updates", SHORT_UPDATES, "--checkpoint-every", SHORT_UPDATES // 4)
        checkpoints = self.folder / name / "checkpoints"
        with subprocess.Popen([str(word) for word in words]) as process:
            while process.poll() is None and not list(checkpoints.glob("[!.]*.safetensors")) and self.stage.left() > 0:
                time.sleep(0.01)
            process.kill()
        if process.returncode != -signal.SIGKILL:
            self.stage.fail(f"the run that was to be killed ended with {process.returncode}")

    def whole(self):
        """Trains to the end, or stops the run when the time is nearly up."""
        start = time.monotonic()
        with subprocess.Popen([str(word) for word in self.words("whole", *LONG_RUN)]) as process:
            try:
                process.wait(timeout=max(self.stage.left() - TO_STOP, 1))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
        if process.returncode not in (0, 128 + signal.SIGTERM, -signal.SIGTERM):
            self.stage.fail(f"the whole run: exit code {process.returncode}")
        self.record("whole", "whole", time.monotonic() - start, finished=process.returncode == 0)


def stage_train(stage):
    """Trains two epochs, repeats them, kills and resumes them: equal bits. Then makes the whole run."""
    if not stage.options.data_dir:
        raise Unable("train: where is CIFAR-10? (--data-dir DIR)")
    runs = Runs(stage)
    first = runs.short("two epochs", "first")
    if stage.failures:
        return
    again = runs.short("the same again", "again")
    runs.kill("resumed")
    resumed = runs.short("killed and resumed", "resumed", "--resume")
    for other in again, resumed:
        other["equal"] = other["digest"] == first["digest"] != ""
        if not other["equal"]:
            stage.fail(f"{other['what']}: {other['digest']}, not {first['digest']}")
    runs.whole()
