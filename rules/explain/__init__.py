"""Why an event did what it did, and did not what it did not: `orchestrator rules explain`, and failing tests.

The conditions are evaluated by the exact evaluator, which records each comparison with the values that it read; what
follows from them is what the compiled rules themselves do, on a copy of the state. So an explanation can be asked for
any event and any state, and changes nothing.
"""
