"""
Scenario files, one for each thing an agent can do: documentation by example, and tests.

The head of a file says what it shows, and the command that shows it; see `played.Script`.
Those in ``ops`` need a program that submits ops; `test_ops` has it.
"""
