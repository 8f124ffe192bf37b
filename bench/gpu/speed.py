"""The stages kernels, step and step-large: our kernels and training steps in turn with PyTorch's."""

import json
import re
import subprocess

from gpu.stage import DEVICE, PRECISIONS, ROOT, DeviceMemory, has_torch, json_lines

KERNEL_BATCH = 128
KERNEL_SECONDS = 0.1  # per benchmark
STEPS = {128: 50, 1024: 20, 4096: 10}  # batch -> timed steps

# ---- kernels

KEPT = ["gflops", "gbytes_per_second", "peak_share", "bandwidth_share", "times_in_model"]


def convolutions_of(stage):
    """Returns the choices of kernel_bench --convolution."""
    text = subprocess.run([stage.program("kernel_bench"), "--help"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"--convolution TEXT:\{([^}]*)\}", text)
    return found[1].split(",") if found else []


def our_kernels(stage, model, precision, convolution, pattern):
    """Times our kernels and returns the geometries of the convolutions among them."""
    words = [stage.program("kernel_bench"), "--device", DEVICE, "--precision", precision, "--layers", model, "--batch",
             KERNEL_BATCH, "--convolution", convolution, f"--benchmark_min_time={KERNEL_SECONDS}",
             "--benchmark_format=json", f"--benchmark_filter={pattern}"]
    text = stage.output(f"kernel_bench {model} {precision} {convolution}", words)
    try:
        report = json.loads(text)
    except ValueError:
        return []
    common = {"program": "kernel_bench", "model": model, "precision": precision, "convolution": convolution,
              "peak_gflops": report["context"].get("peak_gflops"),
              "peak_gbytes_per_second": report["context"].get("bandwidth_gbytes_per_second")}
    for one in report["benchmarks"]:
        kept = {key: one[key] for key in KEPT if key in one}
        stage.results.append({**common, "name": one["name"], "seconds": one["real_time"] / 1e6, **kept})
    return [one["name"].split("/")[1] for one in report["benchmarks"] if one["name"].startswith("conv2d_forward/")]


def torch_kernels(stage, model, precision, geometries):
    words = [stage.options.torch, ROOT / "bench/peers/torch_conv.py", "--device", DEVICE, "--precision", precision,
             "--layout", "channels_last", "--min-time", KERNEL_SECONDS, *geometries]
    for report in json_lines(stage.output(f"torch_conv.py {model} {precision}", words, peer=True)):
        common = {"program": "torch", "model": model, "precision": precision, "version": report["torch"],
                  "cudnn": report.get("cudnn")}
        stage.results += [{**common, "name": name, "seconds": seconds} for name, seconds in report["seconds"].items()]


def stage_kernels(stage):
    """Times all kernels of WRN-16-4's layers and the convolutions of ResNet-50, each in turn with PyTorch's."""
    with_own, with_torch = "own" in convolutions_of(stage), has_torch(stage)
    for precision in PRECISIONS:
        for model in "wrn-16-4", "resnet-50":
            if not stage.has_time(f"{model} {precision}", 60):
                continue
            everything = model == "wrn-16-4" and precision == "bf16"
            geometries = our_kernels(stage, model, precision, "auto", "." if everything else "^conv2d_")
            if model == "wrn-16-4" and with_own:
                our_kernels(stage, model, precision, "own", "^conv2d_.*_r3_s3_")
            if with_torch and geometries:
                torch_kernels(stage, model, precision, geometries)


# ---- step

def our_step(stage, batch, precision):
    words = [stage.program("step_bench"), "--device", DEVICE, "--precision", precision, "--batch", batch,
             "--ghost-batch", 128, "--micro-batch", batch, "--steps", STEPS[batch], "--warmup", 5, "--json"]
    with DeviceMemory() as memory:
        text = stage.output(f"step_bench, batch {batch}, {precision}", words)
    stage.results += [{**one, "device_bytes": memory.peak} for one in json_lines(text)]


def torch_step(stage, batch, dtype, *flags):
    """Times PyTorch: with --all every variant that finishes in time; otherwise one variant alone, for its memory."""
    words = [stage.options.torch, stage.options.torch_step, "--device", DEVICE, "--dtype", dtype, "--batch", batch,
             "--steps", STEPS[batch], "--warmup", 5, *flags]
    with DeviceMemory() as memory:
        text = stage.output(f"PyTorch, batch {batch}, {dtype} {' '.join(flags)}", words, peer=True)
    found = [{"program": "torch_step", **one} for one in json_lines(text)]
    if not flags:
        found = [{**one, "device_bytes": memory.peak} for one in found]
    stage.results += found


def measure_steps(stage, batches):
    for batch in batches:
        for precision in PRECISIONS:
            our_step(stage, batch, precision)
    if not stage.options.torch_step:
        stage.left_out.append("PyTorch: no --torch-step")
    elif has_torch(stage):
        for batch in batches:
            torch_step(stage, batch, "bf16")
        for dtype in "bf16", "f32":
            for batch in batches:
                if stage.has_time(f"PyTorch, batch {batch}, {dtype}, all variants", 30):
                    torch_step(stage, batch, dtype, "--all")


def stage_step(stage):
    measure_steps(stage, [128])


def stage_step_large(stage):
    measure_steps(stage, [1024, 4096])
