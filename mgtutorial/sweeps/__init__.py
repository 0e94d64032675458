"""Many runs: what is done, what it costs, and doing the rest."""
