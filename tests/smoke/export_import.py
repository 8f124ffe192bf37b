#!/usr/bin/env python3
"""Exports weights to PyTorch's files, imports them back, and checks the messages for files that cannot be imported."""

import json
import struct

import support
from support import flags


def read(path):
    """Returns metadata, entries and data of a safetensors file."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    return header.pop("__metadata__", {}), header, content[8 + length:]


def write(path, header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class ExportImport(support.SmokeTestOfOneRun):
    RUN = {"--checkpoint-every": None}

    def setUp(self):
        super().setUp()
        self.weights = self.folder / "weights.safetensors"
        self.succeed("export", self.whole, "-o", self.weights)
        self.checkpoint = self.folder / "imported.safetensors"

    def import_words(self, file, model=support.TINY["--model"]):
        return ["import", file, "--model", model, "--data", "shapes", "-o", self.checkpoint]

    def test_there_and_back(self):
        metadata, entries, data = read(self.weights)
        self.assertEqual(metadata, {"format": "pt"})
        self.assertFalse([name for name in entries if name.startswith("optimizer")])
        self.assertEqual(entries["conv0.weight"]["shape"], [16, 3, 3, 3])
        entries["bn.num_batches_tracked"] = {"dtype": "I64", "shape": [], "data_offsets": [len(data), len(data) + 8]}
        write(self.weights, entries, data + bytes(8))
        self.succeed(*self.import_words(self.weights))
        before, after = (self.succeed_json("evaluate", run) for run in (self.whole, self.checkpoint))
        self.assertEqual((before["accuracy"], before["loss"]), (after["accuracy"], after["loss"]))
        again = self.folder / "again.safetensors"
        self.succeed("export", self.checkpoint, "-o", again)
        self.assertEqual(read(again)[2], data)
        # An imported checkpoint, and PyTorch's own file, can start a run.
        for file in self.checkpoint, self.weights:
            run_dir = self.folder / f"from-{file.stem}"
            self.succeed("train", *flags({"--init": str(file)}), "--max-updates", 0, "--run-dir", run_dir)
            self.assertEqual(self.succeed_json("evaluate", run_dir)["loss"], before["loss"])

    def test_files_that_do_not_fit(self):
        _, entries, data = read(self.weights)
        last = max(entries, key=lambda name: entries[name]["data_offsets"][1])
        begin = entries[last]["data_offsets"][0]

        def entry(dtype, shape, place, end):
            return {"dtype": dtype, "shape": shape, "data_offsets": [place, end]}

        first = "conv0.weight"
        size = entries[first]["data_offsets"][1]
        cases = {
            "missing": ({name: item for name, item in entries.items() if name != last}, data[:begin], last),
            "extra": ({**entries, "fc2.weight": entry("F32", [1], len(data), len(data) + 4)}, data + bytes(4), "fc2"),
            "a count of a norm that is not there":
                ({**entries, "bn9.num_batches_tracked": entry("I64", [], len(data), len(data) + 8)}, data + bytes(8), "bn9"),
            "optimizer state": ({**entries, "optimizer.x": entry("F32", [1], len(data), len(data) + 4)}, data + bytes(4),
                                "optimizer.x"),
            "another layout": ({**entries, first: entry("F32", [16, 3, 9, 1], 0, size)}, data, first),
            "another type": ({**entries, first: entry("I32", [16, 3, 3, 3], 0, size)}, data, first),
            "overlapping": ({**entries, "fc2.weight": entry("F32", [1], 0, 4)}, data, "begins at byte"),
            "overflowing": ({**entries, first: entry("F32", [2 ** 40, 2 ** 40], 0, size)}, data, first),
            "short": (entries, data[:-4], ""),
        }
        for case, (header, body, word) in cases.items():
            with self.subTest(case):
                wrong = self.folder / "wrong.safetensors"
                write(wrong, header, body)
                self.refuse(*self.import_words(wrong), saying=word)
                self.refuse("train", *flags({"--init": str(wrong)}), "--run-dir", self.folder / "run", saying=word)
        text = self.weights.read_bytes().replace(b'"fc.bias"', b'"fc.biat"', 1).replace(b'"fc.weight"', b'"fc.biat"  ', 1)
        (self.folder / "twice.safetensors").write_bytes(text)
        self.refuse(*self.import_words(self.folder / "twice.safetensors"), saying="twice")
        self.assertFalse(self.checkpoint.exists())

    def test_what_is_asked_for(self):
        self.refuse(*self.import_words(self.folder / "none.safetensors"), saying="none.safetensors")
        self.refuse(*self.import_words(self.weights, "vgg-16"), saying="vgg-16")
        self.refuse(*self.import_words(self.weights, "resnet-18"), saying="conv1.weight")
        self.refuse("import", self.weights, "--data", "shapes", "-o", self.checkpoint, saying="--model")
        self.refuse("import", self.weights, "--model", support.TINY["--model"], "-o", self.checkpoint, saying="--data")
        self.refuse("export", self.whole, "-o", self.folder / "a.pt", saying=".onnx")
        self.refuse("export", self.whole, saying="--output")
        self.refuse("export", self.folder / "nothing", "-o", self.folder / "a.onnx", saying="nothing")
        self.refuse("export", self.whole, "-o", "/nonexistent/a.safetensors", saying="/nonexistent")
        self.refuse("export", self.whole, "-o", self.folder / "a.safetensors", "--image-size", 64, saying="--image-size")
        itself = max((self.whole / "checkpoints").glob("*.safetensors"))
        before = itself.read_bytes()
        self.refuse("export", self.whole, "-o", itself, saying="itself")
        self.assertEqual(itself.read_bytes(), before)

    def test_onnx(self):
        file = self.folder / "model.onnx"
        result = support.run("export", self.whole, "-o", file)
        if result.returncode == 2 and "built where onnx" in result.stderr:
            self.skipTest("built without ONNX")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("[n, 3, 32, 32]", result.stdout)
        self.assertIn(b"conv0.weight", file.read_bytes())


if __name__ == "__main__":
    support.main()
