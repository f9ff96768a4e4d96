"""C programs as circuits of gates on encrypted bits (docs/programs.md): compile_c in compile.py, check_program in check.py."""
