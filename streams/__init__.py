"""Events, logs and their backends, partitions, ownership, state, the agent, routing of outputs.

The lowest floor of the house: nothing here knows what a rule, a projection or an adapter is. Nothing here reads a
clock, a random number or the environment except through what is handed in.
"""
