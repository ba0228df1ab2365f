"""Worked examples that others have published: their values, tangents and adjoints, by `companion`.

Printed digits are compared within half a unit of the last one; digits computed anew at rtol 1e-12.
"""

import math

import numpy as np
import pytest

from companion.check import central_difference, complex_step, relative_error
from companion.graph import Node, cos, exp, log, maximum, relu, sigmoid, sin
from companion.sweep import adjoints, count_paths, paths, tangents, trace_table


def printed(digits):
    """What was printed, such as "-0.27": within half a unit of its last digit."""
    decimals = len(digits.partition(".")[2])
    return pytest.approx(float(digits), rel=0, abs=0.5 * 10.0**-decimals * (1 + 1e-9))


def full(number, digits=None):
    """This number to rtol 1e-12, which is also what was printed, if `digits` are given."""
    assert digits is None or number == printed(digits)
    return pytest.approx(number, rel=1e-12, abs=0)


def by_every_route(output, node):
    """d(output)/d(node), which is the same by adjoints, by tangents and along the paths."""
    bar = adjoints(output)[node]
    assert tangents(output, {node: 1})[output] == full(bar)
    assert sum(path.product for path in paths(output, node)) == full(bar)
    return bar


def test_what_was_printed_binds():
    with pytest.raises(AssertionError):
        full(0.7358, "0.73")
    assert 0.7344 == printed("0.73") and 0.7351 != printed("0.73") and -0.73 != printed("0.73")
    assert 1 + 1e-13 == full(1) and 1 + 1e-11 != full(1)


def test_colah():
    """C. Olah, Calculus on Computational Graphs (2015): e = (a + b)(b + 1) at a = 2, b = 1."""
    a, b = Node(2, name="a"), Node(1, name="b")
    c, d = (a + b).named("c"), (b + 1).named("d")
    e = (c * d).named("e")
    assert (c.value, d.value, e.value) == (3, 2, 6)
    assert (c.partials, d.partials, e.partials) == ((1, 1), (1,), (2, 3))
    assert by_every_route(e, a) == 2 and by_every_route(e, b) == 5
    assert tangents(e, {b: 1}) == {a: 0, b: 1, c: 1, d: 1, e: 5}
    assert adjoints(e) == {a: 2, b: 5, c: 2, d: 3, e: 1}
    assert sorted(path.product for path in paths(e, b)) == [2, 3]


def test_colah_factors_nine_paths():
    """There too: X to Y in three ways, Y to Z in three: (alpha + beta + gamma)(delta + ..)."""
    greek, others = (2, 3, 5), (7, 11, 13)
    x = Node(1)
    y = Node(1, (x,) * 3, greek, "{}, {} and {}")
    z = Node(1, (y,) * 3, others, "{}, {} and {}")
    assert count_paths(y, x) == count_paths(z, y) == 3 and count_paths(z, x) == 9
    assert by_every_route(z, x) == sum(greek) * sum(others)
    assert sorted(path.product for path in paths(z, x)) == sorted(
        g * o for g in greek for o in others
    )


def neuron(w1, x1, w2, x2, b):
    return w1 * x1 + w2 * x2 + b


def test_one_neuron():
    """A sigmoid neuron, quadratic cost, y = 1: the gradient, and one step with eta = 1."""
    names = {"w1": 2.0, "x1": -1.0, "w2": -3.0, "x2": -2.0, "b": -3.0}
    inputs = {name: Node(number, name=name) for name, number in names.items()}
    z = neuron(**inputs)
    a = sigmoid(z)
    C = (a - 1) ** 2 / 2
    assert z.value == 1 and a.value == full(0.7310585786300049, "0.73")
    assert C.value == full(0.036164744064256626)
    assert a.partials[0] == full(0.19661193324148185)
    assert by_every_route(C, a) == full(-0.2689414213699951, "-0.27")
    assert by_every_route(C, z) == full(-0.052877092784266715, "-0.053")
    slopes = {name: by_every_route(C, x) for name, x in inputs.items()}
    assert slopes == {
        "w1": full(0.052877092784266715),
        "w2": full(0.10575418556853343),
        "b": full(-0.052877092784266715),
        "x1": full(-0.10575418556853343),
        "x2": full(0.15863127835280014),
    }
    assert slopes["w1"] == printed("0.053") and slopes["w2"] == printed("0.106")
    assert slopes["b"] == printed("-0.053")
    step = {name: names[name] - slopes[name] for name in ("w1", "w2", "b")}
    assert step["w1"] == full(1.9471229072157332)  # printed 1.94, which is cut off, not rounded
    assert step["w2"] == full(-3.1057541855685336, "-3.106")
    assert step["b"] == full(-2.9471229072157334, "-2.947")
    z = neuron(**{**names, **step})
    assert z == full(1.3172625567056007)
    assert sigmoid(z) == full(0.7887259067592556, "0.79")
    assert (sigmoid(z) - 1) ** 2 / 2 == full(0.022318371237349383)


def test_cs231n_sigmoid():
    """CS231n, notes on backpropagation: the sigmoid neuron gate by gate, numbers on the wires."""
    w0, x0, w1, x1, w2 = inputs = [Node(float(n)) for n in (2, -1, -3, -2, -3)]
    products = w0 * x0, w1 * x1
    total = products[0] + products[1]
    dot = total + w2
    minus = dot * -1
    e = exp(minus)
    plus = e + 1
    f = 1 / plus
    wires = [*products, total, dot, minus, e, plus, f]
    shown = ["-2.00", "6.00", "4.00", "1.00", "-1.00", "0.37", "1.37", "0.73"]
    assert [node.value for node in wires] == [printed(digits) for digits in shown]
    assert (e.value, plus.value) == (full(0.36787944117144233), full(1.3678794411714423))
    assert f.value == full(0.7310585786300049) and f.value == full(sigmoid(dot).value)
    slopes = [by_every_route(f, x) for x in inputs]
    assert slopes == [
        full(-0.19661193324148185),
        full(0.3932238664829637),
        full(-0.3932238664829637),
        full(-0.5898357997244456),
        full(0.19661193324148185),
    ]
    assert slopes == [printed(digits) for digits in ("-0.20", "0.39", "-0.39", "-0.59", "0.20")]
    back = [by_every_route(f, node) for node in (dot, minus, e, plus)]
    assert back == [printed(digits) for digits in ("0.20", "-0.20", "-0.53", "-0.53")]
    assert back[0] == full(0.19661193324148185) and back[2] == full(-0.534446645388523)
    assert by_every_route(sigmoid(dot), w0) == full(slopes[0])


def test_cs231n_circuits():
    """CS231n, the same notes: f = (x + y) z, and the gates of 2 (x y + max(z, w))."""
    x, y, z = Node(-2), Node(5), Node(-4)
    q = x + y
    f = q * z
    assert (q.value, f.value) == (3, -12)
    assert [by_every_route(f, node) for node in (x, y, z, q)] == [-4, -4, 3, -4]
    x, y, z, w = (Node(n) for n in (3.0, -4.0, 2.0, -1.0))
    f = (x * y + maximum(z, w)) * 2
    assert f.value == -20.0
    assert [by_every_route(f, node) for node in (x, y, z, w)] == [-8.0, 6.0, 2.0, 0.0]


def test_baydin():
    """Baydin et al., JMLR 18:153 (2018), Tables 2 and 3: ln x1 + x1 x2 - sin x2 at (2, 5)."""
    x1, x2 = Node(2.0, name="x1"), Node(5.0, name="x2")
    v1, v2, v3 = log(x1), x1 * x2, sin(x2)
    v4 = v1 + v2
    v5 = v4 - v3
    nodes = v1, v2, v3, v4, v5
    shown = ["0.693", "10", "-0.959", "10.693", "11.652"]
    assert [node.value for node in nodes] == [printed(digits) for digits in shown]
    assert v5.value == full(11.652071455223084)
    dot = tangents(v5, {x1: 1})
    assert [dot[node] for node in nodes] == [0.5, 5.0, 0.0, 5.5, 5.5]
    bar = adjoints(v5)
    assert [bar[node] for node in nodes] == [1, 1, -1, 1, 1]
    assert by_every_route(v5, x1) == 5.5
    assert by_every_route(v5, x2) == full(1.7163378145367738, "1.716")
    (through_v2, through_v3) = sorted((path.product for path in paths(v5, x2)), reverse=True)
    assert through_v2 == 2.0 and through_v3 == full(-0.28366218546322625, "-0.284")
    (first, second) = (path.product for path in paths(v5, x1))
    assert {first, second} == {0.5, 5.0}
    assert "sin(x2)  -0.9589        0       -1" in trace_table(v5, {x1: 1})


def test_micrograd_readme():
    """A. Karpathy, micrograd, README: printed are g = 24.7041, dg/da = 138.8338, 645.5773."""
    a, b = Node(-4.0), Node(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + relu(b + a)
    d += 3 * d + relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    assert (c.value, d.value, e.value, f.value) == (-1, 6, -7, 49)
    assert g.value == full(24.70408163265306, "24.7041")
    for _ in range(2):  # nothing is stored, so a second call does not add to a first
        assert by_every_route(g, a) == full(138.83381924198252, "138.8338")
        assert by_every_route(g, b) == full(645.5772594752187, "645.5773")


def test_a_graph_that_needs_a_topological_order():
    """micrograd, issue 68: recursion from child to parent, as it comes, gives 46 and 35."""
    a, b = Node(2), Node(3)
    c, d = a + b, a * b
    y = (c + d) + (c * d)
    assert y.value == 41
    assert [by_every_route(y, node) for node in (a, b, c, d)] == [25, 19, 7, 6]


def test_udl_notebook_7_1():
    """S. Prince, Understanding Deep Learning, notebook 7.1: a chain of sin, exp and cos."""
    beta = [Node(number) for number in (1.0, 2.0, -3.0, 0.4)]
    omega = [Node(number) for number in (0.1, -0.4, 2.0, 3.0)]
    f0 = beta[0] + omega[0] * 2.3
    h1 = sin(f0)
    f1 = beta[1] + omega[1] * h1
    h2 = exp(f1)
    f2 = beta[2] + omega[2] * h2
    h3 = cos(f2)
    f3 = beta[3] + omega[3] * h3
    loss = (f3 - 2.0) ** 2
    # node: (value printed, value, derivative printed, derivative)
    table = {
        f0: ("1.230", 1.23, "2.281", 2.280900622169349),
        h1: ("0.942", 0.9424888019316975, "6.824", 6.824186610507077),
        f1: ("1.623", 1.623004479227321, "-17.060", -17.060466526267692),
        h2: ("5.068", 5.068295051170775, "-3.366", -3.3661154992006095),
        f2: ("7.137", 7.13659010234155, "-1.683", -1.6830577496003047),
        h3: ("0.657", 0.6574213694719748, "2.234", 2.2335846504955477),
        f3: ("2.372", 2.3722641084159246, "0.745", 0.7445282168318492),
        loss: ("0.139", 0.13858056641470326, "1", 1.0),
        beta[3]: ("0.4", 0.4, "0.745", 0.7445282168318492),
        omega[3]: ("3.0", 3.0, "0.489", 0.48946875992012173),
        beta[2]: ("-3.0", -3.0, "-1.683", -1.6830577496003047),
        omega[2]: ("2.0", 2.0, "-8.530", -8.530233263133846),
        beta[1]: ("2.0", 2.0, "-17.060", -17.060466526267692),
        omega[1]: ("-0.4", -0.4, "-16.079", -16.079298656737866),
        beta[0]: ("1.0", 1.0, "2.281", 2.280900622169349),
        omega[0]: ("0.1", 0.1, "5.246", 5.246071430989502),
    }
    for node, (shown, number, shown_slope, slope) in table.items():
        assert node.value == full(number, shown)
        assert by_every_route(loss, node) == full(slope, shown_slope)


def test_wikipedia():
    """Wikipedia, Automatic differentiation: x1 x2 + sin x1; dy/dx1 = x2 + cos x1, dy/dx2 = x1."""
    x1, x2 = Node(0.7), Node(-1.3)
    w3, w4 = x1 * x2, sin(x1)
    w5 = w3 + w4
    assert by_every_route(w5, x1) == full(-1.3 + math.cos(0.7))
    assert by_every_route(w5, x2) == 0.7
    dot = tangents(w5, {x1: 1})
    assert (dot[w3], dot[w4]) == (-1.3, full(math.cos(0.7)))
    assert adjoints(w5)[w3] == adjoints(w5)[w4] == 1


def test_nielsen_saturating_neuron():
    """M. Nielsen, Neural Networks and Deep Learning, chapter 3: x = 1, y = 0, eta = 0.15.

    With the quadratic cost the outputs 0.82 and 0.98 become 0.09 and 0.20 after 300 epochs.
    """
    for start, before, after, exactly in [
        ((0.6, 0.9), "0.82", "0.09", 0.09395569486364724),
        ((2.0, 2.0), "0.98", "0.20", 0.2028484242677765),
    ]:
        w, b = start
        assert sigmoid(w * 1.0 + b) == printed(before)
        for _ in range(300):
            weight, bias = Node(w), Node(b)
            bar = adjoints(sigmoid(weight * 1.0 + bias) ** 2 / 2)
            w, b = w - 0.15 * bar[weight], b - 0.15 * bar[bias]
        assert sigmoid(w * 1.0 + b) == full(exactly, after)


def test_mit_finite_differences():
    """MIT, Matrix Calculus, notebook on finite differences: sin at 1, whose slope is cos 1."""
    x = Node(1.0)
    slope = by_every_route(sin(x), x)
    assert slope == full(0.5403023058681398)

    def forward(h):
        return (sin(1.0 + h) - sin(1.0)) / h

    assert forward(1e-5) == full(0.5402980985058647)
    assert relative_error(forward(1e-5), slope) == pytest.approx(7.787052228587771e-06, rel=1e-6)
    assert relative_error(forward(1e-13), slope) == pytest.approx(0.001358343083756518, rel=1e-6)
    assert forward(1e-100) == 0.0
    assert relative_error(central_difference(sin, 1.0, h=1e-5), slope) < 3e-11
    assert complex_step(np.sin, 1.0, h=1e-100) == slope
    assert np.finfo(float).eps == 2.220446049250313e-16
    assert math.sqrt(np.finfo(float).eps) == 1.4901161193847656e-08
