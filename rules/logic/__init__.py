"""What follows from conditions before any event comes: which can never be true, and which are never false.

A condition is taken apart into `atoms`: each says one thing about one *term* (a path such as `event.data.total`, or any
other expression, by what it says). `clash` puts the atoms of several conditions together and says why they cannot all
be true, if it can see that. It is sound and far from complete: None means nothing. Since an expression that cannot be
evaluated makes a rule not evaluated, "true" always means "evaluated, and true", and what a true condition has read was
there.
"""

from rules.logic.atoms import Atom, negative, positive
from rules.logic.clash import Known, Reason, clash
from rules.logic.domain import Domain
from rules.logic.terms import Bindings, Key, term

__all__ = ["Atom", "Bindings", "Domain", "Key", "Known", "Reason", "clash", "negative", "positive", "term"]
