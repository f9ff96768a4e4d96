"""One module a figure: a pure data function (NamedTuple), a thin drawing function, a takeaway from the data."""
