"""Methods that choose a width for each tensor; all take a `Problem` and answer with an `Allocation`."""
