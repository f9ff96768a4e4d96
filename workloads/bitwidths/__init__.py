"""A width for each tensor of a network: the problem (flash, RAM, loss), and graphs quantized as an answer says."""
