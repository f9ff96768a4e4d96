"""N:M pruning: masks for weights and unbiased estimates for gradients, with exact figures about both.

`n_of_m`: the pattern, and masks by magnitude. `transposable`: masks that are N:M along rows and along columns, best and
greedy; `linear_program`: the best ones again, through HiGHS. `mask_counts`: how many masks there are. `mvue`: unbiased
estimates of least variance. `figures`: the statistics that `python -m workloads.pruning` prints. docs/pruning.md has
formulas and sources.
"""
