"""C programs as circuits of gates on encrypted bits (docs/programs.md): `compile_c`, `check_program`."""
