"""Fuzzing: targets that take octets from strangers, a short run for the tests and a long one.

``test_short`` is part of the tests; ``python -m tests.fuzz TARGET SECONDS`` runs a target guided by
coverage (needs the extra ``fuzz``). Another reader of strangers' octets is another :class:`Target` in
one of the modules here.
"""
