#!/usr/bin/env python3
"""Every wrong input gets one clear line and exit code 2."""

import unittest

import cifar_files
import support
from support import flags

# The error, the flags that cause it, and a word that the message must contain.
BAD_FLAGS = [
    ("unknown model", {"--model": "vgg-16"}, "vgg-16"),
    ("depth not 6n + 4", {"--model": "wrn-17-4"}, "17"),
    ("depth too small", {"--model": "wrn-4-1"}, "4"),
    ("zero width", {"--model": "wrn-16-0"}, "wrn-16-0"),
    ("negative width", {"--model": "wrn-16--4"}, "wrn-16--4"),
    ("width is no number", {"--model": "wrn-16-x"}, "wrn-16-x"),
    ("trailing garbage", {"--model": "wrn-16-4abc"}, "wrn-16-4abc"),
    ("depth beyond 64 bits", {"--model": "wrn-99999999999999999999-1"}, "wrn-99999999999999999999-1"),
    ("width whose product overflows", {"--model": "wrn-16-999999999999999999"}, ""),
    ("no such depth", {"--model": "resnet-20"}, "resnet-18"),
    ("zero gamma of a wide ResNet", {"--zero-gamma": "on"}, "zero-gamma"),
    ("norms of a ResNet without a scale", {"--model": "resnet-18", "--norm-scale": "off"}, "norm-scale"),
    ("auxiliary head of a ResNet", {"--model": "resnet-18", "--auxiliary-weight": "0.4"}, "auxiliary-weight"),
    ("negative auxiliary weight", {"--auxiliary-weight": "-0.4"}, "auxiliary-weight"),
    ("auxiliary weight not a number", {"--auxiliary-weight": "nan"}, "auxiliary-weight"),
    ("images too small for the model", {"--model": "inception-resnet-v2"}, "75 x 75"),
    ("unknown data", {"--data": "mnist"}, "mnist"),
    ("unknown optimizer", {"--optimizer": "lion"}, "lion"),
    ("unknown exchange", {"--exchange": "often"}, "often"),
    ("unknown schedule", {"--schedule": "zigzag"}, "zigzag"),
    ("unknown flag", {"--bacth": "64"}, "--bacth"),
    ("batch not whole ghosts", {"--batch": "80"}, "ghost"),
    ("zero batch", {"--batch": "0"}, "batch"),
    ("negative batch", {"--batch": "-64"}, "batch"),
    ("fractional batch", {"--batch": "64.5"}, "batch"),
    ("batch beyond 64 bits", {"--batch": "99999999999999999999"}, "batch"),
    ("zero ghost batch", {"--ghost-batch": "0"}, "ghost"),
    ("negative ghost batch", {"--ghost-batch": "-32"}, "ghost"),
    ("maximum below the batch", {"--max-batch": "32"}, "max-batch"),
    ("maximum not whole ghosts", {"--max-batch": "100"}, "max-batch"),
    ("micro-batch not whole ghosts", {"--micro-batch": "48"}, "micro-batch"),
    ("micro-batch is no number", {"--micro-batch": "some"}, "micro-batch"),
    ("milestones unsorted", {"--milestones": "2,1"}, "milestones"),
    ("milestone twice", {"--milestones": "1,1"}, "milestones"),
    ("milestone past the end", {"--milestones": "1,3"}, "milestones"),
    ("milestone at the start", {"--milestones": "0,1"}, "milestones"),
    ("milestone not finite", {"--milestones": "nan"}, "milestones"),
    ("milestone is no number", {"--milestones": "1,x"}, "milestones"),
    ("zero epochs", {"--epochs": "0"}, "epochs"),
    ("negative epochs", {"--epochs": "-1"}, "epochs"),
    ("infinite epochs", {"--epochs": "inf"}, "epochs"),
    ("negative learning rate", {"--learning-rate": "-0.1"}, "learning-rate"),
    ("learning rate not a number", {"--learning-rate": "nan"}, "learning-rate"),
    ("infinite learning rate", {"--learning-rate": "inf"}, "learning-rate"),
    ("momentum of one", {"--momentum": "1"}, "momentum"),
    ("negative momentum", {"--momentum": "-0.5"}, "momentum"),
    ("momentum not a number", {"--momentum": "nan"}, "momentum"),
    ("negative weight decay", {"--weight-decay": "-1e-4"}, "weight-decay"),
    ("infinite weight decay", {"--weight-decay": "inf"}, "weight-decay"),
    ("factor below one", {"--factor": "0.5"}, "factor"),
    ("factor not a number", {"--factor": "nan"}, "factor"),
    ("negative warm-up", {"--warmup-epochs": "-1"}, "warmup-epochs"),
    ("warm-up past the end", {"--warmup-epochs": "5"}, "warmup-epochs"),
    ("label smoothing of one", {"--label-smoothing": "1"}, "label-smoothing"),
    ("negative label smoothing", {"--label-smoothing": "-0.1"}, "label-smoothing"),
    ("negative threads", {"--threads": "-1"}, "threads"),
    ("unknown device", {"--device": "tpu"}, "cpu, cuda or cuda:N"),
    ("device without a number", {"--device": "cuda:"}, "cpu, cuda or cuda:N"),
    ("device with more than a number", {"--device": "cuda:1x"}, "cpu, cuda or cuda:N"),
    ("unknown precision", {"--device": "cuda", "--precision": "fp8"}, "fp8"),
    ("a GPU's precision on the processor", {"--precision": "bf16"}, "--device cuda"),
    ("a GPU's convolution on the processor", {"--convolution": "own"}, "--device cuda --precision bf16"),
    ("a convolution in bf16 alone", {"--device": "cuda", "--convolution": "own"}, "--device cuda --precision bf16"),
    ("the processor's convolution on a GPU", {"--device": "cuda", "--convolution": "winograd"}, "auto and own"),
    ("unknown convolution", {"--convolution": "fast"}, "fast"),
    ("negative training images", {"--train-images": "-5"}, "train-images"),
    ("more training images than there are", {"--train-images": "999999999999"}, "train"),
    ("keep nothing", {"--keep": "0"}, "keep"),
    ("negative checkpoint interval", {"--checkpoint-every": "-1"}, "checkpoint-every"),
    ("negative evaluation interval", {"--eval-every": "-1"}, "eval-every"),
    ("evaluation interval not a number", {"--eval-every": "nan"}, "eval-every"),
    ("negative seed", {"--seed": "-1"}, "seed"),
    ("bad word for a switch", {"--shuffle": "perhaps"}, "shuffle"),
    ("no such initial file", {"--init": "/nonexistent/weights.safetensors"}, "/nonexistent/weights.safetensors"),
    ("unknown recipe", {"--recipe": "no-such-recipe"}, "no-such-recipe"),
    ("no such configuration", {"--config": "/nonexistent/config.toml"}, "/nonexistent/config.toml"),
    ("data without a folder", {"--data": "cifar10"}, "data-dir"),
    ("data folder that is not there", {"--data": "cifar10", "--data-dir": "/nonexistent"}, "/nonexistent"),
    ("pictures without a folder", {"--data": "image-folder"}, "data-dir"),
    ("folder of pictures that is not there", {"--data": "image-folder", "--data-dir": "/nonexistent"}, "/nonexistent"),
    ("image size of shapes", {"--image-size": "64"}, "image-folder"),
    ("image size too small", {"--data": "image-folder", "--image-size": "7"}, "image-size"),
    ("image size too large", {"--data": "image-folder", "--image-size": "5000"}, "image-size"),
    ("validation folder of shapes", {"--val-dir": "/tmp"}, "val-dir"),
    ("a recipe for pictures on shapes", {"--augment": "goyal"}, "image-folder"),
    ("unknown augmentation", {"--augment": "rand"}, "rand"),
    ("bad pictures of shapes", {"--bad-images": "skip"}, "image-folder"),
    ("unknown policy", {"--data": "image-folder", "--bad-images": "hide"}, "hide"),
]

BAD_CONFIGS = [
    ("unknown key", 'bacth = 64\n', "bacth"),
    ("section", '[surprise]\nbatch = 64\n', "config.toml:1"),
    ("bad value", 'learning-rate = "fast"\n', "learning-rate"),
    ("not TOML", 'batch 64\n', ""),
    ("value out of range", 'momentum = 2.0\n', "momentum"),
]


class BadFlags(support.SmokeTest):
    def test_train_and_plan(self):
        for name, changes, word in BAD_FLAGS:
            with self.subTest(name):
                run_dir = self.folder / name.replace(" ", "-")
                self.refuse("train", *flags(changes), "--run-dir", run_dir, saying=word)
                self.assertFalse(list(run_dir.rglob("*.safetensors")), "a refused run leaves no checkpoint")
            # Options of files and of this machine do not concern a plan.
            if not {"--data-dir", "--data", "--init", "--threads", "--keep"} & changes.keys() and "there are" not in name:
                with self.subTest("plan: " + name):
                    self.refuse("plan", *flags(changes), saying=word)

    def test_gpu_that_is_not_there(self):
        run_dir = self.folder / "run"
        self.refuse("train", *flags({"--device": "cuda:99"}), "--run-dir", run_dir, saying="--device cuda")
        self.assertFalse(list(run_dir.rglob("*.safetensors")), "a refused run leaves no checkpoint")

    def test_configuration_files(self):
        for name, text, word in BAD_CONFIGS:
            with self.subTest(name):
                config = self.folder / "config.toml"
                config.write_text(text)
                self.refuse("plan", "--config", config, saying=word)

    def test_run_folder_that_cannot_be_written(self):
        (self.folder / "file").write_text("in the way\n")
        for parent in self.folder / "file", "/proc", "/dev/null":
            with self.subTest(str(parent)):
                self.refuse("train", *flags(), "--run-dir", f"{parent}/run", saying=str(parent))
        self.refuse("train", *flags(), "--run-dir", self.folder / "file", saying=str(self.folder / "file"))

    def test_commands(self):
        nothing = self.folder / "nothing"
        (self.folder / "empty").mkdir()
        for words in [["evaluate", nothing], ["inspect", nothing], ["inspect", nothing, "--digest"],
                      ["predict", nothing, "picture.png"], ["report", nothing, "-o", self.folder / "report.html"],
                      ["evaluate", self.folder / "empty"], ["inspect", self.folder / "empty", "--digest"],
                      ["data", "verify", nothing], ["inspect", "--model", "wrn-5-1"]]:
            with self.subTest(words):
                self.refuse(*words)
        for words in [["sing"], ["train", "--epochs"], ["data", "fetch", "mnist"], ["evaluate"], ["report"]]:
            with self.subTest(words):
                self.refuse(*words)


class BadCheckpoints(support.SmokeTest):
    def setUp(self):
        super().setUp()
        self.run_dir = self.folder / "run"
        self.succeed("train", *flags({"--model": "wrn-10-1"}), "--max-updates", 1, "--run-dir", self.run_dir)
        self.checkpoint = max((self.run_dir / "checkpoints").glob("*.safetensors"))
        self.content = self.checkpoint.read_bytes()
        self.damaged = self.folder / "damaged.safetensors"

    def test_truncated(self):
        # The checkpoint tests try every byte; this test checks what the user sees.
        size = len(self.content)
        for length in 0, 1, 7, 8, 9, 100, size // 2, size - 1:
            with self.subTest(length=length):
                self.damaged.write_bytes(self.content[:length])
                self.refuse("evaluate", self.damaged, saying="damaged.safetensors")
        self.damaged.write_bytes(self.content + b"\0")
        self.refuse("evaluate", self.damaged, saying="damaged.safetensors")

    def test_flipped_bits(self):
        size = len(self.content)
        for byte in 0, 3, 7, 8, 20, 200, size // 2, size - 1:
            with self.subTest(byte=byte):
                flipped = bytearray(self.content)
                flipped[byte] ^= 1 << byte % 8
                self.damaged.write_bytes(flipped)
                self.refuse("inspect", self.damaged, "--digest", saying="damaged.safetensors")
                self.refuse("train", *flags(), "--init", self.damaged, "--run-dir", self.folder / "new",
                            saying="damaged.safetensors")

    def test_computed_where_it_cannot_be(self):
        demo = ["demo", "--quiet", "--run-dir", self.folder / "demo"]
        for command in ["evaluate", self.run_dir], ["predict", self.run_dir, "picture.png"], demo:
            with self.subTest(command[0]):
                self.refuse(*command, "--device", "tpu", saying="cpu, cuda or cuda:N")
                self.refuse(*command, "--device", "cuda:99", saying="--device cuda")
                self.refuse(*command, "--precision", "bf16", saying="--device cuda")
                self.refuse(*command, "--precision", "fp8", saying="fp8")

    def test_of_another_model(self):
        other = flags({"--model": "wrn-10-2"})
        self.refuse("train", *other, "--run-dir", self.run_dir, "--resume")
        self.refuse("train", *other, "--init", self.checkpoint, "--run-dir", self.folder / "new", saying="conv")

    def test_of_another_variant_of_the_model(self):
        run_dir = self.folder / "resnet"
        self.succeed("train", *flags({"--model": "resnet-18", "--zero-gamma": "on"}), "--max-updates", 0, "--run-dir", run_dir)
        self.refuse("train", *flags({"--model": "resnet-18", "--zero-gamma": "off"}), "--run-dir", run_dir, "--resume",
                    saying="--zero-gamma is off")

    def test_newest_damaged_is_passed_over_loudly(self):
        self.succeed("train", *flags(), "--max-updates", 2, "--run-dir", self.run_dir, "--resume")
        newest = max((self.run_dir / "checkpoints").glob("*.safetensors"))
        self.assertNotEqual(newest, self.checkpoint)
        newest.write_bytes(newest.read_bytes()[:-1])
        result = support.run("train", *flags(), "--max-updates", 2, "--run-dir", self.run_dir, "--resume")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(newest.name, result.stderr)

    def test_all_damaged(self):
        for file in (self.run_dir / "checkpoints").glob("*.safetensors"):
            file.write_bytes(file.read_bytes()[:-1])
        self.assertNotEqual(support.run("evaluate", self.run_dir).returncode, 0)
        self.assertEqual(support.run("train", *flags(), "--run-dir", self.run_dir, "--resume").returncode, 2)


class BadCifar(support.SmokeTest):
    def setUp(self):
        super().setUp()
        self.good = self.folder / "good"
        cifar_files.make(self.good)

    def refuse_data(self, folder, word):
        words = ["train", *flags({"--data": "cifar10", "--data-dir": str(folder)}), "--run-dir", self.folder / "run"]
        self.refuse(*words, saying=word)

    def test_good_files_pass(self):
        self.succeed("data", "verify", self.good)
        changes = {"--data": "cifar10", "--data-dir": str(self.good)}
        self.succeed("train", *flags(changes), "--max-updates", 0, "--run-dir", self.folder / "run")

    def test_spoilt_files(self):
        name = "data_batch_3.bin"
        content = (self.good / name).read_bytes()
        out_of_range, mislabelled = bytearray(content), bytearray(content)
        out_of_range[cifar_files.RECORD * 5000] = 10
        mislabelled[0] ^= 1
        cases = {
            "missing": (name, None),
            "empty": (name, b""),
            "short": (name, content[:-1]),
            "overlong": (name, content + b"\0"),
            "label out of range": (name, out_of_range),
            "mislabelled": (name, mislabelled),
            "swapped": (name, (self.good / "test_batch.bin").read_bytes()),
            "of CIFAR-100": (name, bytes(10000 * 3074)),
            "compressed": (name, b"\x1f\x8b" + content[:100000]),
        }
        for case, (file, replaced) in cases.items():
            with self.subTest(case):
                folder = cifar_files.spoil(self.folder / case.replace(" ", "-"), self.good, file, replaced)
                self.refuse_data(folder, "data_batch_")
                self.assertNotEqual(support.run("data", "verify", folder).returncode, 0)

    def test_folder_is_a_file(self):
        self.refuse_data(self.good / "test_batch.bin", "test_batch.bin")


if __name__ == "__main__":
    support.main()
