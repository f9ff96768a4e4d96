"""One module a figure: a pure data function with a NamedTuple, a thin drawing function, and a takeaway from the data."""
