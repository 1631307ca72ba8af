"""Incidents, to prove that they alert whom they should and nobody else: in virtual time, and on the living stack."""
