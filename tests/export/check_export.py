#!/usr/bin/env python3
"""Loads exported models into torchvision's and timm's classes and into onnxruntime, and compares their results.

    check_export.py EXPORT_FIXTURE

Then imports weights that PyTorch wrote, in float and in half precision. Exits with 77 if PyTorch is not installed;
other missing packages are reported and left out.
"""

import importlib
import math
import pathlib
import subprocess
import sys
import tempfile


def installed(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"left out: {name} is not installed")
        return None


np, torch, safetensors_torch = installed("numpy"), installed("torch"), installed("safetensors.torch")
if not (np and torch and safetensors_torch):
    sys.exit(77)
torchvision, timm, onnxruntime = installed("torchvision"), installed("timm"), installed("onnxruntime")

EPSILON = 2.0 ** -23
CLASSES = 10
# Name, side of the images, and the number of products behind an output: the sum of r * s * c over the layers.
CASES = [("wrn-10-2", 32, 6e3), ("resnet-18", 64, 3.1e4), ("resnet-50", 64, 5.3e4), ("inception-resnet-v2", 107, 1.3e5),
         ("inception-resnet-v2-without-scale", 107, 1.3e5)]


def peer_of(name):
    """Returns PyTorch's class, or None."""
    if name.startswith("resnet") and torchvision:
        return getattr(torchvision.models, name.replace("-", ""))(num_classes=CLASSES).eval()
    if name.startswith("inception") and timm:
        return timm.create_model("inception_resnet_v2", num_classes=CLASSES).eval()
    return None


def run_fixture(fixture, name, side, *weights):
    """Returns images [n, c, h, w], logits, and the exported files' paths."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
    subprocess.run([fixture, name, str(side), folder, *weights], check=True)
    values = safetensors_torch.load_file(folder / "values.safetensors")
    return values["images"].permute(0, 3, 1, 2).contiguous(), values["logits"], folder


def check(what, found, expected, products):
    """Compares within both sides' rounding errors: a random walk, to which a sum of K products adds epsilon * sqrt(K)."""
    error = float(np.abs(np.asarray(found) - np.asarray(expected)).max() / np.abs(np.asarray(expected)).max())
    tolerance = 2 * 4 * EPSILON * math.sqrt(products)
    print(f"{what}: error {error:.2e}, tolerance {tolerance:.2e}")
    assert error <= tolerance, what


def compute(model, images):
    with torch.no_grad():
        return model(images)


def check_onnx(name, file, images, logits, products):
    if not onnxruntime or not file.exists():
        return
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    found = session.run(["logits"], {"images": images.numpy()})[0]
    check(f"{name} in onnxruntime", found, logits, products)
    one = session.run(["logits"], {"images": images[:1].numpy()})[0]
    check(f"{name} in onnxruntime, another number of images", one, logits[:1], products)


def check_peer(fixture, name, side, products, images, logits, weights):
    peer = peer_of(name)
    if peer is None:
        return
    state = safetensors_torch.load_file(weights)
    peer.load_state_dict(state, strict=True)
    check(f"{name} in PyTorch", compute(peer, images), logits, products)
    if name.endswith("without-scale"):
        return
    for kind in torch.float32, torch.float64, torch.float16, torch.bfloat16:
        written = {key: value if value.dtype == torch.int64 else (value * 0.99).to(kind)
                   for key, value in peer.state_dict().items()}
        assert any(key.endswith("num_batches_tracked") for key in written)
        file = weights.with_name(f"{kind}.safetensors")
        safetensors_torch.save_file(written, file)
        back = peer_of(name)
        back.load_state_dict(written)
        found = run_fixture(fixture, name, side, file)[1]
        check(f"{name} from PyTorch in {kind}", found, compute(back, images), products)


def main(fixture):
    for name, side, products in CASES:
        images, logits, folder = run_fixture(fixture, name, side)
        assert np.isfinite(logits.numpy()).all() and logits.std() > 0.1, name
        check_peer(fixture, name, side, products, images, logits, folder / "weights.safetensors")
        check_onnx(name, folder / "model.onnx", images, logits, products)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as SCRATCH:
        main(sys.argv[1])
