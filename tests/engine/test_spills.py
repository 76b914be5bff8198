"""Blocks of the micro-kernels fit the vector registers of every processor: inner loops keep all sums in them."""

import re

import llvmlite.binding as llvm
import pytest
from llvmlite import ir

from evorrn.kernels import individuals, rows, tiles

LINUX = {"x86": "x86_64-unknown-linux-gnu", "arm": "aarch64-unknown-linux-gnu"}
TARGETS = [  # processor, triple, bits and number of its vector registers
    ("haswell", "x86", 256, 16),
    ("znver3", "x86", 256, 16),
    ("skylake-avx512", "x86", 512, 32),
    ("znver4", "x86", 512, 32),
    ("apple-m1", "arm", 128, 32),
    ("neoverse-n1", "arm", 128, 32),
]
SCALARS = {"float32": (ir.FloatType(), 32), "float64": (ir.DoubleType(), 64)}

MULTIPLY_ADD = re.compile(r"\s(vfn?madd\w+[ps][sd]|fmla)\s")
LABEL = re.compile(r"^([.\w]+):")
JUMP = re.compile(r"^\s+(?:j\w+|b|b\.\w+|cbn?z\s+\w+,|tbn?z\s+\w+,\s*#\d+,)\s+([.\w]+)\s*(?:[#/].*)?$")
STACK = re.compile(r"\(%[re]sp\b|\[sp\b")


def assembly(triple, processor, module):
    """Compile a module as numba does."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError as reason:
        pytest.skip(f"LLVM was built without this target: {reason}")
    machine = target.create_target_machine(cpu=processor, opt=3)
    module.triple, module.data_layout = triple, str(machine.target_data)
    for function in module.functions:
        if not function.is_declaration:
            function.linkage = "external"  # LLVM drops functions that nothing calls
    parsed = llvm.parse_assembly(str(module))
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(parsed, passes)
    return machine.emit_assembly(parsed)


def inner_loops(text):
    """Return the lines of each innermost loop with multiply-adds of vectors."""
    lines = text.splitlines()
    labels = {found[1]: place for place, line in enumerate(lines) if (found := LABEL.match(line))}
    jumps = [(place, found[1]) for place, line in enumerate(lines) if (found := JUMP.match(line))]
    loops = [(labels[name], place) for place, name in jumps if labels.get(name, place) < place]
    inner = [
        (start, stop)
        for start, stop in loops
        if not any(start <= other[0] and other[1] <= stop for other in loops if other != (start, stop))
    ]
    bodies = [lines[start : stop + 1] for start, stop in inner]
    return [body for body in bodies if any(MULTIPLY_ADD.search(line) for line in body)]


def stack_accesses(body):
    return sum(bool(STACK.search(line)) for line in body)


def kernel(kind, scalar, width, count):
    """Return a module with one of the micro-kernels."""
    module = ir.Module("kernel")
    number = SCALARS[scalar][0]
    if kind == "affine":
        tiles.affine_function(module, number, width, tiles.BLOCKS[count])
    elif kind == "outer":
        tiles.outer_function(module, number, width, tiles.OUTER_BLOCKS[count])
    elif kind == "individuals":
        individuals.affine_function(module, number, width, 2)
    else:
        rows.affine_function(module, number, width, kind)
    return module


@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize("processor,architecture,bits,count", TARGETS)
@pytest.mark.parametrize("kind", ["affine", "outer", "columns", "dots", "individuals"])
def test_inner_loops_do_not_touch_the_stack(kind, processor, architecture, bits, count, scalar):
    module = kernel(kind, scalar, bits // SCALARS[scalar][1], count)
    loops = inner_loops(assembly(LINUX[architecture], processor, module))
    assert loops
    assert [stack_accesses(body) for body in loops] == [0] * len(loops)


@pytest.mark.parametrize("scalar", SCALARS)
def test_blocks_too_large_are_found(scalar):
    """The check above sees what it is there for: blocks for 32 registers on a processor that has 16."""
    width = 256 // SCALARS[scalar][1]
    text = assembly(LINUX["x86"], "haswell", kernel("affine", scalar, width, 32))
    assert max(stack_accesses(body) for body in inner_loops(text)) >= 8
    text = assembly(LINUX["x86"], "haswell", kernel("outer", scalar, width, 32))
    assert max(stack_accesses(body) for body in inner_loops(text)) >= 8


@pytest.mark.parametrize("count", [16, 32])
def test_blocks_fit_the_registers_and_cover_every_tile(count):
    for strip, blocks in tiles.BLOCKS[count].items():
        assert all(v * r + v + 1 <= count and strip % v == 0 for v, r in blocks)
        assert blocks[-1] == (strip, 1)
    assert list(tiles.BLOCKS[count])[-1] == 1
