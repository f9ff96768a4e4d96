"""From a graph to the jobs of a tensor machine: what is fused, who runs what, and how each tensor lies in memory.

`view` says where the elements of a graph tensor lie in a stored one; `draft` holds what was lowered so far; `array`,
`attention` and `vector` lower the ops. The door is `workloads.lower`.
"""
