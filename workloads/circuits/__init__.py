"""Circuits of gates on bits: what a program becomes, and what is run on encrypted bits."""
