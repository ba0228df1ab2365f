"""The network, its trainer and its judges, for the book The Calculus of Backpropagation.

    from companion.graph import Node               a computation as a graph
    from companion.sweep import adjoints           its derivatives, by either sweep
    from companion.network import Network          forward, and BP1 to BP4
    from companion.train import train              descent in small batches
    from companion.save import save, load          stop, and go on bit for bit
    from companion.check import check_gradient     is the gradient right?
    from companion.data import load_digits         something to learn

`activations` and `costs` hold the functions a network is made of, `draw` the book's figures.
`symbolic` proves equations for any width, and `ledger` records what was proved or checked.
Importing `companion` imports NumPy and little else.
"""

__version__ = "0.1.0"
