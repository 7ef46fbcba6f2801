"""Which privacy labels the arguments of a function may carry, by the flow of information in a whole program.

The theory. Labels form a lattice, the sets of label names ordered by inclusion; information may only move
upwards in it (D. Denning, "A Lattice Model of Secure Information Flow", CACM 19(5), 1976), and whether it
does can be decided before a program runs (D. and P. Denning, "Certification of Programs for Secure
Information Flow", CACM 20(7), 1977). The analysis has a variable for each thing that holds data (locals,
globals, parameters, results, what the host keeps) and an edge from each variable to those that its data may
reach. The answer is the least solution in which the labels of a variable are also those of its successors.
Order, branches and calls are not told apart: what may happen in some run is taken to happen.

*Explicit flow.* Every operation joins the labels of its operands. A call joins its arguments into the
parameters of every function that it may call, and their results into its own. Functions are data too: each
function used as a value has a token, tokens move along the same edges, and a call whose callee is computed is
linked with each function whose token arrives there (O. Shivers, "Control-Flow Analysis of Higher-Order
Languages", 1991). What a function captures counts as its argument, for it would have to go along: variables
around it, globals, names that the run provides, and what the functions that it names capture.

*Implicit flow.* Code runs under the labels of what decided that it runs: conditions, the items that a loop
goes over, the choice of a callee. They join its value and all that its calls, definitions and assignments
reach, in called functions too. All that is touched in a `try` with a `catch` (in `async`, in `race`) decides
whether what stands after it there runs; so body and handlers run under the labels of all of it.

*The host* is one place: what a capability or the host's context was given may come back from any other, and
functions given to it may be called. Only what goes to the log, to the screen or to a timer is forgotten. A
function that a model runs elsewhere may answer with anything it was given, so a result carries the labels of
the arguments, whatever the body does with them.

*Declassification* is for policies alone: the results of a function that they name carry no labels, if it is
called by its name. How many results there are, and whether there are any, is not part of them: that follows
from what decided on the calls. Annotations in the program only add labels.

*Not covered*: what can be learnt from time, from a run that does not end, or from one that ends with an error
that nothing in the program catches. What host functions among the run's arguments do is up to the host.
"""

from rtfs.passes.privacy.analysis import argument_labels

__all__ = ["argument_labels"]
