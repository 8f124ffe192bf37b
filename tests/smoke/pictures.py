#!/usr/bin/env python3
"""Uses folders and packs of pictures, from verify to predict, and checks the messages for bad ones."""

import json
import shutil
import subprocess

import picture_files
import support
from support import flags

RUN = {"--data": "image-folder", "--image-size": "16", "--train-images": None, "--batch": "16", "--ghost-batch": "8",
       "--max-batch": "32", "--epochs": "4"}


class Pictures(support.SmokeTest):
    def setUp(self):
        super().setUp()
        self.set = picture_files.make(self.folder / "set")

    def train(self, name, changes=None, data=None):
        """Trains and returns the run's folder."""
        run_dir = self.folder / name
        self.succeed("train", *flags(RUN, {"--data-dir": str(data or self.set)}, changes or {}), "--run-dir", run_dir)
        return run_dir

    def weights(self, run_dir):
        return self.succeed("inspect", run_dir, "--digest").split()[-1]

    def pack(self, *words):
        pack = self.folder / "set.pack"
        pack.unlink(missing_ok=True)
        self.succeed("data", "pack", self.set, "-o", pack, *words)
        return pack

    def test_from_training_to_predicting(self):
        run_dir = self.train("run")
        result = self.succeed_json("evaluate", run_dir)
        self.assertEqual(result["total"], 12)
        self.assertEqual(self.succeed_json("evaluate", run_dir, "--split", "train")["total"], 48)
        picture = self.set / "val" / "red" / "red_00.png"
        self.assertIn("16, 16, 16", self.succeed("inspect", run_dir))
        guesses = self.succeed_json("predict", run_dir, picture)[0]["classes"]
        self.assertEqual({guess["class"] for guess in guesses}, set(picture_files.CLASSES))
        self.refuse("predict", run_dir, self.folder / "none.jpg", saying="none.jpg cannot be opened")

    def test_a_run_does_not_go_on_with_other_pictures(self):
        stop = {"--max-updates": "4", "--checkpoint-every": "1"}
        run_dir = self.train("run", stop)
        words = ["train", *flags(RUN, {"--data-dir": str(self.set)}), "--run-dir", run_dir, "--resume"]
        picture = self.set / "train" / "red" / "red_00.png"
        kept = picture.read_bytes()
        picture.unlink()
        self.refuse(*words, saying="was trained on 48 images with digest")
        picture.write_bytes(kept)
        (self.set / "val" / "red" / "red_00.png").unlink()
        result = support.run(*words)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, r"warning: \S+ was tested on 12 images with digest \w+, from now on it is 11 images")

    def test_weights_keep_their_preprocessing(self):
        run_dir = self.train("run", {"--augment": "inception"})
        weights, imported = self.folder / "weights.safetensors", self.folder / "imported.safetensors"
        self.succeed("export", run_dir, "-o", weights)
        words = ["--model", support.TINY["--model"], "--data", "image-folder", "--data-dir", self.set, "--image-size", 16]
        losses = []
        for recipe in "inception", "goyal":
            self.succeed("import", weights, *words, "--augment", recipe, "-o", imported)
            losses.append(self.succeed_json("evaluate", imported)["loss"])
        expected = self.succeed_json("evaluate", run_dir)["loss"]
        self.assertEqual(losses[0], expected)
        self.assertNotEqual(losses[1], expected)

    def test_workers_and_packs_change_nothing(self):
        expected = self.weights(self.train("run"))
        self.assertEqual(self.weights(self.train("alone", {"--loader-threads": "0"})), expected)
        self.assertEqual(self.weights(self.train("three", {"--loader-threads": "3"})), expected)
        self.assertEqual(self.weights(self.train("packed", data=self.pack())), expected)
        self.assertNotEqual(self.weights(self.train("otherwise", {"--augment": "inception"})), expected)

    def test_resumed_from_a_pack(self):
        expected = self.weights(self.train("whole"))
        pack = self.pack()
        run_dir = self.train("parts", {"--max-updates": "5"})
        changes = {"--data-dir": str(pack)}
        self.succeed("train", *flags(RUN, changes), "--run-dir", run_dir, "--resume")
        self.assertEqual(self.weights(run_dir), expected)

    def test_other_classes_are_refused(self):
        run_dir = self.train("run", {"--max-updates": "1"})
        other = shutil.copytree(self.set, self.folder / "other")
        for split in "train", "val":
            (other / split / "red").rename(other / split / "rot")
        words = flags(RUN, {"--data-dir": str(other)})
        self.refuse("train", *words, "--run-dir", run_dir, "--resume", saying="other classes")
        self.refuse("evaluate", run_dir, "--data-dir", other, saying="other classes")

    def test_bad_pictures(self):
        bad = self.set / "train" / "green" / "green_03.JPEG"
        bad.write_bytes(bad.read_bytes()[:60])
        words = flags(RUN, {"--data-dir": str(self.set)})
        self.assertEqual(support.run("train", *words, "--run-dir", self.folder / "fails").returncode, 2)
        for policy, images in ("skip", 47), ("substitute", 48):
            with self.subTest(policy):
                run_dir = self.train(policy, {"--bad-images": policy})
                start = json.loads((run_dir / "manifest.json").read_text())["starts"][0]
                self.assertIn("1 bad picture in", start["train data notes"])
                self.assertIn(f"{bad} ", start["train data notes"])
                self.assertNotIn("test data notes", start)
                self.assertEqual(self.succeed_json("evaluate", run_dir, "--split", "train")["total"], images)
        result = support.run("data", "verify", self.set)
        self.assertEqual(result.returncode, 2)
        self.assertIn(f"problem: {bad} ", result.stdout)
        self.refuse("data", "pack", self.set, "-o", self.folder / "no.pack", saying=str(bad))
        self.assertFalse((self.folder / "no.pack").exists())
        self.succeed("data", "verify", self.pack("--bad-images", "skip"))

    def test_packs(self):
        for words in [], ["--raw", 24], ["--short-side", 24, "--quality", 80]:
            with self.subTest(words):
                pack = self.pack(*words)
                self.assertIn("48 pictures", self.succeed("data", "verify", pack))
                self.assertIn("12 pictures", self.succeed("data", "info", pack))
                self.train(f"run{len(words)}", {"--max-updates": "1"}, data=pack)
                content = pack.read_bytes()
                pack.write_bytes(content[:-1])
                self.refuse("data", "info", pack, saying="set.pack")
                pack.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
                self.assertEqual(support.run("data", "verify", pack).returncode, 2)

    def test_plan(self):
        plan = self.succeed_json("plan", *flags(RUN, {"--data-dir": str(self.set)}))
        self.assertEqual(plan["train_images"], 48)
        imagenet = flags(RUN, {"--image-size": None})
        self.assertEqual(self.succeed_json("plan", *imagenet)["train_images"], 1281167)

    def test_labels_in_a_file(self):
        flat = self.folder / "flat"
        flat.mkdir()
        lines = []
        for number, name in enumerate(picture_files.CLASSES):
            shutil.copy(self.set / "val" / name / f"{name}_00.png", flat / f"{number}.png")
            lines.append(f"{number}.png {name}\n")
        (flat / "labels.txt").write_text("".join(lines))
        run_dir = self.train("run", {"--val-dir": str(flat)})
        self.assertEqual(self.succeed_json("evaluate", run_dir)["total"], 3)
        (flat / "labels.txt").write_text("".join(lines[1:]))
        self.refuse("evaluate", run_dir, saying="labels 2 pictures")

    def test_without_the_module(self):
        alone = self.folder / "crescendo"
        shutil.copy(support.PROGRAM, alone)
        words = ["train", *flags(RUN, {"--data-dir": str(self.set)}), "--run-dir", self.folder / "run"]
        result = subprocess.run([alone, *map(str, words)], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, r"^crescendo: [^\n]*OpenCV[^\n]*\n$")
        # Pixels need no decoder.
        pack = self.pack("--raw", 24)
        words = ["train", *flags(RUN, {"--data-dir": str(pack)}), "--max-updates", "1", "--run-dir", self.folder / "raw"]
        result = subprocess.run([alone, *map(str, words)], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)


class BadFolders(support.SmokeTest):
    """Bad folders, each refused in one line."""

    def refuse_folder(self, saying, *spoil):
        folder = picture_files.make(self.folder / "set", train=1, val=1)
        for action in spoil:
            action(folder)
        words = flags(RUN, {"--data-dir": str(folder)})
        self.refuse("train", *words, "--run-dir", self.folder / "run", saying=saying)
        self.refuse("plan", *words, saying=saying)
        self.refuse("data", "info", folder, saying=saying)
        self.refuse("data", "pack", folder, "-o", self.folder / "set.pack", saying=saying)
        self.assertFalse((self.folder / "set.pack").exists())

    def test_one_class(self):
        remove = [lambda folder, path=f"{split}/{name}": shutil.rmtree(folder / path)
                  for split in ("train", "val") for name in ("red", "green")]
        self.refuse_folder("one class, blue", *remove)

    def test_empty_class(self):
        self.refuse_folder("red has no pictures", lambda folder: (folder / "train/red/red_00.png").unlink())

    def test_class_missing_in_val(self):
        self.refuse_folder("no class red", lambda folder: shutil.rmtree(folder / "val/red"))

    def test_labels_that_do_not_fit(self):
        def flatten(folder):
            shutil.rmtree(folder / "val")
            (folder / "val").mkdir()
            (folder / "val" / "1.png").write_bytes(picture_files.png(9, 9, (1, 2, 3)))
            (folder / "val" / "labels.txt").write_text("1.png red\n2.png blue\n")

        self.refuse_folder("labels 2 pictures", flatten)

    def test_huge_picture(self):
        folder = picture_files.make(self.folder / "set")
        bomb = bytearray(picture_files.png(1, 1, (0, 0, 0)))
        bomb[16:24] = (65500).to_bytes(4, "big") * 2
        (folder / "train/red/red_00.png").write_bytes(bomb)
        words = flags(RUN, {"--data-dir": str(folder)})
        result = support.run("train", *words, "--run-dir", self.folder / "run")
        self.assertEqual(result.returncode, 2)
        self.assertIn("red_00.png has 65500 x 65500 pixels", result.stderr)


if __name__ == "__main__":
    support.main()
