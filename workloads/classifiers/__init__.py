"""Classifiers made of look-up tables: data sets, training, and the circuits that training gives."""
