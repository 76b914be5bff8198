"""Random cells from the whole language of cells: `write` draws the source of one; every expression has a known shape."""

import numpy as np

BOUNDED = ("tanh", "sigmoid")
UNARY = (*BOUNDED, "tanh", "softplus", "swish", "relu", "leaky_relu", "elu", "selu", "identity")
LETTERS = "abcdef"
HEAD = (
    "import numpy as np\n"
    "import evorrn\n"
    "from evorrn import *\n"
    "from evorrn import cosine, convolve\n"
    f"from evorrn import {', '.join(sorted({*UNARY}))}, exp, log, sqrt, maximum, minimum, power, every\n"
    "from evorrn import concatenate, dot, einsum, flatten, outer, push, roll, shift, softmax, total\n\n\n"
    "def mixed(gate, left, right=0.5):\n"
    "    share = sigmoid(gate)\n"
    "    return share * left + (1 - share) * right\n\n\n"
    "def both(u, v):\n"
    "    s = u + v\n"
    "    return tanh(s), u * v\n\n\n"
)


class Source:
    """The source of a random cell, as it is drawn."""

    def __init__(self, rng):
        self.rng = rng
        self.parameters = {}
        self.fixed = {}
        self.values = {}
        self.lines = []
        self.options = []
        self.functions = 0

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def whole(self, first, last):
        return int(self.rng.integers(first, last + 1))

    def dimension(self):
        return self.pick("I", "H", "O", "N", "M", "H", "N", "M", "2", "3", "1")

    # --- Leaves ---------------------------------------------------------------------------------

    def weight(self, shape):
        """Return a parameter or a fixed array of a shape, a new one or one that is there."""
        there = [name for name, found in {**self.parameters, **self.fixed}.items() if found == shape]
        if there and self.rng.random() < 0.4:
            return "p." + self.pick(*there)
        table, letter = (self.fixed, "F") if self.rng.random() < 0.2 else (self.parameters, "W")
        name = f"{letter}{len(table)}"
        table[name] = shape
        return "p." + name

    def leaf(self, shape):
        """Return a value of a shape that is there, or a weight; None when there can be none."""
        there = [name for name, found in self.values.items() if found == shape]
        if there and self.rng.random() < 0.8:
            return self.pick(*there)
        return self.weight(shape) if all(d.isalnum() for d in shape) else None

    # --- Expressions ----------------------------------------------------------------------------

    def expression(self, shape, depth):
        """Return the text of an expression of a shape."""
        if shape == ():
            return self.number(depth)
        compound = not all(d.isalnum() for d in shape)
        if depth <= 0 and not compound:
            return self.leaf(shape)
        for _ in range(50):
            made = self.pick(*(self.COMPOUND if compound else self.FORMS))(self, shape, depth - 1)
            if made is not None:
                return made
        raise AssertionError(f"no expression of {shape}")

    def scalar(self):
        """Return a number or an option."""
        return self.pick("0.5", "2", "-0.3", "1", *self.options)

    def number(self, depth):
        """Return an expression of one number for each sequence, which may have the shape () or (1,) on NumPy."""
        kind = self.whole(0, 6)
        dimension = self.dimension()
        if depth <= 0 or kind == 0:
            there = [name for name, found in self.values.items() if found in ((), ("1",))]
            return self.pick(*there) if there and self.rng.random() < 0.6 else self.weight(("1",))
        v = self.expression((dimension,), depth - 1)
        if kind == 1:
            return f"dot({v}, {self.expression((dimension,), depth - 1)}) / 4"
        if kind == 2:
            return f"total({v}) / 3"
        if kind == 3:
            letters = "ij"
            matrix = self.expression((dimension, "M"), depth - 1)
            return f"einsum('{letters},i,j->', {matrix}, {v}, {self.expression(('M',), depth - 1)}) / 5"
        if kind == 4:
            return f"({self.weight(('1', dimension))} @ {v})"
        if kind == 5:
            return f"{self.expression(('3',), depth - 1)}[{self.whole(0, 2)}]"
        return f"tanh({self.number(depth - 1)})"

    def unary(self, shape, depth):
        inner = self.expression(shape, depth)
        kind = self.whole(0, 7)
        if kind == 0:
            return f"exp(-{inner} * {inner})"
        if kind == 1:
            return f"sqrt(1 + {inner} * {inner})"
        if kind == 2:
            return f"log(1.5 + sigmoid({inner}))"
        if kind == 3:
            return f"-{inner}"
        if kind == 4:
            return f"squash({inner})"
        return f"{self.pick(*UNARY)}({inner})"

    def binary(self, shape, depth):
        left, right = self.expression(shape, depth), self.expression(shape, depth)
        kind = self.whole(0, 9)
        if kind == 0:
            return f"({left} / (1 + exp({right})))"
        if kind == 1:
            return f"{self.pick('maximum', 'minimum')}({left}, {right})"
        if kind == 2:
            return f"power(sigmoid({left}) + 0.2, {self.pick('2', '0.5', right)})"
        if kind == 3:
            return (
                f"mixed({left}, {right})"
                if self.rng.random() < 0.5
                else f"mixed({left}, right={right}, left=1)"
            )
        if kind == 4:
            return f"({left} {self.pick('+', '-')} {right})"
        return f"({left} {self.pick('+', '-', '*')} {right})"

    def with_number(self, shape, depth):
        inner = self.expression(shape, depth)
        other = self.number(depth) if self.rng.random() < 0.6 else self.scalar()
        form = self.pick("({} * {})", "({} + {})", "({} - {})", "maximum({}, {})", "minimum({}, {})")
        return form.format(*((inner, other) if self.rng.random() < 0.5 else (other, inner)))

    def product(self, shape, depth):
        inner = self.dimension()
        if len(shape) == 1:
            vector = self.expression((inner,), depth)
            kind = self.whole(0, 5)
            if kind == 0:
                return f"({self.weight((inner, *shape))}.T @ {vector})"
            if kind == 1:
                return f"({self.expression((*shape, inner), depth)} @ {vector})"
            if kind == 2:
                return f"({vector} @ {self.expression((inner, *shape), depth)})"
            if kind == 3:
                return f"({self.expression((inner, *shape), depth)}.T @ {vector})"
            return f"({self.weight((*shape, inner))} @ {vector})"
        if len(shape) == 2 and self.rng.random() < 0.5:
            cube, vector = self.expression((*shape, inner), depth), self.expression((inner,), depth)
            return f"({cube} @ {vector})"
        first = self.expression((*shape[:-1], inner), depth)
        return f"({first} @ {self.expression((inner, shape[-1]), depth)})"

    def contraction(self, shape, depth):
        """Return a contraction of one to three arrays with random letters."""
        size = dict(zip(LETTERS, shape))
        result = "".join(size)
        for letter in LETTERS[len(shape) : len(shape) + self.whole(0, 2)]:
            size[letter] = self.dimension()
        count = self.whole(1, 3)
        operands = [set() for _ in range(count)]
        for letter in size:
            chosen = [k for k in range(count) if self.rng.random() < 0.5 and len(operands[k]) < 3]
            free = [k for k in range(count) if len(operands[k]) < 3]
            if not chosen and not free:
                return None
            for k in chosen or [self.pick(*free)]:
                operands[k].add(letter)
        names = ["".join(self.rng.permutation(sorted(operand))) for operand in operands]
        arrays = []
        for letters in names:
            kind = tuple(size[letter] for letter in letters)
            if letters and self.rng.random() < 0.5:
                arrays.append(self.weight(kind))
            elif letters:
                arrays.append(self.expression(kind, depth))
            else:
                arrays.append("dot(x, x)")
        if "".join(names) == "" or (count == 1 and not names[0]):
            return None
        return f"(einsum('{','.join(names)}->{result}', {', '.join(arrays)}) * 0.4)"

    def outer(self, shape, depth):
        if len(shape) != 2:
            return None
        left, right = (self.expression((d,), depth) for d in shape)
        return f"{self.pick('outer', 'np.outer')}({left}, {right})"

    def softmax(self, shape, depth):
        return f"softmax({self.expression(shape, depth)})"

    def slice(self, shape, depth):
        axis = self.whole(0, len(shape) - 1)
        before = ", ".join([":"] * axis)
        lead = before + ", " if before else ""
        if shape[axis].isdigit() and self.rng.random() < 0.7:
            start, count = self.whole(0, 2), int(shape[axis])
            whole = str(start + count + self.whole(0, 2))
            place = f"{start}:{start + count}" if start or self.rng.random() < 0.5 else f":{count}"
            inner = self.expression((*shape[:axis], whole, *shape[axis + 1 :]), depth)
            return f"{inner}[{lead}{place}]"
        if len(shape) == 3:
            return None
        longer = self.whole(1, 4)
        axis = self.whole(0, len(shape))
        lead = "".join([":, "] * axis)
        inner = self.expression((*shape[:axis], str(longer), *shape[axis:]), depth)
        return f"{inner}[{lead}{self.whole(0, longer - 1)}]"

    def moved(self, shape, depth):
        axis, steps = self.whole(0, len(shape) - 1), self.whole(-4, 4)
        text = f", {axis}" if axis or self.rng.random() < 0.3 else ""
        return f"{self.pick('shift', 'roll', 'np.roll' if text else 'roll')}({self.expression(shape, depth)}, {steps}{text})"

    def pushed(self, shape, depth):
        top = self.expression(shape[1:], depth)
        return f"push({self.expression(shape, depth)}, {top})"

    def transposed(self, shape, depth):
        return f"{self.expression(shape[::-1], depth)}.T" if len(shape) == 2 else None

    def part_of_joined(self, shape, depth):
        """Return a slice of arrays that are joined or flattened."""
        if len(shape) != 1 or not shape[0].isdigit():
            return None
        count = int(shape[0])
        first, second = self.dimension(), self.pick("3", "4")
        start = self.whole(0, 1)
        if count + start > 4:
            return None
        inner = self.expression(
            (f"{second}+{first}" if start + count <= int(second) else f"4+{first}",), depth
        )
        return f"({inner})[{start}:{start + count}]"

    def of_compound(self, shape, depth):
        """Return something made of an array with a dimension that no parameter can have."""
        if len(shape) == 3:
            return None
        first, second = self.dimension(), self.dimension()
        whole = self.pick(f"{first}+{second}", f"{first}*{second}")
        if len(shape) == 1 and self.rng.random() < 0.5:
            left = self.expression((whole, *shape), depth) if "+" in whole else None
            if left is not None:
                return f"({self.expression((whole,), depth)} @ {left} * 0.3)"
        v, u = self.expression((whole,), depth), self.expression((whole,), depth)
        return f"({self.expression(shape, depth)} * (dot({v}, {u}) / 6))"

    def joined(self, shape, depth):
        head = shape[0]
        if "*" in head:
            first, second = head.split("*")
            if len(shape) > 1 or "+" in head:
                return None
            return f"flatten({self.expression((first, second), depth)})"
        if "+" not in head:
            return None
        first, second = head.split("+", 1)
        left = self.expression((first, *shape[1:]), depth)
        return f"concatenate({left}, {self.expression((second, *shape[1:]), depth)})"

    def library(self, shape, depth):
        if len(shape) != 1:
            return None
        if self.rng.random() < 0.5:
            memory = self.expression((*shape, "M"), depth)
            return f"{self.pick('', 'evorrn.')}cosine({memory}, {self.expression(('M',), depth)})"
        return f"convolve({self.expression(shape, depth)}, softmax({self.expression(('3',), depth)}))"

    def local(self, shape, depth):
        """Return a call of a function that the cell defines."""
        name, self.functions = f"inner{self.functions}", self.functions + 1
        body = self.expression(shape, depth)
        self.lines.append(f"def {name}(v, k=0.5):\n        u = tanh(v)\n        return k * u + {body}")
        return f"{name}({self.expression(shape, depth)}{self.pick('', ', 2', ', k=-0.4')})"

    FORMS = (unary, unary, binary, binary, with_number, with_number, product, product, product, contraction)
    FORMS += (contraction, outer, softmax, slice, slice, moved, moved, pushed, transposed, part_of_joined)
    FORMS += (of_compound, library, local)
    COMPOUND = (joined, joined, joined, unary, binary, with_number, softmax, moved)

    # --- The cell -------------------------------------------------------------------------------

    def assign(self, depth):
        """Add an assignment of a value that later lines may read."""
        shape = tuple(self.dimension() for _ in range(self.whole(1, 3)))
        shape = self.pick((), shape, shape, shape)
        name = f"v{len(self.lines)}"
        if shape and self.rng.random() < 0.2:
            text = f"{name}, {name}b = both({self.expression(shape, depth)}, {self.expression(shape, depth)})"
            self.values[f"{name}b"] = shape
        else:
            text = f"{name} = {self.expression(shape, depth)}"
        self.lines.append(text)
        self.values[name] = shape

    def new(self, name, shape, depth):
        """Return the new value of a state, of bounded size."""
        inner = self.expression(shape, depth)
        return self.pick(f"tanh({inner})", f"0.5 * {name} + 0.5 * tanh({inner})", f"sigmoid({inner})")

    def states(self):
        names = {"h": ("H",)}
        for k in range(self.whole(0, 3)):
            names[f"s{k}"] = tuple(self.dimension() for _ in range(self.whole(1, 3)))
        if self.rng.random() < 0.3:
            names["n"] = ("1",)
        return names


def write(seed, path):
    """Write the source of a random cell called `made` to a file, and return the options that it may be given."""
    rng = np.random.default_rng([seed, 77])
    source = Source(rng)
    states = source.states()
    delays = {name: source.whole(1, 3) for name in ("x", "y", *states) if rng.random() < 0.2}
    sees_output = "y" in delays or rng.random() < 0.25
    source.values = {"x": ("I",), **states, **({"y": ("O",)} if sees_output else {})}
    late = {}
    for name, steps in delays.items():
        for k in range(1 if name in ("x", "y") else 2, steps + 1):
            late[f"{name}_{k}"] = source.values[name]
    seen = ["y"] if sees_output and "y" not in delays else []
    if "y" in delays:
        del source.values["y"]
    arguments = ["p", "x", *states, *seen, *late]
    source.values |= late
    source.options = ["leak", "gain"]
    counts = rng.random() < 0.3
    if counts:
        states["t"] = ("1",)
        arguments.insert(2 + len(states) - 1, "t")
    for _ in range(source.whole(0, 4)):
        source.assign(source.whole(1, 3))
    results = [source.new(name, shape, source.whole(1, 3)) for name, shape in states.items() if name != "t"]
    if counts:
        results[0] = f"{results[0]} * (1 - 0.5 * every({source.pick('2', '3', 'p.period')}, t))"
        results.append("t + 1")
        if "p.period" in results[0]:
            source.fixed["period"] = ("H",)
    fixed = []
    for name, shape in source.fixed.items():
        text = " ".join(shape)
        if name == "period":
            fixed.append("'period': evorrn.Fixed('H', default=2.0)")
        elif rng.random() < 0.5:
            fixed.append(f"'{name}': evorrn.Fixed('{text}', default={source.pick('0.7', '-0.4', '1.0')})")
        else:
            fixed.append(
                f"'{name}': evorrn.Fixed('{text}', rule=lambda sizes, options: "
                f"np.cos(np.arange(np.prod([sizes.get(d) or int(d) for d in '{text}'.split()]))"
                f" + options['gain']).reshape([sizes.get(d) or int(d) for d in '{text}'.split()]))"
            )
    chosen = [name for name in states if rng.random() < 0.4]
    output = " ".join(chosen) if chosen and rng.random() < 0.5 else None
    parameters = {name: " ".join(shape) for name, shape in source.parameters.items()} or {"W": "H"}
    start = {name: source.pick(0.5, -1.0, 1e-6) for name in states if name != "t" and rng.random() < 0.2}
    lines = [
        HEAD + "@evorrn.cell(",
        f"    state={ {name: ' '.join(shape) for name, shape in states.items()} },",
        f"    parameters={parameters},",
        f"    sizes={{'N': {source.whole(1, 6)}, 'M': {source.whole(1, 5)}}},",
        f"    fixed={{{', '.join(fixed)}}},",
        f"    delays={delays}, start={start}, output={output!r},",
        f"    initial={{{', '.join(repr(n) + ': ' + repr('glorot') for n, s in parameters.items() if len(s.split()) > 1)}}},",
        "    ranges={'leak': (0, 1)},",
        ")",
        f"def made({', '.join(arguments)}, *, leak=0.3, gain=1.2, squash=tanh):",
        *(f"    {line}" for line in source.lines),
        f"    return {', '.join(results)}",
    ]
    path.write_text("\n".join(lines) + "\n")
    return {
        "leak": float(rng.random()),
        "gain": float(rng.random()),
        "squash": source.pick("tanh", "sigmoid", "softplus"),
    }
