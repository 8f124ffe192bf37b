#!/usr/bin/env python3
"""Plants each violation of the layer rules in a small tree; structure.py must report it and no other."""

import pathlib
import tempfile
import unittest

import structure

CLEAN = {
    "base/check.h": "#include <string>\n",
    "kernels/backend.h": '#include "kernels/real.h"\n#include <cstdint>\n',
    "kernels/real.h": '#include "base/check.h"\n#include <cstddef>\n',
    "kernels/cpu/backend.h": '#include "kernels/backend.h"\n',
    "kernels/cpu/matmul.cpp": '#include <Eigen/Core>\n#include "kernels/cpu/backend.h"\n',
    "kernels/cuda/backend.h": '#include "kernels/backend.h"\n',
    "kernels/cuda/matmul.cu": '#include <cublasLt.h>\n#include <cuda_runtime.h>\n#include "kernels/cuda/backend.h"\n',
    "kernels/mpi/communicator.h": '#include "kernels/backend.h"\n',
    "kernels/mpi/watch.cpp": '#include <mpi.h>\n#include "kernels/mpi/communicator.h"\n',
    "engine/device.cpp": '#include "kernels/cpu/backend.h"\n#include "kernels/cuda/backend.h"\n',
    "engine/device.h": "",
    "engine/tensor.h": '#include "engine/device.h"\n#include "kernels/real.h"\n',
    "models/model.h": '#include "engine/tensor.h"\n',
    "data/dataset.h": '#include "kernels/real.h"\n#include "cuda_free_name.txt"\n',
    "data/cuda_free_name.txt": "",
    "trainer/schedule/schedule.h": "",
    "trainer/workers/open_workers.cpp": '#include "kernels/mpi/communicator.h"\n',
    "trainer/options/options.h": '#include "trainer/schedule/schedule.h"\n',
    "trainer/record/metrics.h": '#include "trainer/options/options.h"\n',
    "trainer/trainer.h": '#include "trainer/record/metrics.h"\n',
    "trainer/cli/main.cpp": '#include "trainer/trainer.h"\n',
    "trainer/trainer.cpp": '#include "models/model.h"\n#include "data/dataset.h"\n#include <fmt/core.h>\n',
    "tests/kernels/test_matmul.cpp": '#include <Eigen/Core>\n#include "kernels/cpu/backend.h"\n',
}

# (name, file, its text, words that the report must contain)
PLANTED = [
    ("base above", "base/check.h", '#include "kernels/real.h"\n', "base must not include kernels"),
    ("kernels above", "kernels/cpu/matmul.cpp", '#include "engine/tensor.h"\n', "kernels must not include engine"),
    ("kernels trainer", "kernels/backend.h", '#include "trainer/x.h"\n', "kernels must not include trainer"),
    ("engine above", "engine/tensor.h", '  #  include "models/model.h"\n', "engine must not include models"),
    ("by a relative path", "engine/tensor.h", '#include "../data/dataset.h"\n', "engine must not include data"),
    ("in angle brackets", "engine/tensor.h", "#include <models/model.h>\n", "engine must not include models"),
    ("data knows engine", "data/dataset.h", '#include "engine/tensor.h"\n', "data must not include engine"),
    ("data knows models", "data/dataset.h", '#include "models/model.h"\n', "data must not include models"),
    ("models know data", "models/model.h", '#include "data/dataset.h"\n', "models must not include data"),
    ("models know trainer", "models/model.h", '#include "trainer/x.h"\n', "models must not include trainer"),
    ("data knows trainer", "data/dataset.h", '#include "trainer/x.h"\n', "data must not include trainer"),
    ("product knows tests", "data/dataset.h", '#include "tests/support/x.h"\n', "data must not include tests"),
    ("engine knows cpu", "engine/ops.cpp", '#include "kernels/cpu/backend.h"\n', "only engine/device.cpp"),
    ("engine knows cuda", "engine/ops.cpp", '#include "kernels/cuda/backend.h"\n', "only engine/device.cpp"),
    ("cpu knows cuda", "kernels/cpu/matmul.cpp", '#include "kernels/cuda/backend.h"\n', "only engine/device.cpp"),
    ("trainer knows cpu", "trainer/x.cpp", '#include "kernels/cpu/backend.h"\n', "only engine/device.cpp"),
    ("Eigen in the engine", "engine/ops.cpp", "#include <Eigen/Dense>\n", "only kernels/cpu includes Eigen"),
    ("Eigen beside cpu", "kernels/backend.h", "#include <unsupported/Eigen/FFT>\n", "only kernels/cpu includes Eigen"),
    ("CUDA in the engine", "engine/ops.cpp", "#include <cuda_runtime.h>\n", "only kernels/cuda includes CUDA"),
    ("cuDNN in cpu", "kernels/cpu/matmul.cpp", "#include <cudnn.h>\n", "only kernels/cuda includes CUDA"),
    ("MPI in the trainer", "trainer/workers/x.cpp", "#include <mpi.h>\n", "only kernels/mpi includes MPI"),
    ("the trainer knows mpi", "trainer/x.cpp", '#include "kernels/mpi/communicator.h"\n',
     "only trainer/workers/open_workers.cpp"),
    ("a room above", "trainer/schedule/schedule.h", '#include "trainer/store/file.h"\n',
     "trainer/schedule must not include trainer/store"),
    ("rooms in a circle", "trainer/schedule/timeline.h", '#include "trainer/options/options.h"\n',
     "trainer/schedule must not include trainer/options"),
    ("a room knows the trainer", "trainer/record/metrics.h", '#include "trainer/trainer.h"\n',
     "trainer/record must not include trainer:"),
    ("the trainer knows cli", "trainer/trainer.h", '#include "trainer/cli/commands.h"\n',
     "trainer must not include trainer/cli"),
    ("an unknown room", "trainer/attic/x.h", '#include "trainer/store/file.h"\n',
     "trainer/attic must not include trainer/store"),
    ("cycle of two", "engine/device.h", '#include "engine/tensor.h"\n', "includes itself"),
    ("cycle of one", "kernels/real.h", '#include "real.h"\n', "includes itself"),
    ("long file", "engine/tensor.h", "// a line\n" * 501, "longer than 500 lines"),
    ("long test", "tests/kernels/test_matmul.cpp", "// a line\n" * 501, "longer than 500 lines"),
]


def report(changes):
    """Returns the violations that structure.py reports for the clean tree with `changes` (file -> text)."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**CLEAN, **changes}.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return list(structure.violations(folder))


class Structure(unittest.TestCase):
    def test_clean_tree_passes(self):
        self.assertEqual(report({}), [])

    def test_each_planted_violation_is_reported(self):
        for name, file, text, words in PLANTED:
            with self.subTest(name):
                found = report({file: text})
                self.assertEqual([line.split(":")[0] for line in found if words in line], [file], found)
                self.assertTrue(all(words in line or "includes itself" in line for line in found), found)

    def test_no_rooms_include_each_other_in_a_circle(self):
        self.assertIsNone(structure.find_cycle(structure.ROOMS))
        circle = {"trainer/step": {"trainer/record"}, "trainer/record": {"trainer/step"}}
        self.assertIsNotNone(structure.find_cycle({**structure.ROOMS, **circle}))

    def test_file_of_500_lines_passes(self):
        self.assertEqual(report({"engine/tensor.h": "// a line\n" * 500}), [])


if __name__ == "__main__":
    unittest.main()
