"""Who is told what, when and how: alerts, their proofs, their runbooks, and the ways they take."""
