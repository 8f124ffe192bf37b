#!/usr/bin/env python3
"""Tests that bench/gpu_code.py reads cuobjdump's output correctly, and that no kernel of the module spills registers.

Usage: test_gpu_code.py                    on made-up output
       test_gpu_code.py MODULE CUOBJDUMP   on the module; exit code 77 if one of them is missing
"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import gpu_code

MODULE, CUOBJDUMP = None, None  # set by main()
# Bytes of stack that kernels may have: an array with a variable index (dropout's random words), and one value that
# ptxas saves before a loop and restores after it.
STACK = {"dropout<bf16>": 16, "dropout<float>": 16, "normalise_kernel<float, 1>": 8}

RESOURCES = """
arch = sm_90a
Resource usage:
 Common:
  GLOBAL:0
 Function _Z1fv:
  REG:70 STACK:16 SHARED:1024 LOCAL:0 CONSTANT[0]:376 TEXTURE:0 SURFACE:0 SAMPLER:0
"""
ELF = """
.nv.info._Z1fv
\tAttribute:\tEIATTR_MAXREG_COUNT
\tValue:\t0xff
\tAttribute:\tEIATTR_MAX_THREADS
\tFormat:\tEIFMT_SVAL
\tValue:\t0x80 0x2 0x1
"""
SASS = """
arch = sm_90a
\t\tFunction : _Z1fv
        /*0000*/                   LDG.E.128.CONSTANT R4, desc[UR4][R2.64] ;  /* 0x0000000007027a25 */
                                                                              /* 0x001fca00078e0004 */
        /*0010*/               @P0 LDG.E.U16 R4, desc[UR4][R2.64] ;           /* 0x0000000007027a25 */
        /*0020*/              @!P0 LDGSTS.E.BYPASS.LTC128B.64 [R4], [R2.64] ; /* 0x0000000007027a25 */
        /*0030*/                   STG.E desc[UR4][R2.64], R4 ;               /* 0x0000000007027a25 */
        /*0040*/             @!UP0 HMMA.16816.F32.BF16 R4, R4, R8, R4 ;       /* 0x0000000007027a25 */
        /*0050*/                   DFMA R4, R4, R8, R4 ;                      /* 0x0000000007027a25 */
        /*0060*/                   F2F.F64.F32 R4, R4 ;                       /* 0x0000000007027a25 */
        /*0068*/                   MUFU.RCP64H R5, R4 ;                       /* 0x0000000007027a25 */
        /*0070*/                   LDL.LU R4, [R1] ;                          /* 0x0000000007027a25 */
        /*0080*/                   NOP ;                                      /* 0x0000000007027a25 */
"""
KEY = ("sm_90a", "_Z1fv")


class Reading(unittest.TestCase):
    def test_what_cuobjdump_prints(self):
        numbers = gpu_code.resources(RESOURCES)[KEY]
        counts = gpu_code.instructions(SASS)[KEY]
        threads = gpu_code.block_sizes(ELF)
        self.assertEqual(threads, {"_Z1fv": 256})
        facts = gpu_code.facts("sm_90a", "f", numbers, counts, threads["_Z1fv"])
        self.assertEqual(facts["loads"], {"128": 1, "64": 1, "16": 1})
        self.assertEqual(facts["stores"], {"32": 1})
        expected = {"registers": 70, "stack_bytes": 16, "shared_bytes": 0, "local_accesses": 1, "tensor_core": 1,
                    "fp64": 3, "instructions": 9, "must": None, "moves": None}
        self.assertEqual({key: facts[key] for key in expected}, expected)
        self.assertEqual(facts["occupancy"], 24 / 64)  # 72 registers per thread: 28 warps, 3 blocks of 8

    def test_occupancy(self):
        # Limited by registers, by threads, by shared memory (each block loses 1 KiB), by the number of blocks.
        self.assertEqual(gpu_code.occupancy("sm_80", 32, 0, 256), 1)
        self.assertEqual(gpu_code.occupancy("sm_80", 33, 0, 256), 48 / 64)
        self.assertEqual(gpu_code.occupancy("sm_80", 255, 0, 256), 8 / 64)
        self.assertEqual(gpu_code.occupancy("sm_80", 255, 0, 512), 0)
        self.assertEqual(gpu_code.occupancy("sm_80", 88, 0, 64), 20 / 64)  # 23 warps, in fours
        self.assertEqual(gpu_code.occupancy("sm_80", 16, 0, 1024), 1)
        self.assertEqual(gpu_code.occupancy("sm_80", 16, 0, 32), 0.5)
        self.assertEqual(gpu_code.occupancy("sm_80", 32, 48 << 10, 256), 3 * 8 / 64)
        self.assertEqual(gpu_code.occupancy("sm_90a", 32, 48 << 10, 256), 4 * 8 / 64)

    def test_names(self):
        cuda = "crescendo::cuda::"
        compute = f"{cuda}OwnKernels<crescendo::bf16>::compute(crescendo::"
        pool = f"{compute}MaxPool2dBackward const&)::{{lambda(long)#1}}"
        for which, name in (1, "max_pool2d_backward<bf16>+"), (2, "max_pool2d_backward<bf16>"):
            outer = f"{cuda}each_write<crescendo::bf16, {pool}>(CUstream_st*, {pool} const&)::{{lambda(long)#{which}}}"
            self.assertEqual(gpu_code.short_name(f"void {cuda}each_kernel<{outer}>(long, {outer})"), name)
        for f, name in (("ScaledBy", "scale<bf16, 8>"), ("cuda::AddTo<crescendo::ScaledBy>", "scale<bf16, 8>+"),
                        ("ReluGradient", "relu_backward<bf16, 8>"), ("Constant", "fill_activations<bf16, 8>")):
            kernel = f"void {cuda}map_kernel<8, {cuda}bf16, crescendo::{f}, {cuda}bf16>(long, {cuda}bf16*)"
            self.assertEqual(gpu_code.short_name(kernel), name)
        fill = f"void {cuda}map_kernel<4, float, crescendo::Constant>(long, float*, crescendo::Constant)"
        self.assertEqual(gpu_code.short_name(fill), "fill<float, 4>")
        widen = f"{cuda}OwnKernels<crescendo::bf16>::widen(long, crescendo::activation const*)::{{lambda(float)#1}}"
        self.assertEqual(gpu_code.short_name(f"void {cuda}map_kernel<4, float, {widen}>(long, {widen})"),
                         "widen<bf16, 4>")
        squares = f"{cuda}OwnKernels<float>::compute(crescendo::SumOfSquares const&)::{{lambda(long)#1}}"
        partial = f"{cuda}reduce<double, {squares}>(long)::{{lambda(long)#1}}"
        for f, name in (squares, "sum_of_squares<float>, elements"), (partial, "sum_of_squares<float>, partial results"):
            self.assertEqual(gpu_code.short_name(f"void {cuda}reduce_kernel<double, {f}>(long, {f})"), name)
        self.assertEqual(gpu_code.short_name(f"void {cuda}moments_kernel<crescendo::bf16, 8>({cuda}Slices, double*)"),
                         "moments_kernel<bf16, 8>")
        self.assertEqual(gpu_code.short_name(f"{cuda}finish_kernel({cuda}Slices)"), "finish_kernel")
        convolve = f"void {cuda}convolve_kernel<({cuda}Direction)1, 64, false>({cuda}Convolution)"
        self.assertEqual(gpu_code.short_name(convolve), "convolve_kernel<1, 64, false>")

    def test_bytes_an_element(self):
        # Unrolled four times with a rest; vectors of 16 bytes; reals of an optimizer; unknown.
        self.assertEqual(gpu_code.bytes_an_element("scale_add<bf16>", {"16": 10}, {"16": 5}), (6, 6))
        self.assertEqual(gpu_code.bytes_an_element("scale_add<bf16>", {"128": 3}, {"128": 1}), (6, 8))
        self.assertEqual(gpu_code.bytes_an_element("scale+<float>", {"32": 2}, {"32": 1}), (None, None))
        self.assertEqual(gpu_code.bytes_an_element("scale<float>+", {"32": 2}, {"32": 1}), (12, 12))
        self.assertEqual(gpu_code.bytes_an_element("relu_forward<float, 4>", {"128": 1, "32": 1}, {"128": 1, "32": 1}),
                         (8, 8))
        self.assertEqual(gpu_code.bytes_an_element("adam<bf16, 4>", {"128": 4}, {"128": 3, "64": 1}), (30, None))
        self.assertEqual(gpu_code.bytes_an_element("dropout<bf16>", {"16": 1}, {"16": 1}), (None, None))


class Module(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = gpu_code.kernels(MODULE, CUOBJDUMP)

    def test_no_kernel_spills(self):
        for row in self.rows:
            with self.subTest(kernel=row["kernel"], architecture=row["architecture"]):
                self.assertLessEqual(row["stack_bytes"], STACK.get(row["kernel"], 0))

    def test_every_kernel_is_told_for_every_architecture(self):
        names = {architecture: [row["kernel"] for row in self.rows if row["architecture"] == architecture]
                 for architecture in {row["architecture"] for row in self.rows}}
        self.assertGreater(len(self.rows), 100)
        for some in names.values():
            self.assertEqual(some, next(iter(names.values())))
        for row in self.rows:
            with self.subTest(kernel=row["kernel"], architecture=row["architecture"]):
                self.assertGreater(row["occupancy"], 0, "its block fits on a multiprocessor")
                self.assertGreater(row["instructions"], 0)
                self.assertNotIn("lambda", row["kernel"])

    def test_pointwise_kernels_move_no_less_than_their_contract(self):
        counted = [row for row in self.rows if row["moves"] is not None]
        self.assertGreater(len(counted), 20)
        for row in counted:
            with self.subTest(kernel=row["kernel"], architecture=row["architecture"]):
                self.assertGreaterEqual(row["moves"], row["must"])


def main():
    global MODULE, CUOBJDUMP
    case = Reading
    if len(sys.argv) == 3:
        MODULE, CUOBJDUMP = map(pathlib.Path, sys.argv[1:])
        if not MODULE.is_file() or not CUOBJDUMP.is_file():
            sys.exit(77)
        case = Module
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    sys.exit(not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful())


if __name__ == "__main__":
    main()
