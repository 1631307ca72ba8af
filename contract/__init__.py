"""The ground of the house: what is measured, what it is called, and what it means. Imports nothing of ours."""
