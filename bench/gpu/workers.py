"""The stage workers: one run on 1, 2, 4 and 8 workers, as many as there are GPUs. Equal bits; images per second."""

import json
import subprocess

from gpu.stage import DEVICE, Done, json_lines

# 16 ghost batches an update. (Workers that share a GPU would each fill its memory with --micro-batch auto.)
TRAINING = ["--model", "wrn-16-4", "--data", "shapes", "--train-images", 16384, "--epochs", 6, "--milestones", "none",
            "--batch", 2048, "--ghost-batch", 128, "--micro-batch", 512, "--precision", "bf16", "--eval-every", 0]


def count_gpus():
    done = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    return len(done.stdout.splitlines())


def train(stage, workers, device):
    """Trains on so many workers, and records and returns the result."""
    folder = stage.options.build / "runs" / f"workers-{workers}"
    subprocess.run(["rm", "-rf", folder], check=True)
    crescendo = stage.program("crescendo")
    words = [crescendo, "launch", "-n", workers, "--", "train", *TRAINING, "--device", device, "--run-dir", folder,
             "--quiet"]
    print(f"{workers} workers ({stage.left():.0f} s left)", flush=True)
    done = Done(words, stage.left())
    result = {"what": "workers", "workers": workers, "device": device, "seconds": done.seconds}
    if done.code != 0:
        stage.fail(f"{workers} workers: exit code {done.code}")
        return result
    lines = [line for line in json_lines((folder / "metrics.jsonl").read_text()) if line["event"] == "train"]
    last = lines[-1]
    for key in "images_per_second", "exchange_seconds", "waiting_seconds":
        result[key] = last.get(key)
    digest = subprocess.run([crescendo, "inspect", folder, "--digest"], capture_output=True, text=True, check=False)
    result["digest"] = digest.stdout.strip()
    stage.results.append(result)
    print(json.dumps(result), flush=True)
    return result


def stage_workers(stage):
    """Two workers share the GPU if there is one only, and then exchange through host memory, not by NCCL."""
    version = subprocess.run([stage.program("crescendo"), "--version"], capture_output=True, text=True, check=False)
    if "MPI" not in version.stdout:
        stage.left_out.append("workers: the program was built without MPI")
        return
    gpus = count_gpus()
    one = train(stage, 1, DEVICE)
    for workers in 2, 4, 8:
        if workers > max(gpus, 2) or stage.failures:
            break
        shared = f"{DEVICE}:0" if DEVICE == "cuda" and gpus == 1 else DEVICE
        if not stage.has_time(f"{workers} workers", 60):
            break
        result = train(stage, workers, shared)
        result["equal"] = result.get("digest") == one["digest"] != ""
        if not stage.failures and not result["equal"]:
            stage.fail(f"{workers} workers: {result['digest']}, not {one['digest']}")
