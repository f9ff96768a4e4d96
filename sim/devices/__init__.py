"""Circuits on several devices: accelerators, GPUs or CPUs at hosts, with links over which ciphertexts move."""
